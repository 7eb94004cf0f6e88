"""A queue is moved from SQLite to PostgreSQL whole, or stays where it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from features.records import Kpi, Metric
from serving.errors import BadInput, SettingInvalid, StoreUnreachable
from serving.scheduling.work import Completed, Decision, Failed, Lease, Reached
from serving.stores.database import Database
from serving.stores.moving import move
from serving.stores.sql import SqlStore
from tests.databases import schema_of_its_own
from tests.queueing import NOON, a_campaign, a_task, after, claimed, reported, submitted_ready

LOGS = ("decisions", "kpis", "runs", "signals")


@pytest.fixture
def target(postgresql: str) -> Iterator[str]:
    with schema_of_its_own(postgresql) as url:
        yield url


@pytest.fixture
def held() -> list[Lease]:
    """The leases that are held when the queue is moved."""
    return []


@pytest.fixture
def source(tmp_path: Path, held: list[Lease]) -> str:
    """The URL of a queue in which everything there is has happened."""
    url = f"sqlite:///{tmp_path}/queue.db"
    with closing(SqlStore(url)) as store:
        submitted_ready(store, tasks=6)
        store.submit(
            a_campaign("next", after=("sale",)), [a_task("a", "next"), a_task("b", "next", after=("a",))], NOON
        )
        store.revise("next", {"kind": 'a "kind" of \\ {its}, NULL'}, pinned=True)
        reported(store, claimed(store), Completed(), after(5))
        reported(store, claimed(store), Failed('it said: "no" \\ \t', None), after(6))
        reported(store, claimed(store), Failed("flaky", after(600)), after(7))
        checkpoint = Reached({"sent": [1, None, "x"]}, 3.0)
        held.append(reported(store, claimed(store, for_s=3600), checkpoint, after(8), for_s=3600))
        store.decided([Decision(campaign_id="sale", at=NOON, chosen="start", reason="first", index=1.5, rank=1)])
        store.observed([Kpi(campaign_id="sale", at=NOON, known_at=after(1), metric=Metric.OPENS, value=0.1)])
        store.remember("clock", "kept")
    return url


def test_everything_is_there_afterwards_and_goes_on(source: str, target: str, held: list[Lease]) -> None:
    with closing(SqlStore(source)) as old:
        before = (old.live(after(10)).standings, {name: old.rows(name) for name in LOGS}, old.dead_letters())
        mark = old.live(after(10)).mark
    moved = move(source, target, after(10))
    assert (moved["campaigns"], moved["tasks"], moved["task_order"], moved["runs"]) == (2, 8, 1, 4)
    with closing(SqlStore(target)) as new:
        assert (new.live(after(10)).standings, {name: new.rows(name) for name in LOGS}, new.dead_letters()) == before
        assert new.remember("clock", "another") == "kept"
        assert new.live(after(10)).mark == mark
        (lease,) = new.extend(held, after(9000))
        assert lease.checkpoint == {"sent": [1, None, "x"]}
        assert reported(new, lease, Completed(), after(20)).units_done == 10.0
        assert claimed(new, at=after(20)).task.task_id == "t4"
        submitted_ready(new, "later", at=after(30))
        assert [s.campaign_id for s in new.live(after(30)).standings] == ["sale", "next", "later"]


def test_the_old_database_says_where_its_queue_went(source: str, target: str) -> None:
    move(source, target, after(10))
    with pytest.raises(SettingInvalid, match=r"queue was moved to postgresql://.*: set PRECEDENCE_STORE_URL to that"):
        SqlStore(source)


def test_a_target_that_holds_anything_is_refused_and_nothing_is_moved(source: str, target: str) -> None:
    Database(target, upgrade=True).close()
    with closing(SqlStore(target)) as new:
        new.remember("clock", "its own")
        new.submit(a_campaign("theirs"), [a_task(campaign_id="theirs")], NOON)
    with pytest.raises(BadInput, match=r"to is .*must be an empty database: its table campaigns holds 1"):
        move(source, target, after(10))
    with closing(SqlStore(target)) as new, closing(SqlStore(source)) as old:
        assert [s.campaign_id for s in new.live(NOON).standings] == ["theirs"]
        assert len(old.live(NOON).standings) == 2


def test_a_queue_that_is_being_scheduled_is_not_moved(source: str, target: str) -> None:
    with closing(SqlStore(source)) as old:
        old.hold("scheduler", "here", NOON, after(60))
    with pytest.raises(SettingInvalid, match=r"led by the scheduler 'here': end it first"):
        move(source, target, after(10))
    assert move(source, target, after(60))["campaigns"] == 2, "its lead has lapsed"


def test_what_is_no_server_is_no_target(source: str, tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/other.db", "other.db"):
        with pytest.raises(BadInput, match=r"to is .*must be a PostgreSQL URL"):
            move(source, url, after(10))
    with pytest.raises(StoreUnreachable, match=r"postgresql://127.0.0.1:1/none"):
        move(source, "postgresql://127.0.0.1:1/none", after(10))
    SqlStore(source).close()
