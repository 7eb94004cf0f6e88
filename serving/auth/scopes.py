"""What a token may be good for."""

from __future__ import annotations

from enum import StrEnum
from functools import cache


class Scope(StrEnum):
    """Kinds of requests, by what they can do."""

    PREDICT = "predict"
    SUBMIT = "submit"
    OPERATE = "operate"
    ADMIN = "admin"


_COVERS = {
    Scope.PREDICT: frozenset({Scope.PREDICT}),
    Scope.SUBMIT: frozenset({Scope.SUBMIT}),
    # Whoever may change and cancel what anybody submitted may submit too.
    Scope.OPERATE: frozenset({Scope.OPERATE, Scope.SUBMIT}),
    Scope.ADMIN: frozenset(Scope),
}


@cache
def covered(scopes: frozenset[Scope]) -> frozenset[Scope]:
    """All that these scopes allow.

    >>> sorted(covered(frozenset({Scope.OPERATE})))
    [<Scope.OPERATE: 'operate'>, <Scope.SUBMIT: 'submit'>]
    """
    return frozenset().union(*(_COVERS[scope] for scope in scopes))
