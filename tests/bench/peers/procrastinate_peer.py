"""procrastinate on PostgreSQL: each campaign's tasks deferred in one batch, asynchronous workers, jobs kept when done.

`python -m tests.bench.peers.procrastinate_peer URL SCHEMA CONCURRENCY FILE` is one worker process.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector
from procrastinate.connector import BaseConnector
from procrastinate.tasks import Task
from psycopg import sql

from tests.bench.peers.load import Load, Ran, alive, processes, until

QUEUE = "bench"


def task_of(app: App, ran: int) -> Task:
    """The task that does nothing but be counted: each adds a byte to an open file, in whatever process it ran."""

    @app.task(name="nothing", queue=QUEUE)
    async def nothing(campaign: str, number: int) -> None:
        os.write(ran, b".")

    return nothing


def app_of(connector: BaseConnector) -> App:
    """An app on a connector."""
    return App(connector=connector)


def within(schema: str) -> dict[str, str]:
    """Connection parameters that make a schema the place of all tables."""
    return {"options": f"-c search_path={schema}"}


@contextmanager
def schema_of_its_own(url: str) -> Iterator[str]:
    """A schema with procrastinate's tables in it, gone with the context."""
    schema = f"precedence_bench_{uuid4().hex[:12]}"
    named = sql.Identifier(schema)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(named))
        try:
            with app_of(SyncPsycopgConnector(conninfo=url, kwargs=within(schema))).open() as app:
                app.schema_manager.apply_schema()
            yield schema
        finally:
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(named))


async def worker(url: str, schema: str, concurrency: int, counted: Path) -> None:
    """Work until killed."""
    connections = {"min_size": 1, "max_size": concurrency + 2}
    app = app_of(PsycopgConnector(conninfo=url, kwargs=within(schema), **connections))
    task_of(app, os.open(counted, os.O_WRONLY | os.O_CREAT | os.O_APPEND))
    async with app.open_async():
        await app.run_worker_async(queues=[QUEUE], concurrency=concurrency, fetch_job_polling_interval=0.1)


def measured(url: str, load: Load, directory: Path, *, workers: int, concurrency: int) -> Ran:
    """Submit a load batch by batch while worker processes run it, until the last job is done in the database."""
    log, counted = directory / "procrastinate.log", directory / "procrastinate.ran"
    counted.touch()
    with schema_of_its_own(url) as schema, psycopg.connect(url, autocommit=True, **within(schema)) as asking:
        command = ["tests.bench.peers.procrastinate_peer", url, schema, str(concurrency), str(counted)]
        with (
            processes(command, workers, log) as running,
            app_of(SyncPsycopgConnector(conninfo=url, kwargs=within(schema))).open() as app,
        ):
            task = task_of(app, -1)
            until(lambda: alive(running, log) and started(asking) == workers, "procrastinate's workers are ready")
            began = time.perf_counter()
            for campaign in range(load.campaigns):
                task.batch_defer(*({"campaign": f"c{campaign}", "number": n} for n in range(load.tasks_each)))
            submitted_s = time.perf_counter() - began
            until(lambda: alive(running, log) and counted.stat().st_size >= load.tasks, "procrastinate ran all", 0.01)
            until(lambda: alive(running, log) and undone(asking) == 0, "procrastinate recorded all", 0.01)
            finished_s = time.perf_counter() - began
    return Ran(f"procrastinate, {workers} workers x {concurrency}", load, submitted_s, finished_s)


def started(connection: psycopg.Connection) -> int:
    """Workers that announced themselves."""
    return one(connection, "SELECT count(*) FROM procrastinate_workers")


def undone(connection: psycopg.Connection) -> int:
    """Jobs that are waiting or under way."""
    return one(connection, "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')")


def one(connection: psycopg.Connection, query: str) -> int:
    """The one number that a query answers."""
    row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0


if __name__ == "__main__":
    asyncio.run(worker(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])))
