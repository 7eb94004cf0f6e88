"""Whatever contends: no rule is broken, nobody is passed over who could have had the slot, and no slot is left idle."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from serving.scheduling.books import Books, Credit
from serving.scheduling.lineup import Lineup, Via
from serving.scheduling.rules import Cap, Limit, Reserve, Rules, Shares
from tests.lineups import allotment_of, lineup_of
from tests.queues import NOW

SLOTS = 6
RULES = Rules(
    Reserve(share=0.2, max_wait_h=10),
    Shares(total=0.6, of={"a": 0.4}),
    {"x": Limit(concurrency=2), "y": Limit(rate_per_s=1, burst=30)},
    Cap(count=1, window_h=5),
)
rows = st.fixed_dictionaries(
    {
        "worth": st.integers(0, 6),
        "open": st.integers(0, 3),
        "running": st.sampled_from([0, 0, 0, 1]),
        "waited_h": st.integers(0, 20),
        "chunk_units": st.sampled_from([5, 20, 50]),
        "pinned": st.sampled_from([False] * 5 + [True]),
        "account": st.sampled_from("abc"),
        "limits": st.sampled_from([(), (), ("x",), ("y",), ("x", "y")]),
        "exclusive": st.sampled_from([(), (), ("k",), ("k", "l")]),
        "targets": st.sampled_from([(), ("t",), ("t", "u")]),
    }
)


@st.composite
def lineups(draw: Any) -> Lineup:
    """Any lineup in which what runs breaks no rule yet."""
    given_rows = draw(st.lists(rows, min_size=1, max_size=8))
    taken: set[str] = set()
    for row in given_rows:
        if row["running"] and (taken & set(row["exclusive"]) or row["limits"]):
            row["running"] = 0
        taken |= set(row["exclusive"]) if row["running"] else set()
    return lineup_of(given_rows)


@given(lineups(), st.integers(0, SLOTS), st.floats(-1, 1), st.floats(0, 30))
def test_grants_break_no_rule_and_pass_nobody_over(lineup: Lineup, free: int, credit: float, spent: float) -> None:
    books = Books(RULES, NOW, {"y": spent}, {a: Credit(credit) for a in "abc"}, Credit(credit))
    allotment = allotment_of(lineup, RULES, SLOTS, books)
    grants = allotment.fill(free)
    tasks = Counter[int]()
    for grant in grants:
        tasks[grant.row] += grant.tasks

    assert sum(tasks.values()) <= free
    assert all(tasks[row] <= lineup.open[row] for row in tasks)
    under_x = sum(count for row, count in tasks.items() if "x" in lineup.terms[row].limits)
    assert under_x <= 2
    begun = set(tasks) | set(lineup.busy.tolist())
    for key in ("k", "l"):
        assert sum(key in lineup.terms[row].exclusive for row in begun) <= 1
    for target in ("t", "u"):
        assert sum(target in lineup.terms[row].targets for row in tasks if not lineup.begun[row]) <= 1
    units = sorted(
        (
            float(lineup.chunk_units[row])
            for row, n in tasks.items()
            for _ in range(n)
            if "y" in lineup.terms[row].limits
        )
    )
    assert sum(units[:-1]) <= 30 - spent  # the last may be larger than the bucket
    if sum(tasks.values()) < free:
        for row in range(len(lineup.terms)):
            assert not allotment.left[row] or allotment.hindrance(row) is not None

    order = {Via.PIN: 0, Via.RESERVE: 1, Via.SHARE: 2, Via.RANK: 3}
    assert [order[g.via] for g in grants] == sorted(order[g.via] for g in grants)
    by_rank = [g.row for g in grants if g.via is Via.RANK]
    for before, after in pairwise(by_rank):
        assert allotment.pressing[before] >= allotment.pressing[after]
    least = min((allotment.pressing[row] for row in by_rank), default=None)
    if least is not None:
        for row in range(len(lineup.terms)):
            if allotment.left[row] and allotment.pressing[row] > least:
                assert allotment.hindrance(row) is not None
