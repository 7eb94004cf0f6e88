"""What the code logs about faults is of no interest where faults are the point."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.simulation.playing import quiet


@pytest.fixture(autouse=True)
def quietly() -> Iterator[None]:
    quiet()
    yield
    logging.disable(logging.NOTSET)
