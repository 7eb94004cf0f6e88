"""Statements that run with many rows, or many times a second: compiled once, straight to the driver.

SQLAlchemy's own execution converts every value of every row by its type, and keeps much account of each statement,
which costs several times what the database does. Here values go to the driver as the database holds them: moments in
microseconds, JSON as text. Errors are the driver's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.sql import ClauseElement


class Prepared:
    """A statement whose parameters are given by name, in the database's own types; so is what it returns.

    Parameters
    ----------
    statement : what is constant in it must be written as a literal.
    sets : columns that an insert or update takes from parameters of their names.
    """

    def __init__(self, statement: ClauseElement, sets: Sequence[str] | None = None) -> None:
        self._statement, self._sets = statement, sets
        self._texts: dict[str, str] = {}

    def many(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
        """Execute once for each row, for no row not at all; return how many rows of the database changed."""
        if not rows:
            return 0
        cursor = connection.connection.cursor()
        try:
            cursor.executemany(self._text(connection), rows)
            return cursor.rowcount
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

    def _text(self, connection: Connection) -> str:
        dialect = connection.dialect
        if dialect.name not in self._texts:
            kind: Any = type(dialect)  # every dialect takes a paramstyle, though the base class does not say so
            by_name = kind(paramstyle="named" if dialect.positional else dialect.paramstyle)
            compiled = self._statement.compile(dialect=by_name, column_keys=self._sets)
            self._texts[dialect.name] = str(compiled)
        return self._texts[dialect.name]
