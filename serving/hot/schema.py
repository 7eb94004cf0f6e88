"""The strict records of the API as msgspec structs: derived from their declarations, so that there is one schema.

Whatever a derived struct accepts, the record accepts with equal values; it may refuse more, and then the ordinary
reader decides and words the refusal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import AllowInfNan, AwareDatetime, StringConstraints

from features.records import PLAIN, PRINTABLE

_BOUNDS = {Ge: "ge", Gt: "gt", Le: "le", Lt: "lt", MinLen: "min_length", MaxLen: "max_length"}


_PATTERNS = {
    # Here `$` would also match before a last line break.
    PLAIN: PLAIN.removesuffix("$") + r"\Z",
    # Python's `re` does not know the class Cc, and a search for each name is slow: `_check_printable` sees to it.
    PRINTABLE: None,
}


def struct_of(record: type) -> type[msgspec.Struct]:
    """A frozen struct with the fields, bounds, rules and properties of a strict record.

    Raises
    ------
    TypeError
        When a field says something of its values that is not known here: better no hot path than a lenient one.
    """
    hints = get_type_hints(record, include_extras=True)
    rules = getattr(record, "__post_init__", None)
    names = tuple(field.name for field in fields(record) if _holds_text(hints[field.name]))

    def check(self: Any) -> None:
        if rules is not None:
            rules(self)
        _check_printable(getattr(self, name) for name in names)

    properties = {name: value for name, value in vars(record).items() if isinstance(value, property)}
    return msgspec.defstruct(
        record.__name__,
        [_declared(field, hints[field.name]) for field in fields(record)],
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
        # Records hold no cycles, and what the collector does not follow it need not visit.
        gc=False,
        namespace={"__post_init__": check, **properties},
    )


def _declared(field: Field[Any], hint: Any) -> tuple[str, Any] | tuple[str, Any, Any]:
    if field.default_factory is not MISSING:
        return field.name, _translated(hint), msgspec.field(default_factory=field.default_factory)
    if field.default is not MISSING:
        return field.name, _translated(hint), field.default
    return field.name, _translated(hint)


def _translated(hint: Any) -> Any:  # noqa: PLR0911 - one case each
    """A type with pydantic's constraints as the same type with msgspec's."""
    if hint is AwareDatetime:
        return Annotated[datetime, msgspec.Meta(tz=True)]
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        bounds = _bounds(parts[1:])
        inner = _translated(parts[0])
        return Annotated[inner, msgspec.Meta(**bounds)] if bounds else inner
    if origin in (Union, UnionType):
        return Union[tuple(_translated(part) for part in parts)]  # noqa: UP007 - made at run time
    if origin is tuple and parts[1:] == (...,):
        return tuple[_translated(parts[0]), ...]  # type: ignore[misc]
    if origin is dict:
        return dict[_translated(parts[0]), _translated(parts[1])]  # type: ignore[misc]
    if origin is None and is_dataclass(hint):
        return struct_of(hint)  # type: ignore[arg-type]
    if isinstance(hint, type) and (hint in (str, float, bool, NoneType) or issubclass(hint, str)):
        return hint
    raise TypeError(f"no struct can hold {hint}: teach serving.hot.schema what it means")


def _bounds(constraints: Iterable[Any]) -> dict[str, Any]:
    bounds: dict[str, Any] = {}
    for constraint in constraints:
        if type(constraint) in _BOUNDS:
            bounds[_BOUNDS[type(constraint)]] = getattr(constraint, _BOUNDS[type(constraint)])
        elif isinstance(constraint, StringConstraints) and (said := str(constraint.pattern)) in _PATTERNS:
            if (pattern := _PATTERNS[said]) is not None:
                bounds["pattern"] = pattern
        elif not (isinstance(constraint, AllowInfNan) and not constraint.allow_inf_nan):  # JSON holds neither
            raise TypeError(f"no struct can hold {constraint}: teach serving.hot.schema what it means")
    return bounds


def _holds_text(hint: Any) -> bool:
    """Whether a field is text, or text in a tuple or as keys; ids with a stricter pattern count as well."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _holds_text(parts[0])
    return hint is str or (origin in (tuple, dict) and _holds_text(parts[0]))


def _check_printable(values: Iterable[Any]) -> None:
    """Refuse what may hold a control character; some harmless characters are not printable either, and go with it.

    Raises
    ------
    ValueError
    """
    text = "".join([value if isinstance(value, str) else "".join(value) for value in values])
    if not text.isprintable():
        raise ValueError("text that may hold control characters")
