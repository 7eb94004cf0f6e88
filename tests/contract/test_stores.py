"""Every store keeps the promises of a store; a database keeps more."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from serving.errors import SettingInvalid
from serving.scheduling.work import Completed, Reached, Want
from serving.stores.memory import MemoryStore
from serving.stores.sql import SqlStore
from tests.contract.store_contract import StoreContract
from tests.databases import emptied, migrated_schema
from tests.queueing import NOON, a_campaign, a_task, after, claimed, reported, submitted_ready


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


class DatabaseContract(StoreContract):
    """What a store in a database promises beyond: others see what it kept. Brings the fixture `url`."""

    @pytest.fixture
    def store(self, url: str) -> Iterator[SqlStore]:
        store = SqlStore(url)
        yield store
        store.close()

    def test_what_was_kept_is_there_after_a_restart(self, store: SqlStore, url: str):
        submitted_ready(store)
        lease = reported(store, claimed(store), Reached({"sent": 4}, 4.0), after(10))
        store.close()
        again = SqlStore(url)
        assert again.standing("sale", NOON).campaign == a_campaign()
        assert again.extend([lease], after(80))[0].checkpoint == {"sent": 4}
        again.close()

    def test_what_is_done_at_once_is_seen_by_others_only_when_all_of_it_is_done(self, store: SqlStore, url: str):
        submitted_ready(store, tasks=2)
        other = SqlStore(url)
        with store.at_once():
            reported(store, claimed(store), Completed())
            assert other.standing("sale", NOON).progress.done == 0
        assert other.standing("sale", NOON).progress.done == 1
        other.close()

    def test_what_is_done_at_once_is_undone_when_it_breaks_off(self, store: SqlStore):
        submitted_ready(store)
        with suppress(ZeroDivisionError), store.at_once():
            claimed(store)
            raise ZeroDivisionError
        assert store.standing("sale", NOON).progress.leased == 0
        assert claimed(store).fence == 1

    def test_many_threads_lease_each_task_once(self, store: SqlStore):
        submitted_ready(store, tasks=40)
        with ThreadPoolExecutor(8) as pool:
            claims = [pool.submit(store.claim, [Want("sale", 1)], f"w{n}", NOON, after(60)) for n in range(60)]
        leased = [lease.task.task_id for claim in claims for lease in claim.result()]
        assert sorted(leased) == sorted(f"t{n}" for n in range(40))
        assert store.standing("sale", NOON).progress.leased == 40

    def test_many_threads_share_out_what_all_of_them_want(self, store: SqlStore):
        for name in ("a", "b"):
            submitted_ready(store, name, tasks=50)
        wanted = [Want("a", 7), Want("b", 5), Want("a", 3)]
        with ThreadPoolExecutor(4) as pool:
            claims = [pool.submit(store.claim, wanted, f"w{n}", NOON, after(60)) for n in range(12)]
        leased = [(lease.task.campaign_id, lease.task.task_id) for claim in claims for lease in claim.result()]
        assert len(leased) == len(set(leased)) == 100

    def test_many_threads_submit_a_campaign_once(self, store: SqlStore):
        with ThreadPoolExecutor(8) as pool:
            submissions = [pool.submit(store.submit, a_campaign(), [a_task()], NOON) for _ in range(8)]
        assert [s.result() for s in submissions].count(True) == 1


class TestSqliteStore(DatabaseContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/queue.db"

    def test_every_commit_is_on_disk_and_readers_do_not_wait(self, store: SqlStore):
        with store._database.reading() as connection:
            asked = ("journal_mode", "synchronous", "foreign_keys")
            found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in asked]
        assert found == ["wal", 2, 1]


@pytest.fixture(scope="module")
def migrated(postgresql: str) -> Iterator[str]:
    """The URL of a schema with our tables."""
    with migrated_schema(postgresql) as url:
        yield url


class TestPostgresqlStore(DatabaseContract):
    @pytest.fixture
    def url(self, migrated: str) -> str:
        return emptied(migrated)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("queue.db", "must be a SQLAlchemy URL"),
        ("sqlite:////nowhere/at/all/queue.db", r"cannot be opened \(unable to open database file\)"),
        ("oracle://me:secret@db/queue", r"me:\*\*\*@db/queue': needs a package that is not installed"),
    ],
)
def test_a_database_that_cannot_be_used_is_named_with_the_reason(url: str, says: str) -> None:
    with pytest.raises(SettingInvalid, match=f"setting store_url is .*{says}"):
        SqlStore(url)
