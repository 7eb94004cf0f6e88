"""Statements that run with many rows, or many times a second: compiled once, straight to the driver.

SQLAlchemy's own execution converts every value of every row by its type, and keeps much account of each statement,
which costs several times what the database does. Here values go to the driver as the database holds them: moments in
microseconds, JSON as text. Errors are the driver's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.sql import ClauseElement

from serving.stores.engines import POSTGRESQL
from serving.stores.sets_sql import SetStatement, rounds


class Prepared:
    """A statement whose parameters are given by name, in the database's own types; so is what it returns.

    For many rows it is carried out row by row in SQLite, and at once for all of them in PostgreSQL, where the way to
    the server and back is what costs; see `SetStatement`.

    Parameters
    ----------
    statement : what is constant in it must be written as a literal; the parameter `own` names the row it is about.
    sets : columns that an insert or update takes from parameters of their names.
    """

    def __init__(self, statement: ClauseElement, sets: Sequence[str] | None = None) -> None:
        self._statement: Any = statement
        self._sets = sets
        self._texts: dict[str, str] = {}
        self._set: SetStatement | None = None

    def many(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
        """Execute once for each row, for no row not at all; return how many rows of the database changed."""
        if not rows:
            return 0
        cursor = connection.connection.cursor()
        try:
            if connection.dialect.name != POSTGRESQL:
                cursor.executemany(self._text(connection), rows)
                return cursor.rowcount
            changed, many = 0, self._for_many(connection.dialect)
            for some in rounds(rows):
                cursor.execute(many.text, many.parameters(some))
                changed += cursor.rowcount
            return changed
        finally:
            cursor.close()

    def each(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
        """What it returns for all of the rows, in no order; no two of them may be about the same row."""
        if not rows:
            return []
        cursor = connection.connection.cursor()
        try:
            if connection.dialect.name != POSTGRESQL:
                found: list[tuple[Any, ...]] = []
                for row in rows:
                    cursor.execute(self._text(connection), row)
                    found += cursor.fetchall()
                return found
            many = self._for_many(connection.dialect)
            cursor.execute(many.text, many.parameters(rows))
            return list(cursor.fetchall())
        finally:
            cursor.close()

    def all(self, connection: Connection, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The rows it selects."""
        cursor = connection.connection.cursor()
        try:
            cursor.execute(self._text(connection), parameters)
            return list(cursor.fetchall())
        finally:
            cursor.close()

    def _for_many(self, dialect: Dialect) -> SetStatement:
        if self._set is None:
            self._set = SetStatement(self._statement, self._sets, dialect)
        return self._set

    def _text(self, connection: Connection) -> str:
        dialect = connection.dialect
        if dialect.name not in self._texts:
            kind: Any = type(dialect)  # every dialect takes a paramstyle, though the base class does not say so
            by_name = kind(paramstyle="named" if dialect.positional else dialect.paramstyle)
            compiled = self._statement.compile(dialect=by_name, column_keys=self._sets)
            self._texts[dialect.name] = str(compiled)
        return self._texts[dialect.name]
