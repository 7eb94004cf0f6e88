"""Moves a queue with all that was logged to a PostgreSQL database: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, select

from serving.errors import BadInput, SettingInvalid, shown_url
from serving.stores import schema
from serving.stores.database import MOVED_TO, Database
from serving.stores.engines import is_server, shown

_AT_ONCE = 10_000
"""Rows held in memory."""
_BROUGHT_ALONG = (schema.meta.name, schema.marks.name)
"""Tables in which an empty database has rows too."""


def move(source: str, target: str, at: datetime) -> dict[str, int]:
    """Copy every row of one database to another, and have the first say where its queue went; return rows by table.

    Nobody writes to the source meanwhile. What was leased stays so until its leases run out.

    Raises
    ------
    SettingInvalid
        When a scheduler leads there at this moment.
    BadInput
        When the target is not PostgreSQL's, or holds something already.
    StoreUnreachable
        When the target's server does not answer; nothing is moved then.
    """
    if not is_server(target):
        raise BadInput("to", shown_url(target), "must be a PostgreSQL URL, such as postgresql://user@host/name")
    with closing(Database(source)) as old, closing(Database(target, upgrade=True)) as new, old.writing() as reading:
        leads = reading.scalar(select(schema.locks.c.owner).where(schema.locks.c.until > at).limit(1))
        if leads is not None:
            allowed = f"is led by the scheduler {leads!r}: end it first, so that nothing is written there any more"
            raise SettingInvalid("store_url", shown(source), allowed)
        with new.writing() as writing:
            _check_empty(writing, target)
            moved = {table.name: _copied(reading, writing, table) for table in schema.metadata.sorted_tables}
        # From here on the queue is there; should this be cut off, the target refuses a second try.
        reading.execute(insert(schema.meta).values(key=MOVED_TO, value=shown(target)))
    return moved


def _check_empty(writing: Connection, target: str) -> None:
    for table in schema.metadata.sorted_tables:
        count = 0 if table.name in _BROUGHT_ALONG else _count(writing, table)
        if count:
            allowed = f"must be an empty database: its table {table.name} holds {count} rows"
            raise BadInput("to", shown_url(target), allowed)
        writing.execute(delete(table))


def _copied(reading: Connection, writing: Connection, table: Table) -> int:
    """Copy a table, see that all of it is there, and return how many rows that is."""
    names = [column.name for column in table.c]
    cursor = writing.connection.cursor()
    listed = ", ".join(f'"{name}"' for name in names)
    with closing(cursor), cursor.copy(f'COPY "{table.name}" ({listed}) FROM STDIN') as copy:
        for row in _rows(reading, table):
            copy.write_row(row)
    own = table.autoincrement_column
    if own is not None:
        highest = writing.scalar(select(func.max(own)))
        if highest is not None:
            writing.execute(select(func.setval(func.pg_get_serial_sequence(table.name, own.name), highest)))
    expected, found = _count(reading, table), _count(writing, table)
    if found != expected:
        raise RuntimeError(f"{found} of {expected} rows of {table.name} arrived: nothing was moved")
    return found


def _rows(reading: Connection, table: Table) -> Iterator[tuple[Any, ...]]:
    """All rows, as the database holds them, oldest first."""
    statement = str(select(table).order_by(*table.primary_key).compile(reading))
    yield from reading.execution_options(yield_per=_AT_ONCE).exec_driver_sql(statement).tuples()


def _count(connection: Connection, table: Table) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0
