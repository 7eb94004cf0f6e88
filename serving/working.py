"""Runs a worker in this process until it is told to end."""

from __future__ import annotations

import asyncio
import logging
import signal

from serving import crew, wiring
from serving.errors import ServiceEnded
from serving.logs import log_to_stderr
from serving.settings import Settings

_GRACE_S = 5.0
"""How long a stopping worker waits for running tasks to reach a checkpoint; a chunk cut off is run again."""


def work(settings: Settings, name: str | None) -> None:
    """Work until SIGTERM or SIGINT; killing this process leaves nothing behind that its leases would not free.

    Raises
    ------
    SettingInvalid
        When the settings are no worker's, or the broker does not answer.
    ServiceEnded
        When Celery's worker ended by itself.
    """
    wiring.check_worker(settings)
    log_to_stderr()
    for each_message in ("celery.app.trace", "celery.worker.strategy"):
        logging.getLogger(each_message).setLevel(logging.WARNING)
    asyncio.run(_work(settings, name))


async def _work(settings: Settings, name: str | None) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    from serving.executors.celery.consumer import either  # noqa: PLC0415 - it needs an extra

    async with crew.hand(settings, name, _GRACE_S) as ended:
        await either(stopped, ended)
    if not stopped.is_set():
        raise ServiceEnded("worker", 1)
