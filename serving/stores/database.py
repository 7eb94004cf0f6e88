"""A database connection that keeps the promises the store makes: atomic, durable, one writer at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from uuid import uuid4

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select
from sqlalchemy.exc import DBAPIError, OperationalError

from serving.errors import SettingInvalid, StoreUnreachable
from serving.stores import schema
from serving.stores.engines import FREELY, POSTGRESQL, READING, engine_of, shown

MOVED_TO = "moved to"
"""Under which a database notes where its queue went, if it did."""
_ONE_STATE = {READING: True, "isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


class Database:
    """The store's database, if it holds this build's version of the tables.

    Those of SQLite, which belongs to this process's home, are made and migrated when it is opened; a server's are by
    `upgrade` alone, as others may be at work on it.

    Parameters
    ----------
    url : SQLAlchemy URL, such as `sqlite:////var/lib/precedence/queue.db` or `postgresql://user@host/precedence`.
    upgrade : make the tables or bring them up to date, whatever kind of database it is.

    Attributes
    ----------
    name : by which a server tells this process's changes from others'.
    is_shared : whether it is a server's, which other processes may use.

    Raises
    ------
    SettingInvalid
        When the URL is none, its file cannot be opened, or it does not hold this build's version of the tables.
    StoreUnreachable
        When its server does not answer.
    """

    def __init__(self, url: str, *, upgrade: bool = False) -> None:
        self._url = url
        self.name = uuid4().hex
        self._engine = engine_of(url, self.name)
        self._open = threading.local()
        self.is_shared = self._engine.dialect.name == POSTGRESQL
        self._lost: tuple[type[Exception], ...] = (self._engine.dialect.loaded_dbapi.OperationalError,)
        try:
            self._check_reached()
            # Before there is a table there is none to lock.
            with self.told_when_lost(), self._connected(**{FREELY: True}) as connection, connection.begin():
                self._check_version(connection, upgrade=upgrade or not self.is_shared)
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
        with self.told_when_lost(), self._connected() as connection, connection.begin():
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
        options: dict[str, Any] = _ONE_STATE if self.is_shared else {READING: True}
        with self.told_when_lost(), self._connected(**options) as connection:
            yield connection

    def apart(self) -> Any:
        """A connection of the driver's own, in no transaction, to be closed by whoever asked for it."""
        with self.told_when_lost():
            connection = self._engine.raw_connection()
        driver: Any = connection.driver_connection
        connection.detach()
        driver.autocommit = True
        return driver

    def close(self) -> None:
        """Give back all connections."""
        self._engine.dispose()

    def _connected(self, **options: Any) -> Connection:
        return self._engine.connect().execution_options(**options)

    @contextmanager
    def told_when_lost(self) -> Iterator[None]:
        """Say in our own words that a server is gone, or ended what was under way; SQLite has none."""
        try:
            yield
        except DBAPIError as error:
            if not self.is_shared or not isinstance(error.orig, self._lost):
                raise
            raise StoreUnreachable(shown(self._url), str(error.orig)) from error
        except self._lost as error:
            if not self.is_shared:
                raise
            raise StoreUnreachable(shown(self._url), str(error)) from error

    def _check_reached(self) -> None:
        try:
            with self.told_when_lost():
                self._engine.connect().close()
        except OperationalError as error:
            raise SettingInvalid("store_url", shown(self._url), f"cannot be opened ({error.orig})") from error

    def _check_version(self, connection: Connection, *, upgrade: bool) -> None:
        versions = Table("alembic_version", MetaData(), Column("version_num", String))
        found = connection.scalar(select(versions)) if inspect(connection).has_table(versions.name) else None
        if found == schema.VERSION:
            moved_to = connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == MOVED_TO))
            if moved_to is not None:
                allowed = f"its queue was moved to {moved_to}: set PRECEDENCE_STORE_URL to that"
                raise SettingInvalid("store_url", shown(self._url), allowed)
            return
        from serving.stores.migrating import migrate, unknown  # noqa: PLC0415 - Alembic takes its time, seldom needed

        stranger = unknown(connection)
        if stranger is not None:
            allowed = f"holds version {stranger} of the tables, this build knows those up to {schema.VERSION}"
            raise SettingInvalid("store_url", shown(self._url), f"{allowed}: start the build that made it, or a newer")
        if not upgrade:
            holds = "holds none of our tables" if found is None else f"holds version {found} of the tables"
            allowed = f"{holds}, this build needs {schema.VERSION}: run 'precedence db upgrade'"
            raise SettingInvalid("store_url", shown(self._url), allowed)
        migrate(connection)


class OnDatabase:
    """A part of the store; all parts share one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
