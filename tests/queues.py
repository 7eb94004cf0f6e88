"""Made-up queues of every shape, with ties and all, for tests of ranking and playing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from features.curves import Curves
from features.rhythm import WEEK_H, Rhythm
from serving.scheduling.columns import Columns

NOW = 490_000.0
"""Hours since the epoch."""


def queue_of(seed: int, size: int, slots: int = 1) -> Columns:
    """A queue of `size` campaigns; most numbers are coarse, so that many are alike."""
    chance = np.random.default_rng(seed)
    work = chance.integers(1, 9, size) / 2.0
    left = work * chance.integers(1, 5, size) / 4
    starts = NOW + chance.integers(-20, 20, size)
    curves = Curves(
        value=chance.integers(0, 5, size) * 10.0,
        starts_h=starts,
        ends_h=starts + chance.integers(1, 60, size),
        due_h=starts + chance.integers(0, 30, size),
        shape=chance.integers(0, 3, size).astype(np.int8),
        late_fraction=chance.integers(0, 3, size) / 2.0,
        half_life_h=chance.integers(1, 40, size) * 1.0,
    )
    released = NOW + chance.integers(-5, 15, size)
    return Columns(
        curves=curves,
        work_h=work,
        remaining_h=left,
        chunk_h=work / chance.integers(1, 7, size),
        slots=chance.integers(1, slots + 1, size).astype(float),
        as_done=chance.random(size) < 0.3,
        points=chance.integers(0, 5, size) * 20.0,
        pinned=chance.random(size) < 0.1,
        boost=chance.choice([0.1, 1.0, 1.0, 1.0, 2.0, 10.0], size),
        released_h=released.astype(float),
        submitted_h=(released - chance.integers(0, 3, size)).astype(float),
    )


def rhythm_of(seed: int) -> Rhythm:
    """A market with still nights and busy days, in no order at all."""
    rates = np.random.default_rng(seed).gamma(0.5, size=WEEK_H) + 0.01
    return Rhythm(rates / rates.mean())


rhythms = st.none() | st.integers(0, 2**32 - 1).map(rhythm_of)
"""Any market's rhythm, often an even one."""


@st.composite
def queues(draw: Any, least: int = 1, most: int = 30, slots: int = 1) -> Columns:
    """Any queue of `least` to `most` campaigns, in a market of any rhythm."""
    queue = queue_of(draw(st.integers(0, 2**32 - 1)), draw(st.integers(least, most)), slots)
    return replace(queue, curves=replace(queue.curves, rhythm=draw(rhythms)))
