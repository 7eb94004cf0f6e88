"""The authorisation matrix: every route of both services with every scope, with no token, a bad and a revoked one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.auth.keyring import Keyring
from serving.auth.scopes import Scope
from serving.auth.tokens import mint
from tests.listening import service

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
ALL = frozenset({"predict", "submit", "operate", "admin"})
PREDICT, SUBMIT, OPERATE, ADMIN = (
    frozenset(scopes)
    for scopes in (["predict", "admin"], ["submit", "operate", "admin"], ["operate", "admin"], ["admin"])
)
OPEN = None

EVERYWHERE = {
    "GET /": OPEN, "GET /livez": OPEN, "GET /healthz": OPEN, "GET /readyz": OPEN, "GET /docs.json": OPEN,
    "GET /schema.json": OPEN, "GET /metrics": OPERATE, "GET /static_content": ADMIN,
}  # fmt: skip
MAY: dict[str, dict[str, frozenset[str] | None]] = {
    "priority": {**EVERYWHERE, "POST /predict": PREDICT, "POST /explain": PREDICT, "GET /model": PREDICT},
    "scheduler": {
        **EVERYWHERE,
        "GET /openapi.json": OPEN,
        "PUT /campaigns/{campaign_id}": SUBMIT,
        "GET /campaigns/{campaign_id}": SUBMIT,
        "PATCH /campaigns/{campaign_id}": OPERATE,
        "DELETE /campaigns/{campaign_id}": OPERATE,
        "POST /campaigns/{campaign_id}/tasks": SUBMIT,
        "GET /campaigns/{campaign_id}/why": SUBMIT,
        "POST /campaigns/{campaign_id}/redrive": OPERATE,
        "GET /dead-letters": OPERATE,
        "GET /queue": OPERATE,
        "POST /what-if": SUBMIT,
        "POST /outcomes": SUBMIT,
        "POST /signals": SUBMIT,
        "GET /kpis": OPERATE,
    },
}
"""Which tokens pass, by route: written down once more, so that a change of the table is a decision."""


def routes_of(app: Any, before: str = "") -> Iterator[str]:
    """`METHOD /path` of everything that an application answers, mounted applications included."""
    while not hasattr(app, "routes"):
        app = app._app  # what stands in front of it
    for route in app.routes:
        path = before + getattr(route, "path", "")
        inner = getattr(route, "app", None) or getattr(route, "original_router", None)
        methods = getattr(route, "methods", None)
        if methods:
            yield from (f"{method} {path}" for method in methods if method != "HEAD")
        elif hasattr(inner, "routes"):
            yield from routes_of(inner, path)
        else:
            yield f"GET {path}"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def tokens(home: Path) -> dict[str, str | None]:
    """What is sent, by what it is."""
    keyring, secrets = Keyring(home / "tokens.json"), {}
    for name in (*ALL, "revoked"):
        scope = Scope.ADMIN if name == "revoked" else Scope(name)
        secrets[name], token = mint(name, frozenset({scope}), NOW)
        keyring.add(token)
    keyring.revoke(secrets["revoked"].split("_")[1], NOW)
    return {**secrets, "none": None, "bad": secrets["admin"][:-2] + "00"}


@pytest.fixture(scope="module", params=MAY)
def asked(
    request: pytest.FixtureRequest, home: Path, tokens: dict[str, str | None]
) -> Iterator[tuple[str, httpx.Client]]:
    """A service by its name, and a client of it."""
    with service(request.param, home) as client:
        yield request.param, client


@pytest.mark.parametrize("name", MAY)
def test_every_route_there_is_stands_in_the_matrix(name: str) -> None:
    from serving.service import application

    assert set(routes_of(application(name))) == set(MAY[name])


@pytest.mark.parametrize("sent", [*sorted(ALL), "none", "bad", "revoked"])
def test_each_route_is_open_to_whom_the_matrix_says(
    asked: tuple[str, httpx.Client], tokens: dict[str, str | None], sent: str
) -> None:
    name, client = asked
    headers = {} if tokens[sent] is None else {"authorization": f"Bearer {tokens[sent]}"}
    for route, may in MAY[name].items():
        method, path = route.replace("{campaign_id}", "nobody").split()
        answer = client.request(method, path, headers=headers)
        if may is OPEN or sent in may:
            assert answer.status_code not in (401, 403), (route, answer.text)
            continue
        assert answer.status_code == (403 if sent in ALL else 401), route
        assert answer.headers["content-type"] == "application/problem+json"
        challenge = answer.headers["www-authenticate"]
        assert challenge.startswith('Bearer realm="precedence"')
        assert ("insufficient_scope" in challenge) == (sent in ALL)
        assert ("invalid_token" in challenge) == (sent in {"bad", "revoked"})
        assert set(answer.json()) >= {"type", "title", "status", "detail", "request_id"}


def test_nothing_is_told_of_what_is_not_there_without_a_token(asked: tuple[str, httpx.Client]) -> None:
    _, client = asked
    for path in ("/nowhere", "/campaigns/a/b", "//metrics", "/metrics/", "/queue/../queue"):
        assert client.get(f"{client.base_url}{path}").status_code == 401, path
    assert client.request("TRACE", "/predict").status_code == 401
