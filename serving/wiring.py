"""The one place where settings become objects: models, stores, executors and clients are put together here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

from features.curves import hours
from features.matrix import Matrix, MatrixInvalid
from serving.addresses import is_loopback
from serving.api.admission import Admission
from serving.api.desk import Desk
from serving.api.supposing import Supposing
from serving.auth.gate import Gate
from serving.auth.keyring import Keyring
from serving.breaker import Breaker
from serving.client.ours import priority_client
from serving.clock import Clock, ScaledClock, SystemClock
from serving.errors import SettingInvalid
from serving.executors.local import LocalExecutor
from serving.executors.retry import Retry
from serving.handlers.allowed import Allowed
from serving.handlers.python import Handlers
from serving.handlers.simulated import simulate
from serving.meters import load, prediction_api, show_again_and_again
from serving.model import Bundle
from serving.packing import BESIDE
from serving.predictor import RemotePredictor
from serving.scheduling.ahead.lookout import Lookout
from serving.scheduling.load import Load
from serving.scheduling.preemption import Preemption
from serving.scheduling.tick import Tick
from serving.settings import ANYBODY_IN_WORDS, Settings
from serving.sidecar import Sidecar
from serving.spelling import PREFIX
from serving.stores.sql import SqlStore
from serving.succession import Line, Reign, meters

log = logging.getLogger(__name__)

_GRACE_S = 5.0
"""How long a stopping scheduler waits for running tasks to reach a checkpoint; a chunk cut off is run again."""
_FIRST_LOAD_H = 1 / 60
"""What is loaded in the first minute (of the wall clock) was there before: no sign of what will come."""


def matrix(settings: Settings) -> Matrix:
    """The matrix of the settings' file, or the one built in.

    Raises
    ------
    SettingInvalid
        When the file cannot be read or is no matrix.
    """
    file = settings.matrix_file
    if file is None:
        return Matrix.default()
    try:
        return Matrix.from_toml(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingInvalid("matrix_file", str(file), f"cannot be read ({error})") from error
    except MatrixInvalid as error:
        raise SettingInvalid("matrix_file", str(file), str(error)) from error


def reign(settings: Settings) -> Reign:
    """The champion, or whoever is next in line when it cannot be had, and the watch over both. Not begun yet."""
    weights = matrix(settings)

    def fitted(bundle: Bundle) -> Bundle:
        return replace(bundle, matrix=weights, snapshot_max_age_h=settings.snapshot_max_age_h)

    line = Line(settings.tracking_uri, settings.home / "models", settings.packed_model or BESIDE, weights, fitted)
    return Reign(line, meters(), settings.model_poll_s)


def clock(settings: Settings, store: SqlStore) -> Clock:
    """The wall clock, or the scaled one whose origin the store keeps."""
    if settings.clock_scale == 1 and settings.clock_origin is None:
        return SystemClock()
    origin = settings.clock_origin or SystemClock().now()
    return ScaledClock.continued(store, origin, settings.clock_scale)


def handlers(settings: Settings) -> Handlers:
    """The handlers of the settings, beside those built in: `simulate` and `http`.

    Raises
    ------
    SettingInvalid
        When one leads nowhere, or an address allowed is none.
    """
    try:
        allowed = Allowed.of(settings.http_allow)
    except ValueError as error:
        raise SettingInvalid("http_allow", ",".join(settings.http_allow), str(error)) from error
    return Handlers.loaded(
        settings.handlers,
        {"simulate": simulate},
        most=settings.workers,
        allowed=allowed,
        timeout_s=settings.http_timeout_s,
    )


def gate(settings: Settings, processes: int = 1) -> Gate:
    """Who lets requests in; `processes` that answer side by side share what one token may ask a minute.

    Raises
    ------
    SettingInvalid
        When the tokens cannot be read.
    """
    per_min = settings.requests_per_min
    return Gate(
        Keyring(Path(settings.tokens_file)),
        None if per_min is None else per_min / processes,
        anybody=settings.allow_anybody is not None,
    )


def check_reach(settings: Settings) -> None:
    """Refuse to be reached from elsewhere while there are no tokens, unless that is wanted in so many words.

    Raises
    ------
    SettingInvalid
    """
    if (
        is_loopback(settings.host)
        or settings.allow_anybody is not None
        or Keyring(Path(settings.tokens_file)).tokens() is not None
    ):
        return
    allowed = (
        "must be a loopback address (127.0.0.1, ::1 or localhost) while there are no tokens: make one with"
        f" 'precedence token create', or set {PREFIX}ALLOW_ANYBODY to {ANYBODY_IN_WORDS!r}"
    )
    raise SettingInvalid("host", settings.host, allowed)


def make_home(settings: Settings) -> None:
    """Make the directory that state lives in, unless it is there.

    Raises
    ------
    SettingInvalid
        When it cannot be made.
    """
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        allowed = f"must be a directory that can be made ({error.strerror})"
        raise SettingInvalid("home", str(settings.home), allowed) from error


def check(settings: Settings) -> None:
    """Refuse settings whose ports, files or modules cannot be used, before a process is started on them.

    Raises
    ------
    SettingInvalid
    """
    if settings.priority_port == settings.scheduler_port:
        raise SettingInvalid("scheduler_port", settings.scheduler_port, "must be another port than priority_port")
    check_reach(settings)
    make_home(settings)
    matrix(settings)
    handlers(settings)


@asynccontextmanager
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """A running scheduler on this event loop, and the desk in front of it; both end with the context."""
    make_home(settings)
    known = handlers(settings)
    store = SqlStore(settings.store_url)
    time = clock(settings, store)
    # A lease guards against processes that die, which they do in real time, whatever the clock's pace.
    lease_s, refresh_s = settings.lease_s * settings.clock_scale, settings.refresh_s * settings.clock_scale
    wake = asyncio.Event()
    executor = LocalExecutor(
        store,
        known,
        time,
        slots=settings.workers,
        least=settings.workers_least,
        lease_s=lease_s,
        retry=Retry(attempts=settings.attempts),
        chance=Random(),  # noqa: S311 - spreads retries
        changed=wake.set,
    )
    sidecar = Sidecar()
    async with priority_client(settings) as client:
        predictor = RemotePredictor(client, matrix(settings), Breaker(changed=prediction_api()))
        tick = Tick(
            store,
            executor,
            predictor,
            time,
            owner=f"{settings.host}:{settings.scheduler_port}",
            wake=wake,
            lease_s=lease_s,
            attempts=settings.attempts,
            refresh_s=refresh_s,
            preemption=Preemption(
                settings.preemption_factor, settings.preemption_min_run_s / 3600, settings.preemption_budget
            ),
            emphasis=settings.latency_emphasis,
            rules=settings.rules(),
            pace_s=executor.pace_s,
            fit=executor.fit,
            lookout=Lookout(
                every_s=settings.outlook_every_s,
                since_h=hours(time.now()) + _FIRST_LOAD_H * settings.clock_scale,
                beside=sidecar,
            ),
        )
        loop = asyncio.create_task(tick.run())
        telling = asyncio.create_task(
            show_again_and_again(
                lambda: Load.of(tick.board, time.now(), timedelta(seconds=lease_s)),
                load(settings.drain_target_s / 3600, settings.workers),
            )
        )
        try:
            admission = Admission(settings.bounds(), store.backlog, settings.clock_scale)
            yield Desk(store, tick, known, time, admission, Supposing(store, tick, predictor, time), predictor)
        finally:
            telling.cancel()
            await tick.stop(_GRACE_S)
            await loop
            await sidecar.close()
            await known.close()
            store.close()
