"""The one place where settings become objects: models, stores, executors and clients are put together here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from socket import gethostname

from features.curves import hours
from features.matrix import Matrix, MatrixInvalid
from serving import crew
from serving.addresses import is_loopback
from serving.api.admission import Admission
from serving.api.desk import Desk
from serving.api.supposing import Supposing
from serving.auth.gate import Gate
from serving.auth.keyring import Keyring
from serving.breaker import Breaker
from serving.client.ours import priority_client
from serving.errors import SettingInvalid
from serving.meters import load, prediction_api, show_again_and_again
from serving.model import Bundle
from serving.packing import BESIDE
from serving.predictor import RemotePredictor
from serving.scheduling.ahead.lookout import Lookout
from serving.scheduling.load import Load
from serving.scheduling.preemption import Preemption
from serving.scheduling.tick import Tick
from serving.settings import ANYBODY_IN_WORDS, Carrier, Settings
from serving.sidecar import Sidecar
from serving.spelling import PREFIX
from serving.stores.sql import SqlStore
from serving.succession import Line, Reign, meters
from serving.terms import check_terms, terms_of

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


def name(settings: Settings) -> str:
    """What a scheduler is called among others of the same store."""
    return f"{gethostname()} {settings.host}:{settings.scheduler_port}"


def queue(settings: Settings) -> SqlStore:
    """The store of a scheduler that may lead, or stand by for the one that does.

    Raises
    ------
    SettingInvalid, StoreUnreachable
        When it cannot be opened or used as it is, or is scheduled on other terms.
    """
    store = SqlStore(settings.store_url)
    try:
        check_terms(store, settings, name(settings), crew.clock(settings, store).now())
    except BaseException:
        store.close()
        raise
    return store


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


def check(settings: Settings, *, schedules: bool = True) -> None:
    """Refuse settings whose ports, files, modules or database cannot be used, before a process is started on them.

    Parameters
    ----------
    schedules : whether a scheduler is to be started, which alone needs the database.

    Raises
    ------
    SettingInvalid, StoreUnreachable
    """
    if settings.priority_port == settings.scheduler_port:
        raise SettingInvalid("scheduler_port", settings.scheduler_port, "must be another port than priority_port")
    check_reach(settings)
    make_home(settings)
    matrix(settings)
    crew.handlers(settings)
    if settings.executor is Carrier.CELERY:
        crew.broker(settings).check()
    if schedules:
        queue(settings).close()


def check_worker(settings: Settings) -> None:
    """Refuse settings on which a worker could not work, before anything is started on them.

    Raises
    ------
    SettingInvalid
    """
    if settings.executor is not Carrier.CELERY:
        allowed = "must be celery for workers in processes of their own: the scheduler runs tasks itself otherwise"
        raise SettingInvalid("executor", settings.executor.value, allowed)
    make_home(settings)
    crew.handlers(settings)
    crew.broker(settings).check()


@asynccontextmanager
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """A running scheduler on this event loop, and the desk in front of it; both end with the context."""
    make_home(settings)
    known = crew.handlers(settings)
    store = queue(settings)
    time = crew.clock(settings, store)
    wake, owner = asyncio.Event(), name(settings)

    def score(campaign_id: str) -> float | None:
        return tick.board.score(campaign_id)

    executor = (
        crew.local(settings, store, known, time, wake.set)
        if settings.executor is Carrier.LOCAL
        else crew.celery(settings, store, time, owner, score, wake.set)
    )
    sidecar = Sidecar()
    async with priority_client(settings) as client:
        predictor = RemotePredictor(client, matrix(settings), Breaker(changed=prediction_api()))
        tick = Tick(
            store,
            executor,
            predictor,
            time,
            owner=owner,
            wake=wake,
            lease_s=crew.lease_s(settings),
            lead_s=settings.lead_s * settings.clock_scale,
            terms=terms_of(settings),
            attempts=settings.attempts,
            refresh_s=settings.refresh_s * settings.clock_scale,
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
                lambda: Load.of(tick.board, time.now(), timedelta(seconds=crew.lease_s(settings))),
                load(settings.drain_target_s / 3600, settings.workers),
            )
        )
        here = asyncio.get_running_loop()

        def heard() -> None:
            if tick.leads:  # a stand-by looks by itself, every now and then
                here.call_soon_threadsafe(wake.set)

        try:
            admission = Admission(settings.bounds(), store.backlog, settings.clock_scale)
            with store.heard(heard):
                yield Desk(store, tick, known, time, admission, Supposing(store, tick, predictor, time), predictor)
        finally:
            telling.cancel()
            await tick.stop(_GRACE_S)
            await loop
            await sidecar.close()
            await known.close()
            store.close()
