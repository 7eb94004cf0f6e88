"""Lineups for tests of who gets a slot: a line a campaign, worth and bonds as keywords."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from features.curves import Curves
from serving.scheduling.allot import Allotment
from serving.scheduling.books import Books
from serving.scheduling.columns import Columns
from serving.scheduling.lineup import Lineup, Via
from serving.scheduling.policies import value
from serving.scheduling.rules import NO_RULES, Rules, Terms
from tests.queues import NOW


def row(worth: float = 1.0, **facts: Any) -> dict[str, Any]:
    """A campaign worth so many dollars, with one task waiting, unless said otherwise."""
    return {"worth": worth, **facts}


def lineup_of(rows: Sequence[dict[str, Any]], follows: Sequence[tuple[int, int]] = ()) -> Lineup:
    """The lineup of such rows, which may name any column of a lineup, `waited_h`, and any of the terms."""

    def column(name: str, otherwise: float) -> Any:
        return np.array([r.get(name, otherwise) for r in rows], dtype=float)

    n = len(rows)
    accounts = sorted({r.get("account", "acme") for r in rows})
    running = column("running", 0).astype(np.int64)
    columns = Columns(
        curves=Curves(
            value=column("worth", 1),
            starts_h=np.full(n, NOW),
            ends_h=np.full(n, NOW + 100.0),
            due_h=np.full(n, np.inf),
            shape=np.zeros(n, dtype=np.int8),
            late_fraction=np.zeros(n),
            half_life_h=np.ones(n),
        ),
        work_h=np.ones(n),
        remaining_h=np.ones(n),
        chunk_h=np.ones(n),
        slots=column("slots", 1),
        as_done=np.zeros(n, dtype=bool),
        points=np.zeros(n),
        pinned=column("pinned", 0) > 0,
        boost=column("boost", 1),
        released_h=np.full(n, NOW),
        submitted_h=NOW - column("waited_h", 0),
    )
    return Lineup(
        columns=columns,
        terms=[
            Terms(
                r.get("account", "acme"),
                limits=tuple(r.get("limits", ())),
                exclusive=tuple(r.get("exclusive", ())),
                targets=tuple(r.get("targets", ())),
            )
            for r in rows
        ],
        account=np.array([accounts.index(r.get("account", "acme")) for r in rows]),
        names=accounts,
        open=column("open", 1).astype(np.int64),
        running=running,
        weight=column("weight", 1),
        via=column("via", Via.RANK).astype(np.int64),
        lent=np.array([r.get("lent", r.get("running", 0) if "via" in r else 0) for r in rows], dtype=np.int64),
        begun=np.array([bool(r.get("begun", r.get("running", 0))) for r in rows]),
        since_h=NOW - column("waited_h", 0),
        chunk_units=column("chunk_units", 1),
        follows=follows,
        worked_h=NOW + column("worked_h", -np.inf),
    )


def allotment_of(lineup: Lineup, rules: Rules = NO_RULES, slots: float = 4, books: Books | None = None) -> Allotment:
    """Who gets what, by value alone."""
    return Allotment(lineup, books or Books(rules, NOW), NOW, value, slots)


def granted(allotment: Allotment, free: float) -> list[tuple[int, int]]:
    """Rows and tasks of the grants, in order."""
    return [(grant.row, grant.tasks) for grant in allotment.fill(free)]
