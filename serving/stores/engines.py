"""How each kind of database is spoken to, so that a transaction means the same in all of them.

A writer goes alone from its first statement on: in SQLite by the lock on its file, in PostgreSQL by the lock on the
only row of `marks`, which the mark of every change comes from. Writers can therefore not wait for each other in a
circle, and what they read stays true until they commit. Readers wait for nobody.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from serving.errors import SettingInvalid

READING, FREELY = "reading", "freely"
"""Execution options of a connection: its transaction only reads; it writes, but has a server's others beside it."""

SQLITE, POSTGRESQL = "sqlite", "postgresql"
_BUSY_MS = 30_000
_CONNECTING: dict[str, str | int] = {
    "application_name": "precedence",
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""A peer that is cut off is given up within ten seconds, unless the URL says otherwise."""
_SESSION = ("SET idle_in_transaction_session_timeout = '15s'", "SET jit = off")
"""Whoever stands still in the middle of a transaction holds up all other writers: the server ends it then. Our
statements take less time than compiling them would."""
CHANNEL = "precedence"
"""Where a server tells of every transaction that gave a mark, with the name of the process that made it."""
SENDER = "precedence.sender"
"""The setting of a session that keeps that name."""


def engine_of(url: str, sender: str) -> Engine:
    """An engine for a SQLAlchemy URL of SQLite or PostgreSQL; `sender` is told with its changes on `CHANNEL`.

    Raises
    ------
    SettingInvalid
        When it is none, or needs a driver that is not installed.
    """
    try:
        parsed = _with_driver(make_url(url))
        made = create_engine(parsed, **_options(parsed))
    except ArgumentError as error:
        raise SettingInvalid("store_url", url, f"must be a SQLAlchemy URL, {_SUCH_AS}") from error
    except ModuleNotFoundError as error:
        raise SettingInvalid("store_url", shown(url), f"needs a package that is not installed: {error.name}") from error
    match made.dialect.name:
        case "sqlite":
            event.listen(made, "connect", _prepare_sqlite)
            event.listen(made, "begin", _begin_sqlite)
        case "postgresql":
            event.listen(made, "connect", partial(_prepare_postgresql, sender=sender))
            event.listen(made, "begin", _begin_postgresql)
        case _:
            raise SettingInvalid("store_url", shown(url), f"must be of SQLite or PostgreSQL, {_SUCH_AS}")
    return made


_SUCH_AS = "such as sqlite:////var/lib/precedence/queue.db or postgresql://user@host/precedence"


def shown(url: str) -> str:
    """A database's URL without its password."""
    return make_url(url).render_as_string(hide_password=True)


def is_server(url: str) -> bool:
    """Whether a URL names a PostgreSQL database."""
    try:
        return _with_driver(make_url(url)).get_backend_name() == POSTGRESQL
    except ArgumentError:
        return False


def _with_driver(url: URL) -> URL:
    # SQLAlchemy would take psycopg2; libpq also knows the scheme by its short name.
    return url.set(drivername="postgresql+psycopg") if url.drivername in {POSTGRESQL, "postgres"} else url


def _options(url: URL) -> dict[str, Any]:
    if url.get_backend_name() != POSTGRESQL:
        return {}
    return {"pool_pre_ping": True, "connect_args": _unsaid(url)}


def _unsaid(url: URL) -> dict[str, Any]:
    return {name: str(value) for name, value in _CONNECTING.items() if name not in url.query}


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver would begin transactions by itself, and late: see `_begin_sqlite`.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={_BUSY_MS}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock first: upgrading a read lock half-way fails at once when another writer came between.
    reading = connection.get_execution_options().get(READING, False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _prepare_postgresql(connection: Any, _record: Any, *, sender: str) -> None:
    connection.autocommit = True
    connection.execute("SELECT set_config(%s, %s, false)", (SENDER, sender))
    for setting in _SESSION:
        connection.execute(setting)
    connection.autocommit = False


def _begin_postgresql(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not (options.get(READING, False) or options.get(FREELY, False)):
        connection.exec_driver_sql("SELECT highest FROM marks FOR UPDATE")
