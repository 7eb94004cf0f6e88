"""Statements that run with many rows, or many times a second: compiled once, straight to the driver.

SQLAlchemy's own execution converts every value of every row by its type, which costs several times what the database
does with it. Here values go to the driver as the database holds them: moments in microseconds, JSON as text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row
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
        return connection.exec_driver_sql(self._text(connection), list(rows)).rowcount if rows else 0

    def all(self, connection: Connection, parameters: Mapping[str, Any]) -> Sequence[Row[Any]]:
        """The rows it selects."""
        return connection.exec_driver_sql(self._text(connection), dict(parameters)).all()

    def _text(self, connection: Connection) -> str:
        dialect = connection.dialect
        if dialect.name not in self._texts:
            kind: Any = type(dialect)  # every dialect takes a paramstyle, though the base class does not say so
            by_name = kind(paramstyle="named" if dialect.positional else dialect.paramstyle)
            compiled = self._statement.compile(dialect=by_name, column_keys=self._sets)
            self._texts[dialect.name] = str(compiled)
        return self._texts[dialect.name]


def as_json(value: Any) -> str:
    """A value as the database's JSON columns hold it."""
    return json.dumps(value)
