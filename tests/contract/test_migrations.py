"""A database of any earlier build is brought to this one's tables with all it holds, or left as it was."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import OperationalError

from serving.errors import SettingInvalid
from serving.scheduling.states import Event, State
from serving.scheduling.work import Backlog, Completed, Lease, Move, Reached, Released, Want
from serving.stores import schema
from serving.stores.migrating import scripts
from serving.stores.sql import SqlStore
from tests.queueing import a_campaign, a_task, after, an_estimate, claimed, reported

VERSION_1 = Path(__file__).with_name("version_1.sql")
"""What the first release made: a campaign that is done, one that runs, one that waits for it under a name that is
refused by now, and one cancelled."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database of the first release."""
    file = tmp_path / "queue.db"
    with closing(sqlite3.connect(file)) as database:
        database.executescript(VERSION_1.read_text())
    return file


@pytest.fixture
def store(file: Path):
    """The same, opened by this build."""
    store = SqlStore(f"sqlite:///{file}")
    yield store
    store.close()


def test_campaigns_of_the_first_release_stand_where_they_stood(store: SqlStore) -> None:
    seen = store.live(after(40))
    assert [(s.campaign_id, s.state) for s in seen.standings] == [
        ("running", State.RUNNING),
        ("to follow", State.SUBMITTED),
    ]
    running, waiting = seen.standings
    assert running.campaign == a_campaign("running", urgency=0.9, after=("done",), targets={"vip": 10.0})
    assert (running.boost, running.pinned, running.revision, running.source) == (2.0, True, 1, "matrix")
    assert running.estimate == an_estimate(
        "running", value=None, points=40.0, p50_h=1.0, p90_h=2.0, fallback="no champion"
    )
    assert (running.progress.spent_s, store.standing("done", after(40)).progress.spent_s) == (4.0, 15.0)
    progress = running.progress
    assert (progress.tasks, progress.queued, progress.leased, progress.done, progress.dead) == (6, 2, 1, 1, 1)
    assert (running.begun_at, running.ready_since, running.worked_at) == (after(32), after(30), after(39))
    assert (running.backing_off, running.retry_at) == (1, after(300))
    assert waiting.blocked_by == (("running", State.RUNNING), ("unknown", None))
    assert (waiting.estimate, waiting.begun_at) == (None, None)
    done = store.standing("done", after(40))
    assert (done.estimate.value, done.score, done.launched_at, done.begun_at) == (500.0, 50.0, after(20), after(5))
    assert store.backlog() == Backlog(2, 5)


def test_work_of_the_first_release_goes_on(store: SqlStore) -> None:
    mark = store.live(after(40)).mark
    assert store.recover(after(600), attempts=5) == 1
    leases = store.claim([Want("running", 9)], "here", after(601), after(700))
    assert [(lease.task.task_id, lease.checkpoint, lease.attempts) for lease in leases] == [
        ("b", 2, 1),  # the first release had stored 2.0, and its database made that of it
        ("c", None, 1),
        ("e", None, 0),
    ]
    store.report([(lease, Completed()) for lease in leases], after(602), after(602))
    last = claimed(store, "running", at=after(603))
    assert (last.task.task_id, last.enqueued_at) == ("last", after(602))
    reported(store, last, Completed(), after(604))
    assert store.redrive("running", ["d"], after(605)) == 1
    reported(store, claimed(store, "running", at=after(606)), Completed(), after(607))
    finish = Move(campaign_id="running", before=State.RUNNING, event=Event.FINISH, launched_at=after(607))
    assert store.move([finish], after(608)) == 1
    assert [s.campaign_id for s in store.changed(mark, after(608)).standings] == ["running", "to follow"]
    assert store.standing("to follow", after(608)).blocked_by == (("unknown", None),)


def test_a_worker_of_the_first_release_may_still_report(store: SqlStore) -> None:
    (lease,) = store.extend([_held_by_it()], after(900))
    lease = reported(store, lease, Reached(3, 8.0), after(601))
    assert (lease.chunk, lease.units_done) == (2, 8.0)
    reported(store, lease, Released(preempted=True), after(602))
    assert store.standing("running", after(603)).progress.units_done == 18.0


def test_logs_and_notes_of_the_first_release_are_kept(store: SqlStore) -> None:
    assert [run["outcome"] for run in store.rows("runs")] == [
        *("checkpoint", "done", "done", "checkpoint", "failed", "failed"),
    ]
    assert [len(store.rows(name)) for name in ("decisions", "kpis", "signals")] == [1, 1, 1]
    assert store.remember("clock", "other") == "kept"
    assert not store.hold("scheduler", "b", after(9), after(20))
    assert [(letter.task_id, letter.error) for letter in store.dead_letters()] == [("d", "ValueError: no such list")]


def test_equal_content_is_known_as_the_same_campaign_after_a_migration(store: SqlStore) -> None:
    assert not store.submit(a_campaign("cancelled"), [a_task(campaign_id="cancelled")], after(50))


@pytest.mark.parametrize("old", [False, True])
def test_migrations_lead_to_the_tables_that_the_code_speaks_of(file: Path, tmp_path: Path, old: bool) -> None:
    path = file if old else tmp_path / "new.db"
    store = SqlStore(f"sqlite:///{path}")
    store.close()
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, schema.metadata) == []
        migrated = _indices(connection)
        assert list(connection.exec_driver_sql("PRAGMA foreign_key_check")) == []
    engine.dispose()
    # What an index is restricted to is nothing that Alembic compares.
    plain = create_engine("sqlite://")
    with plain.begin() as connection:
        schema.metadata.create_all(connection)
        assert _indices(connection) == migrated
    plain.dispose()


def test_the_newest_migration_is_the_version_that_the_code_speaks_of() -> None:
    assert scripts().get_current_head() == schema.VERSION


def test_a_migration_that_fails_leaves_everything_as_it_was(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE marks (in_the_way)")
        database.commit()
        before = list(database.iterdump())
    with pytest.raises(OperationalError, match="marks already exists"):
        SqlStore(f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as database:
        assert list(database.iterdump()) == before


@pytest.mark.parametrize(
    ("file_of", "statement", "version"),
    [
        ("this build", "UPDATE alembic_version SET version_num = '9999'", "9999"),
        ("the first release", "UPDATE meta SET value = '0' WHERE key = 'schema'", "0"),
    ],
)
def test_tables_that_this_build_does_not_know_are_refused(
    file: Path, file_of: str, statement: str, version: str
) -> None:
    url = f"sqlite:///{file}"
    if file_of == "this build":
        SqlStore(url).close()
    with closing(sqlite3.connect(file)) as database:
        database.execute(statement)
        database.commit()
    with pytest.raises(SettingInvalid, match=f"version {version} of the tables.*the build that made it, or a newer"):
        SqlStore(url)


def _held_by_it() -> Lease:
    """The lease that a worker of the first release held when it was stopped."""
    return Lease(
        lease_id="4.1",
        key=4,
        fence=1,
        task=a_task("b", "running"),
        checkpoint=2.0,
        units_done=5.0,
        chunk=1,
        attempts=0,
        enqueued_at=after(30),
        chunk_from=after(35),
        until=after(600),
    )


def _indices(connection: Connection) -> dict[str, str]:
    """Every index with the statement that makes it."""
    rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    return {name: " ".join(sql.replace("tasks.", "").split()) for name, sql in rows}
