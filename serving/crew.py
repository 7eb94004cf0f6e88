"""Puts together who carries out tasks: this process, or workers elsewhere with a broker in between."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import TYPE_CHECKING
from uuid import uuid4

from serving.clock import Clock, ScaledClock, SystemClock
from serving.errors import SettingInvalid
from serving.executors.local import LocalExecutor
from serving.executors.retry import Retry
from serving.handlers.allowed import Allowed
from serving.handlers.python import Handlers
from serving.handlers.simulated import simulate
from serving.scheduling.ports import Store
from serving.settings import Carrier, Settings
from serving.stores.sql import SqlStore

if TYPE_CHECKING:  # they need an extra
    from serving.executors.celery.broker import Broker
    from serving.executors.celery.executor import CeleryExecutor

log = logging.getLogger(__name__)


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


def lease_s(settings: Settings) -> float:
    """Seconds of the clock that a lease is held without a sign of life.

    It guards against processes that die, which they do in real time, whatever the clock's pace.
    """
    return settings.lease_s * settings.clock_scale


def local(
    settings: Settings, store: Store, known: Handlers, clock: Clock, changed: Callable[[], None]
) -> LocalExecutor:
    """Runs tasks in this process."""
    return LocalExecutor(
        store,
        known,
        clock,
        slots=settings.workers,
        least=settings.workers_least,
        lease_s=lease_s(settings),
        retry=Retry(attempts=settings.attempts),
        chance=Random(),  # noqa: S311 - spreads retries
        changed=changed,
    )


def broker(settings: Settings) -> Broker:
    """The broker of the settings.

    Raises
    ------
    SettingInvalid
        When its URL is none, or Celery is not installed.
    """
    try:
        from serving.executors.celery.broker import Broker  # noqa: PLC0415 - it needs an extra
    except ModuleNotFoundError as error:
        allowed = f"needs a package that is not installed: {error.name} (the extra 'celery' brings it)"
        raise SettingInvalid("executor", Carrier.CELERY.value, allowed) from error
    return Broker(settings.broker_url)


def celery(
    settings: Settings,
    store: Store,
    clock: Clock,
    owner: str,
    score: Callable[[str], float | None],
    changed: Callable[[], None],
) -> CeleryExecutor:
    """Has tasks run by workers elsewhere."""
    carrier = broker(settings)
    from serving.executors.celery.executor import CeleryExecutor  # noqa: PLC0415 - as above

    return CeleryExecutor(store, carrier, clock, owner=owner, lease_s=lease_s(settings), score=score, changed=changed)


@asynccontextmanager
async def hand(settings: Settings, name: str | None, grace_s: float) -> AsyncIterator[asyncio.Event]:
    """A worker on this event loop; what it has is settled when the context ends, or the event is set before.

    Parameters
    ----------
    name : one that no other worker bears; made up for None.
    """
    from serving.executors.celery.consumer import hearing  # noqa: PLC0415 - as above
    from serving.executors.celery.worker import Hand  # noqa: PLC0415 - as above

    carrier, known = broker(settings), handlers(settings)
    store = SqlStore(settings.store_url)
    time = clock(settings, store)
    executor = local(settings, store, known, time, lambda: None)
    worker = Hand(
        store, executor, time, name=name or f"{socket.gethostname()}-{uuid4().hex[:8]}", lease_s=lease_s(settings)
    )
    try:
        async with hearing(carrier, worker) as ended:
            telling = asyncio.create_task(worker.announce())
            log.info("working", extra={"worker": worker.name, "slots": executor.slots})
            yield ended
            await worker.leave(grace_s)
            telling.cancel()
        with suppress(Exception):  # it expires by itself, where brokers know how
            await asyncio.to_thread(carrier.forget, worker.name)
    finally:
        await known.close()
        carrier.close()
        store.close()
