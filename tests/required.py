"""Real servers for tests: those that run here or private ones; with none, a loud skip, and with CI=true a failure."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NoReturn

import pytest


def lacking(said: str) -> NoReturn:
    """Skip what cannot be tested here; where `CI` is set it must be."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(said)


@contextmanager
def required(server: Callable[[], AbstractContextManager[str | None]]) -> Iterator[str]:
    """The address of a server of `tests.bench.peers.servers`."""
    with server() as url:
        if url is None:
            lacking(f"there is no {server.__name__} here, and no binary to start one from")
        yield url
