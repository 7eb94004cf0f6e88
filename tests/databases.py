"""PostgreSQL for tests: the server that runs here, else a private one; a schema each, emptied between tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import delete

from serving.stores.database import Database
from serving.stores.schema import metadata
from tests.bench.peers.servers import postgres


@contextmanager
def postgresql_server() -> Iterator[str]:
    """The URL of a server's database; without one tests are skipped, and fail where `CI` is set."""
    with postgres() as url:
        if url is None:
            message = "no PostgreSQL answers (BENCH_POSTGRES_URL names one), and none is installed to be started"
            (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
        yield url


@contextmanager
def schema_of_its_own(server: str, *, durable: bool = False) -> Iterator[str]:
    """The URL of an empty schema, gone with the context; unless `durable`, commits there do not wait for the disk."""
    name = f"test_{uuid4().hex}"
    options = f"-csearch_path={name}" + ("" if durable else " -csynchronous_commit=off")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
        try:
            yield f"{server}{'&' if '?' in server else '?'}options={quote(options)}"
        finally:
            connection.execute(f"DROP SCHEMA {name} CASCADE")


@contextmanager
def migrated_schema(server: str, **how: bool) -> Iterator[str]:
    """The same with our tables in it."""
    with schema_of_its_own(server, **how) as url:
        Database(url, upgrade=True).close()
        yield url


def emptied(url: str) -> str:
    """The same database with no row in it, its numbers beginning anew."""
    with psycopg.connect(url) as connection:
        for table in reversed(metadata.sorted_tables):
            if table.name == "marks":
                connection.execute("UPDATE marks SET highest = 0")
                continue
            connection.execute(str(delete(table)))
            if table.autoincrement_column is not None:
                own = (table.name, table.autoincrement_column.name)
                connection.execute("SELECT setval(pg_get_serial_sequence(%s, %s), 1, false)", own)
    return url
