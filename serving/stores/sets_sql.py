"""One statement for many rows: PostgreSQL is asked once what SQLite, with no network before it, is asked often.

A statement about one row, whose values are parameters, is rewritten to take its values from arrays:

    UPDATE tasks SET state = given.state FROM unnest(%(own)s::BIGINT[], ...) AS given(own, ...) WHERE key = given.own
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, BindParameter, Dialect, Insert, Update, bindparam, func, insert, select, true
from sqlalchemy.sql import ColumnElement, visitors
from sqlalchemy.sql.elements import Cast
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine

OWN = "own"
"""The parameter that names the row a statement is about."""


class SetStatement:
    """What a statement about one row says, about many.

    Parameters
    ----------
    statement : a select or update with parameters by name, or an insert.
    sets : columns that an insert or update takes from parameters of their names.
    """

    def __init__(self, statement: Any, sets: Sequence[str] | None, dialect: Dialect) -> None:
        types = _types(statement, sets)
        given = (
            func.unnest(*(Cast(bindparam(name, type_=NullType()), ARRAY(kind)) for name, kind in types.items()))
            .table_valued(*types)
            .render_derived(name="given")
        )
        self._is_text = {name: issubclass(_plain(kind), str) for name, kind in types.items()}
        self.text = str(_rewritten(statement, sets, given).compile(dialect=dialect))

    def parameters(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """An array of each parameter's values."""
        return {name: _array([row[name] for row in rows], is_text) for name, is_text in self._is_text.items()}


def rounds(rows: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Rows in lots that name no row of the database twice: a set-based update would carry out one of both alone."""
    if not rows or OWN not in rows[0] or len({row[OWN] for row in rows}) == len(rows):
        yield rows
        return
    lots: list[list[Mapping[str, Any]]] = []
    seen: Counter[Any] = Counter()
    for row in rows:
        if seen[row[OWN]] == len(lots):
            lots.append([])
        lots[seen[row[OWN]]].append(row)
        seen[row[OWN]] += 1
    yield from lots


def _types(statement: Any, sets: Sequence[str] | None) -> dict[str, TypeEngine[Any]]:
    """The parameters of a statement by name, with the types of their values."""
    found: dict[str, TypeEngine[Any]] = {}
    if isinstance(statement, Insert | Update):
        table: Any = statement.table
        found |= {name: table.c[name].type for name in sets or ()}
    for element in visitors.iterate(statement):
        if isinstance(element, BindParameter) and isinstance(found.get(element.key, NullType()), NullType):
            found[element.key] = element.type
    untyped = [name for name, kind in found.items() if isinstance(kind, NullType)]
    if untyped:
        raise TypeError(f"parameters {untyped} have no type: give bindparam one")
    return found


def _array(values: Iterable[Any], is_text: bool) -> str:
    """Values as PostgreSQL reads an array of them; the driver's own way takes as long as the statement does."""
    if is_text:
        written = ("NULL" if value is None else f'"{_quoted(value)}"' for value in values)
    else:
        written = ("NULL" if value is None else repr(value) for value in values)
    return f"{{{','.join(written)}}}"


def _quoted(value: str) -> str:
    if "\\" in value or '"' in value:
        return value.replace("\\", "\\\\").replace('"', '\\"')
    return value


def _plain(kind: TypeEngine[Any]) -> type:
    """The Python type of what the driver is given."""
    return (kind.impl_instance if isinstance(kind, TypeDecorator) else kind).python_type


def _rewritten(statement: Any, sets: Sequence[str] | None, given: Any) -> Any:
    def replaced(element: Any, **_: Any) -> ColumnElement[Any] | None:
        return given.c[element.key] if isinstance(element, BindParameter) else None

    if isinstance(statement, Insert):
        table: Any = statement.table
        return insert(table).from_select(list(sets or ()), select(*(given.c[name] for name in sets or ())))
    if isinstance(statement, Update):
        statement = statement.values({name: bindparam(name) for name in sets or ()})
    changed: Any = visitors.replacement_traverse(statement, {}, replaced)
    if isinstance(statement, Update):
        return changed
    found = changed.lateral("found")
    return select(*found.c).select_from(given.join(found, true()))
