"""A database connection that keeps the promises the store makes: atomic, durable, one writer at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, create_engine, event, insert, select
from sqlalchemy.engine import make_url

from serving.stores import schema

_BUSY_MS = 30_000
_READING = "reading"


class Database:
    """The store's database; its tables are made when they are not there.

    Parameters
    ----------
    url : SQLAlchemy URL, such as `sqlite:////var/lib/precedence/queue.db`.

    Raises
    ------
    SettingInvalid
        When the database holds another version of the tables.
    """

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url)
        if make_url(url).get_backend_name() == "sqlite":
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        with self.writing() as connection:
            schema.metadata.create_all(connection)
            if connection.scalar(select(schema.marks.c.highest)) is None:
                connection.execute(insert(schema.marks).values(highest=0))

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may change things: committed at the end, undone by an exception."""
        with self._engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of everything and holds up no writer."""
        with self._engine.connect().execution_options(**{_READING: True}) as connection:
            yield connection

    def close(self) -> None:
        """Give back all connections."""
        self._engine.dispose()


class OnDatabase:
    """A part of the store; all parts share one database."""

    def __init__(self, database: Database) -> None:
        self._database = database


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver would begin transactions by itself, and late: see `_begin_sqlite`.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={_BUSY_MS}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock first: upgrading a read lock half-way fails at once when another writer came between.
    reading = connection.get_execution_options().get(_READING, False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
