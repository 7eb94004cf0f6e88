"""Submissions that come together are made durable by one commit, each on its own account."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from serving.api.together import Together
from serving.errors import CampaignConflict, CampaignUnknown
from serving.stores.sql import SqlStore
from tests.floor import story
from tests.queueing import NOON, a_campaign, a_task


class Counting(SqlStore):
    """Counts commits; the next one fails if it is told so."""

    def __init__(self) -> None:
        super().__init__("sqlite://")
        self.commits, self._depth, self.full = 0, 0, False

    @contextmanager
    def at_once(self) -> Iterator[None]:
        self._depth += 1
        try:
            with super().at_once():
                yield
                if self._depth == 1 and self.full:
                    raise OSError("no space left on device")
        finally:
            self._depth -= 1
        self.commits += self._depth == 0


@pytest.fixture
def store() -> Iterator[Counting]:
    kept = Counting()
    yield kept
    kept.close()


def submit(store: SqlStore, name: str, **facts: object) -> bool:
    return store.submit(a_campaign(name, **facts), [a_task(campaign_id=name)], NOON)


def test_those_that_come_together_share_a_commit(store: Counting) -> None:
    @story
    async def told() -> None:
        together = Together(store)
        answers = await asyncio.gather(*(together(lambda n=n: submit(store, f"c{n}")) for n in range(8)))
        assert answers == [True] * 8
        assert store.commits == 1
        assert await together(lambda: submit(store, "later"))
        assert store.commits == 2

    told()
    assert store.backlog().campaigns == 9


def test_one_that_is_refused_keeps_none_of_the_others_out(store: Counting) -> None:
    @story
    async def told() -> None:
        together = Together(store)
        submit(store, "there")
        answers = await asyncio.gather(
            together(lambda: submit(store, "first")),
            together(lambda: submit(store, "there", planned_revenue=1.0)),
            together(lambda: submit(store, "second")),
            return_exceptions=True,
        )
        assert [type(answer) for answer in answers] == [bool, CampaignConflict, bool]

    told()
    assert store.backlog().campaigns == 3


def test_one_that_breaks_off_half_way_leaves_no_trace(store: Counting) -> None:
    def half() -> None:
        submit(store, "half")
        raise ZeroDivisionError

    @story
    async def told() -> None:
        together = Together(store)
        answers = await asyncio.gather(together(half), together(lambda: submit(store, "whole")), return_exceptions=True)
        assert isinstance(answers[0], ZeroDivisionError)
        assert answers[1] is True

    told()
    with pytest.raises(CampaignUnknown):
        store.standing("half", NOON)
    assert store.standing("whole", NOON).progress.tasks == 1


def test_nobody_is_told_yes_before_it_is_on_disk(store: Counting) -> None:
    @story
    async def told() -> None:
        store.full = True
        together = Together(store)
        answers = await asyncio.gather(
            *(together(lambda n=n: submit(store, f"c{n}")) for n in range(3)), return_exceptions=True
        )
        assert {type(answer) for answer in answers} == {OSError}

    told()
    assert store.backlog().campaigns == 0
