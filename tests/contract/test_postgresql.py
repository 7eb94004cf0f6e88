"""What a store on a server has to stand beyond its contract: others at work beside it, and a server that goes away."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from serving.errors import SettingInvalid, StoreUnreachable
from serving.scheduling.work import Completed, Want
from serving.stores import schema
from serving.stores.database import Database
from serving.stores.sql import SqlStore
from tests.databases import migrated_schema, private_server, schema_of_its_own
from tests.queueing import NOON, after, claimed, submitted_ready

CLAIMERS, CAMPAIGNS, TASKS_EACH = 8, 6, 100
HEARD_S = 10.0


@pytest.fixture
def url(postgresql: str) -> Iterator[str]:
    with migrated_schema(postgresql) as url:
        yield url


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    with closing(SqlStore(url)) as store:
        yield store


def test_eight_who_claim_and_report_at_once_do_each_task_once_and_wait_in_no_circle(store: SqlStore, url: str) -> None:
    for name in range(CAMPAIGNS):
        submitted_ready(store, str(name), tasks=TASKS_EACH)

    def work(number: int) -> list[int]:
        keys: list[int] = []
        # Each asks for the campaigns in another order, which is how circles of waiting come about.
        names = [str((number + turn) % CAMPAIGNS) for turn in range(CAMPAIGNS)]
        with closing(SqlStore(url)) as own:
            while leases := own.claim([Want(name, 3) for name in names], f"w{number}", NOON, after(60)):
                own.report([(lease, Completed()) for lease in reversed(leases)], after(1), after(60))
                keys += [lease.key for lease in leases]
        return keys

    with ThreadPoolExecutor(CLAIMERS) as pool:
        done = [key for keys in pool.map(work, range(CLAIMERS)) for key in keys]
    assert max(Counter(done).values()) == 1
    for name in range(CAMPAIGNS):
        progress = store.standing(str(name), NOON).progress
        assert (progress.done, progress.queued, progress.leased) == (TASKS_EACH, 0, 0)
    assert len({row["task_id"] + row["campaign_id"] for row in store.rows("runs")}) == CAMPAIGNS * TASKS_EACH


def test_changes_of_others_are_heard_and_ones_own_are_not(store: SqlStore, url: str) -> None:
    heard = threading.Semaphore(0)
    with closing(SqlStore(url)) as other, store.heard(heard.release):
        assert heard.acquire(timeout=HEARD_S), "it may have missed something before it listened"
        submitted_ready(store, "own")
        submitted_ready(other, "theirs")
        assert heard.acquire(timeout=HEARD_S)
        assert heard.acquire(timeout=HEARD_S), "submitted, and moved"
        assert not heard.acquire(blocking=False)


def test_a_listener_that_lost_its_connection_looks_again(store: SqlStore, url: str) -> None:
    heard = threading.Semaphore(0)
    with store.heard(heard.release):
        assert heard.acquire(timeout=HEARD_S)
        _cut_off(url)
        assert heard.acquire(timeout=HEARD_S)


def test_connections_that_were_cut_are_replaced_unseen(store: SqlStore, url: str) -> None:
    submitted_ready(store)
    _cut_off(url)
    assert claimed(store).fence == 1


def test_what_was_cut_off_half_way_is_said_and_leaves_nothing(store: SqlStore, url: str) -> None:
    submitted_ready(store)

    def claim_and_be_cut_off() -> None:
        with store.at_once():
            claimed(store)
            _cut_off(url)
            store.backlog()

    with pytest.raises(StoreUnreachable, match="does not do what it is asked"):
        claim_and_be_cut_off()
    assert store.standing("sale", NOON).progress.leased == 0
    assert claimed(store).fence == 1


def test_a_server_that_is_gone_is_named_without_its_password_and_used_again_when_it_is_back() -> None:
    with private_server() as server:
        Database(server.url, upgrade=True).close()
        with closing(SqlStore(server.url.replace("test@", "test:hush@"))) as store:
            submitted_ready(store)
            server.stop()
            with pytest.raises(StoreUnreachable, match=r"127.0.0.1.*refused") as error:
                claimed(store)
            assert "hush" not in str(error.value)
            server.start()
            assert claimed(store).fence == 1


def test_tables_are_made_by_upgrade_alone(postgresql: str) -> None:
    with schema_of_its_own(postgresql) as url:
        with pytest.raises(SettingInvalid, match=r"holds none of our tables, .*run 'precedence db upgrade'"):
            SqlStore(url)
        Database(url, upgrade=True).close()
        Database(url, upgrade=True).close()
        SqlStore(url).close()
        with psycopg.connect(url) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '0002'")
        with pytest.raises(SettingInvalid, match=r"holds version 0002 of the tables, .*run 'precedence db upgrade'"):
            SqlStore(url)
        with psycopg.connect(url) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        for how in (False, True):
            with pytest.raises(SettingInvalid, match=r"version 9999 of the tables.*the build that made it, or a newer"):
                Database(url, upgrade=how)


def test_two_who_upgrade_at_once_make_the_tables_once(postgresql: str) -> None:
    with schema_of_its_own(postgresql) as url:
        with ThreadPoolExecutor(4) as pool:
            for upgraded in [pool.submit(Database, url, upgrade=True) for _ in range(4)]:
                upgraded.result().close()
        SqlStore(url).close()


def test_migrations_lead_to_the_tables_that_the_code_speaks_of(url: str) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, schema.metadata) == []
    engine.dispose()


_CUT = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s AND pid != pg_backend_pid()
"""


def _cut_off(url: str) -> None:
    """End every other connection to this schema, as a restart of the server would."""
    with psycopg.connect(url, autocommit=True) as connection:
        own = connection.execute("SELECT current_schema()").fetchone()
        connection.execute(_CUT, own)
