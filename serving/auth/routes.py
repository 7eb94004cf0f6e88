"""Which scope each route of both services needs. A route that is not listed needs `admin`; a test lists those."""

from __future__ import annotations

import re
from collections.abc import Mapping

from serving.auth.scopes import Scope

OPEN = None
"""Needs no token: whether the service is there, and what anybody reads in its source."""

Needs = Mapping[str, Scope | None]
"""`METHOD /path/{template}` -> scope."""

_EVERYWHERE: Needs = {
    "GET /": OPEN,
    "GET /livez": OPEN,
    "GET /healthz": OPEN,
    "GET /readyz": OPEN,
    "GET /docs.json": OPEN,
    "GET /schema.json": OPEN,
    "GET /metrics": Scope.OPERATE,  # how much goes on is nobody else's business; Prometheus can send a token
    "GET /static_content/{path:path}": Scope.ADMIN,  # BentoML's; nothing of ours leads there
}

_PRIORITY: Needs = {
    **_EVERYWHERE,
    "POST /predict": Scope.PREDICT,
    "POST /explain": Scope.PREDICT,
    "GET /model": Scope.PREDICT,
}

_SCHEDULER: Needs = {
    **_EVERYWHERE,
    "GET /openapi.json": OPEN,
    "PUT /campaigns/{campaign_id}": Scope.SUBMIT,
    "GET /campaigns/{campaign_id}": Scope.SUBMIT,
    "GET /campaigns/{campaign_id}/why": Scope.SUBMIT,
    "POST /campaigns/{campaign_id}/tasks": Scope.SUBMIT,
    "POST /what-if": Scope.SUBMIT,
    "POST /outcomes": Scope.SUBMIT,
    "POST /signals": Scope.SUBMIT,
    # A token is not bound to an account, so what touches others' campaigns, or shows them all, is for operators.
    "PATCH /campaigns/{campaign_id}": Scope.OPERATE,
    "DELETE /campaigns/{campaign_id}": Scope.OPERATE,
    "POST /campaigns/{campaign_id}/redrive": Scope.OPERATE,
    "GET /dead-letters": Scope.OPERATE,
    "GET /queue": Scope.OPERATE,
    "GET /kpis": Scope.OPERATE,
}


class Routes:
    """Answers which scope a request needs."""

    def __init__(self, needs: Needs) -> None:
        self.needs = needs
        self._exact = {route: scope for route, scope in needs.items() if "{" not in route}
        self._templates = [(_matcher(route), scope) for route, scope in needs.items() if "{" in route]

    def scope_of(self, method: str, path: str) -> Scope | None:
        """The scope that a request needs, `OPEN` for none. HEAD is GET without the body."""
        route = f"{'GET' if method == 'HEAD' else method} {path}"
        if route in self._exact:
            return self._exact[route]
        return next((scope for matcher, scope in self._templates if matcher.fullmatch(route)), Scope.ADMIN)


def _matcher(route: str) -> re.Pattern[str]:
    pieces = re.split(r"(\{[^}]*\})", route)
    return re.compile("".join(_piece(piece) for piece in pieces))


def _piece(piece: str) -> str:
    if not piece.startswith("{"):
        return re.escape(piece)
    return ".*" if piece.endswith(":path}") else "[^/]+"


PRIORITY, SCHEDULER = Routes(_PRIORITY), Routes(_SCHEDULER)
