"""Log lines of our processes: an event, then its fields."""

from __future__ import annotations

import logging
from contextvars import ContextVar

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that is being answered; empty outside of any."""

_USUAL = frozenset(vars(logging.makeLogRecord({})))
_NOT_TOLD = frozenset({"message", "asctime", "color_message"})


class EventFormatter(logging.Formatter):
    """`2026-11-24 04:10:32,575 INFO serving.scheduling.tick leading owner=127.0.0.1:3001 recovered=0`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line, with the fields given as `extra`."""
        fields = {name: value for name, value in vars(record).items() if name not in _USUAL}
        if request_id := REQUEST_ID.get():
            fields.setdefault("request_id", request_id)
        told = "".join(f" {name}={value}" for name, value in fields.items() if name not in _NOT_TOLD)
        return super().formatMessage(record) + told


def log_to_stderr() -> None:
    """Write events from INFO on to standard error, but not every call that clients of ours make."""
    handler = logging.StreamHandler()
    handler.setFormatter(EventFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
