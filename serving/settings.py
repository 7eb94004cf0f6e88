"""The settings of a process, read once at its edge: environment over `precedence.toml` over defaults."""

from __future__ import annotations

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AwareDatetime,
    BeforeValidator,
    Field,
    NonNegativeInt,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from features.records import NonNegative, Positive, Share, ValueLabel
from serving.addresses import is_address, reached_at
from serving.api.admission import Bounds
from serving.api.bodies import MOST_CAMPAIGNS
from serving.api.faults import faults_of
from serving.errors import Fault, SettingInvalid
from serving.scheduling.rules import Cap, Limit, LimitKey, Reserve, Rules, Shares
from serving.spelling import FILE, PREFIX, items, pairs, refuse_secrets, refuse_unknown

_SERVICES = ("priority", "scheduler")

ANYBODY_IN_WORDS = "without tokens anybody may do anything"

Port = Annotated[int, Field(ge=1, le=65535)]


class Carrier(StrEnum):
    """Who carries out tasks: the scheduler's own process, or workers elsewhere."""

    LOCAL = "local"
    CELERY = "celery"


class HotPathPlace(StrEnum):
    """Where the hot path stands."""

    FRONT = "front"
    MIDDLEWARE = "middleware"
    OFF = "off"


class Settings(BaseSettings):
    """Every setting: name, default and meaning. `PRECEDENCE_HOME` sets `home`, and so on.

    Durations are seconds (`_s`) or hours (`_h`) of the service's clock, unless they say otherwise.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, toml_file=FILE, frozen=True, extra="forbid", env_ignore_empty=True, validate_default=True
    )

    home: Path = Field(Path(".precedence"), description="where state lives: queue, log, MLflow database, models")
    tracking_uri: str = Field("", description="MLflow tracking server and registry; default: a SQLite file in home")
    store_url: str = Field("", description="queue and log database (SQLAlchemy URL); default: a SQLite file in home")
    host: str = Field("127.0.0.1", description="address both services bind to; beyond loopback only with tokens")
    priority_port: Port = Field(3000, description="port of the prediction API")
    scheduler_port: Port = Field(3001, description="port of the queue API")
    priority_url: str = Field("", description="where the scheduler finds the prediction API; default: this host")
    scheduler_url: str = Field("", description="where commands find the queue API; default: this host")
    tokens_file: str = Field("", description="the tokens' digests, for both services; default: tokens.json in home")
    token: SecretStr | None = Field(
        None, description="token that the scheduler and the commands send; by environment only"
    )
    allow_anybody: Literal["without tokens anybody may do anything"] | None = Field(
        None, description=f"to be reached from elsewhere without tokens, say here: {ANYBODY_IN_WORDS}"
    )
    requests_per_min: Positive | None = Field(
        None, description="requests one token may make in a wall-clock minute, of each service; default: any number"
    )
    tls_certificate: Path | None = Field(
        None, description="PEM file with the certificate chain; both services then speak TLS"
    )
    tls_key: Path | None = Field(None, description="PEM file with the certificate's key")
    priority_workers: PositiveInt = Field(1, description="processes answering the prediction API")
    executor: Carrier = Field(
        Carrier.LOCAL,
        description="who runs tasks: local, the scheduler's process; celery, `precedence worker` processes",
    )
    broker_url: str = Field(
        "amqp://guest:guest@127.0.0.1:5672//", description="broker that carries leases to workers (a Celery broker URL)"
    )
    workers: PositiveInt = Field(4, description="slots: tasks run at once, at most; of each worker process")
    workers_least: PositiveInt | None = Field(
        None, description="slots kept while there is little work; default: as many as workers"
    )
    drain_target_s: Positive = Field(3600.0, description="how soon the workers wanted would be done with all work")
    handlers: Annotated[dict[str, str], NoDecode, BeforeValidator(pairs)] = Field(
        default_factory=dict,
        description="name=module:function, name=process+module:function, name=celery+module:app.task or name=URL,"
        " separated by commas (or a table)",
    )
    http_allow: Annotated[tuple[str, ...], NoDecode, BeforeValidator(items)] = Field(
        default_factory=tuple,
        description="where tasks may have work posted to: origins, host names, and networks for addresses that are not"
        " public, separated by commas; default: nowhere",
    )
    http_timeout_s: Positive = Field(30.0, description="wall-clock seconds that the answer to a chunk may take")
    lease_s: Positive = Field(60.0, description="wall-clock seconds a worker may hold a task without a sign of life")
    lead_s: Positive = Field(
        3.0, description="wall-clock seconds without a sign of life after which a stand-by takes the lead"
    )
    refresh_s: Positive = Field(900.0, description="wall-clock seconds after which a waiting campaign is scored anew")
    attempts: PositiveInt = Field(5, description="tries of one chunk before its task is given up as a dead letter")
    most_queued_tasks: PositiveInt = Field(2_000_000, description="queued tasks beyond which no more are taken in")
    most_live_campaigns: PositiveInt = Field(50_000, description="live campaigns beyond which no more are taken in")
    submissions_per_min: Positive | None = Field(
        None, description="new campaigns one account may submit in a wall-clock minute; default: any number"
    )
    outlook_every_s: Positive = Field(
        15.0, description="wall-clock seconds between two outlooks: when everything will start and be done"
    )
    preemption_factor: Annotated[float, Field(ge=1)] = Field(
        1.5, description="how many times the runner's index a challenger needs to take its slot"
    )
    preemption_min_run_s: NonNegative = Field(900.0, description="how long a task runs before it may be preempted")
    preemption_budget: NonNegativeInt = Field(3, description="how often one campaign may be preempted")
    reserve_share: Share = Field(0.05, description="share of the slots for campaigns that waited past max_wait_s, 0-1")
    max_wait_s: Positive = Field(172_800.0, description="how long a campaign may wait before the reserve serves it")
    fair_share: Share = Field(
        0.5, description="share of the slots guaranteed to accounts that contend, in equal parts; the rest goes by rank"
    )
    account_shares: dict[str, Share] = Field(
        default_factory=dict, description="guaranteed shares of single accounts, part of fair_share (a table, or JSON)"
    )
    limits: dict[LimitKey, Limit] = Field(
        default_factory=dict,
        description="rate_per_s (units), burst and concurrency by key (a table, or JSON); keys are account:, channel:,"
        " kind: and tag: with a name",
    )
    frequency_cap: PositiveInt | None = Field(
        None, description="most campaigns that may begin to address one target within frequency_window_s; default: any"
    )
    frequency_window_s: Positive = Field(86_400.0, description="window of the frequency cap")
    latency_emphasis: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0,
        description="hurries the most valuable campaigns at some cost in value: orders by index x p^this, 0-1",
    )
    clock_scale: Positive = Field(1.0, description="seconds of the service's clock per second of the wall clock")
    clock_origin: AwareDatetime | None = Field(
        None, description="what the clock showed when the store was made; default: the wall clock"
    )
    model_poll_s: Positive = Field(
        5.0, description="wall-clock seconds between two looks at who is champion in the registry"
    )
    hot_path: HotPathPlace = Field(
        HotPathPlace.FRONT,
        description="where POST /predict is answered fast: front (before BentoML's own middleware), middleware (behind"
        " it), or off",
    )
    most_campaigns: Annotated[int, Field(ge=1, le=MOST_CAMPAIGNS)] = Field(
        MOST_CAMPAIGNS, description="campaigns that one request for predictions may hold, 1-100000"
    )
    predict_timeout_s: Positive = Field(60.0, description="wall-clock seconds that a prediction may take")
    log_every: PositiveInt = Field(1000, description="of the requests to /predict, one of so many is logged")
    packed_model: Path | None = Field(
        None,
        description="directory of a bundle that answers when neither registry nor cache has a champion; default: the"
        " one packed into the Bento",
    )
    snapshot_max_age_h: Positive | None = Field(
        None, description="age at which the model's feature snapshot no longer answers; default: no limit"
    )
    label: ValueLabel = Field(
        ValueLabel.GROSS,
        description="value that train, tune and backtest go by: gross, or incremental (above what targets earn anyway)",
    )
    matrix_file: Path | None = Field(None, description="TOML file with the matrix's weights; default: those built in")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings' signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line over environment over the TOML file of the working directory."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @field_validator("host")
    @classmethod
    def _an_address(cls, host: str) -> str:
        if host == "localhost":
            return "127.0.0.1"
        if not is_address(host):
            raise ValueError("must be an address of this machine, such as 127.0.0.1, ::1 or 0.0.0.0")
        return host

    @model_validator(mode="before")
    @classmethod
    def _derived(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Defaults that follow from other settings; the home becomes absolute, for processes started elsewhere."""
        home = Path(given.get("home") or cls.model_fields["home"].default).expanduser().absolute()
        host = str(given.get("host") or cls.model_fields["host"].default)
        ports = {name: given.get(f"{name}_port") or cls.model_fields[f"{name}_port"].default for name in _SERVICES}
        scheme = "https" if given.get("tls_certificate") else "http"
        return {
            "tracking_uri": f"sqlite:///{home / 'mlflow.db'}",
            "store_url": f"sqlite:///{home / 'queue.db'}",
            "tokens_file": str(home / "tokens.json"),
            **{f"{name}_url": f"{scheme}://{reached_at(host)}:{ports[name]}" for name in _SERVICES},
            **given,
            "home": home,
        }

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        for given, other in (("tls_certificate", "tls_key"), ("tls_key", "tls_certificate")):
            if getattr(self, given) is not None and getattr(self, other) is None:
                raise ValueError(f"{given} needs {other} beside it")
        return self

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if (total := sum(self.account_shares.values())) > self.fair_share:
            raise ValueError(f"account_shares add up to {total:g}, more than fair_share, which is {self.fair_share:g}")
        return self

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        if self.workers_least is not None and self.workers_least > self.workers:
            raise ValueError(f"workers_least must be at most workers, which is {self.workers}")
        return self

    def rules(self) -> Rules:
        """What binds campaigns beside their worth."""
        return Rules(
            Reserve(self.reserve_share, self.max_wait_s / 3600),
            Shares(self.fair_share, self.account_shares),
            self.limits,
            None if self.frequency_cap is None else Cap(self.frequency_cap, self.frequency_window_s / 3600),
        )

    def bounds(self) -> Bounds:
        """What is taken in at most."""
        return Bounds(self.most_queued_tasks, self.most_live_campaigns, self.submissions_per_min)

    @classmethod
    def read(cls, **overrides: Any) -> Self:
        """Settings of this process; `overrides` that are not None come from its command line.

        Raises
        ------
        SettingInvalid
            Naming the setting, its value and what is allowed; also for a name that is no setting.
        """
        refuse_unknown(os.environ, frozenset(cls.model_fields))
        refuse_secrets(Path(FILE), ("token",))
        try:
            return cls(**{name: value for name, value in overrides.items() if value is not None})
        except ValidationError as error:
            raise _invalid(faults_of(error)[0]) from error
        except SettingsError as error:
            raise SettingInvalid(FILE, "", str(error)) from error
        except ValueError as error:  # a TOML file that is not TOML
            raise SettingInvalid(FILE, str(Path(FILE).absolute()), f"must be TOML ({error})") from error

    def environment(self) -> dict[str, str]:
        """The same settings as environment variables, for a process started by this one."""
        # A secret goes on as it came: in the environment that processes inherit.
        given = self.model_dump(mode="json", exclude_none=True, exclude_defaults=True, exclude={"token"})
        handlers = given.pop("handlers", {})
        variables = {
            f"{PREFIX}{name.upper()}": json.dumps(value) if isinstance(value, dict) else str(value)
            for name, value in given.items()
        }
        if self.http_allow:
            variables[f"{PREFIX}HTTP_ALLOW"] = ",".join(self.http_allow)
        if handlers:
            variables[f"{PREFIX}HANDLERS"] = ",".join(f"{name}={path}" for name, path in handlers.items())
        return variables


def _invalid(fault: Fault) -> SettingInvalid:
    if "no known field" in fault.allowed:
        return SettingInvalid(
            fault.field, fault.value, f"is no known setting; known are {', '.join(Settings.model_fields)}"
        )
    return SettingInvalid(fault.field, fault.value, fault.allowed)
