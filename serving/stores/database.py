"""A database connection that keeps the promises the store makes: atomic, durable, one writer at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from sqlalchemy import Column, Connection, MetaData, String, Table, create_engine, event, inspect, select
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from serving.errors import SettingInvalid
from serving.stores import schema

_BUSY_MS = 30_000
_READING = "reading"


class Database:
    """The store's database; its tables are made when they are not there, and migrated when they are of an older build.

    Parameters
    ----------
    url : SQLAlchemy URL, such as `sqlite:////var/lib/precedence/queue.db`.

    Raises
    ------
    SettingInvalid
        When the URL is none, its database cannot be opened, or holds a version of the tables unknown to this build.
    """

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        self._open = threading.local()
        if make_url(url).get_backend_name() == "sqlite":
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        try:
            self._engine.connect().close()
        except OperationalError as error:
            shown = self._engine.url.render_as_string(hide_password=True)
            raise SettingInvalid("store_url", shown, f"cannot be opened ({error.orig})") from error
        try:
            with self.writing() as connection:
                self._bring_up_to_date(connection)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def writing(self, *, apart: bool = False) -> Iterator[Connection]:
        """A transaction that may change things: committed at the end, undone by an exception.

        Within another one of this thread it is part of that; if set `apart`, an exception undoes it alone.
        """
        within: Connection | None = getattr(self._open, "connection", None)
        if within is not None:
            with within.begin_nested() if apart else nullcontext():
                yield within
            return
        with self._engine.begin() as connection:
            self._open.connection = connection
            try:
                yield connection
            finally:
                self._open.connection = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of everything and holds up no writer; part of a writing one around it."""
        within: Connection | None = getattr(self._open, "connection", None)
        if within is not None:
            yield within
            return
        with self._engine.connect().execution_options(**{_READING: True}) as connection:
            yield connection

    def close(self) -> None:
        """Give back all connections."""
        self._engine.dispose()

    def _bring_up_to_date(self, connection: Connection) -> None:
        versions = Table("alembic_version", MetaData(), Column("version_num", String))
        if inspect(connection).has_table(versions.name) and connection.scalar(select(versions)) == schema.VERSION:
            return
        from serving.stores.migrating import migrate  # noqa: PLC0415 - Alembic takes its time, and is seldom needed

        unknown = migrate(connection)
        if unknown is not None:
            shown = self._engine.url.render_as_string(hide_password=True)
            allowed = f"holds version {unknown} of the tables, this build knows those up to {schema.VERSION}"
            raise SettingInvalid("store_url", shown, f"{allowed}: start the build that made it, or a newer one")


class OnDatabase:
    """A part of the store; all parts share one database."""

    def __init__(self, database: Database) -> None:
        self._database = database


def _engine(url: str) -> Engine:
    try:
        return create_engine(url)
    except ArgumentError as error:
        allowed = "must be a SQLAlchemy URL, such as sqlite:////var/lib/precedence/queue.db"
        raise SettingInvalid("store_url", url, allowed) from error
    except ModuleNotFoundError as error:
        shown = make_url(url).render_as_string(hide_password=True)
        raise SettingInvalid("store_url", shown, f"needs a package that is not installed: {error.name}") from error


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver would begin transactions by itself, and late: see `_begin_sqlite`.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={_BUSY_MS}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock first: upgrading a read lock half-way fails at once when another writer came between.
    reading = connection.get_execution_options().get(_READING, False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
