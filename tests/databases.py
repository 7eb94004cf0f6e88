"""PostgreSQL for tests: a schema each, emptied between tests, or a server that may be stopped."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import psycopg
from sqlalchemy import delete

from serving.stores.database import Database
from serving.stores.schema import metadata
from tests.bench.peers.servers import postgresql_binaries, private_directory, unprivileged
from tests.integration.servers import free_port
from tests.required import lacking


@contextmanager
def schema_of_its_own(server: str, *, durable: bool = False) -> Iterator[str]:
    """The URL of an empty schema, gone with the context, whose name its sessions bear.

    Unless `durable`, commits there do not wait for the disk.
    """
    name = f"test_{uuid4().hex}"
    options = f"-csearch_path={name}" + ("" if durable else " -csynchronous_commit=off")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
        try:
            yield f"{server}{'&' if '?' in server else '?'}options={quote(options)}&application_name={name}"
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


class PrivateServer:
    """A PostgreSQL server of a test's own, which it may stop and start again."""

    def __init__(self, directory: Path, binaries: Path) -> None:
        self._data, self._binaries, self._port = directory / "data", binaries, free_port()
        self._log = directory / "postgresql.log"
        self._as = unprivileged("postgres")
        self._run("initdb", "-D", str(self._data), "-U", "test", "-A", "trust", "--no-sync")
        self.url = f"postgresql://test@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Start it, and return once it answers."""
        options = f"-p {self._port} -h 127.0.0.1 -k {self._data}"
        self._run("pg_ctl", "-D", str(self._data), "-l", str(self._log), "-w", "-o", options, "start")

    def stop(self, how: str = "immediate") -> None:
        """End it as a crash would, without a word to anybody."""
        self._run("pg_ctl", "-D", str(self._data), "-m", how, "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, user=self._as, cwd="/")


@contextmanager
def private_server() -> Iterator[PrivateServer]:
    """A running server of the test's own; skipped where none is installed, a failure where `CI` is set."""
    binaries = postgresql_binaries()
    if binaries is None:
        lacking("PostgreSQL is not installed: none can be started")
    with private_directory() as directory:
        server = PrivateServer(directory, binaries)
        server.start()
        try:
            yield server
        finally:
            with suppress(subprocess.CalledProcessError):
                server.stop()
