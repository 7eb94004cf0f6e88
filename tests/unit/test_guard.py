"""Every answer is marked and safe for a browser, a body that is no JSON is not looked at, and a crash is answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute

from serving.api.guard import Guarded, marks_of, request_id_of
from serving.api.problems import Problems
from serving.api.tagged import Tagged
from serving.auth.gate import Gate
from serving.auth.keyring import Keyring
from serving.auth.routes import Routes
from serving.auth.scopes import Scope
from serving.auth.tokens import mint
from serving.errors import SettingInvalid
from serving.logs import REQUEST_ID, EventFormatter
from serving.settings import ANYBODY_IN_WORDS, Settings
from serving.wiring import check_reach
from tests.listening import listening

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
ROUTES = Routes({"POST /echo": Scope.PREDICT, "GET /crash": None, "GET /cached": None, "GET /live": Scope.OPERATE})


async def echo(request) -> PlainTextResponse:
    return PlainTextResponse(f"{request.state.caller.name}: {len(await request.body())}")


async def crash(request) -> PlainTextResponse:
    raise ZeroDivisionError


async def cached(request) -> PlainTextResponse:
    return PlainTextResponse(REQUEST_ID.get(), headers={"cache-control": "max-age=9"})


async def live(socket) -> None:
    await socket.accept()
    await socket.send_text(socket.state.caller.name)
    await socket.close()


def app(gate: Gate) -> Guarded:
    routes = [Route("/echo", echo, methods=["POST"]), Route("/crash", crash), Route("/cached", cached)]
    return Guarded(Problems(Starlette(routes=[*routes, WebSocketRoute("/live", live)])), ROUTES, lambda: gate)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    with listening(app(Gate(Keyring(tmp_path / "tokens.json")))) as client:
        yield client


def test_every_answer_is_safe_for_a_browser_and_says_what_may_be_kept(client: httpx.Client) -> None:
    for answer in (client.post("/echo"), client.get("/nowhere"), client.get("/crash"), client.post("/echo", data={})):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert "strict-transport-security" not in answer.headers
    assert client.get("/cached").headers["cache-control"] == "max-age=9"
    assert (b"strict-transport-security", b"max-age=31536000") in marks_of("id", "https")


def test_a_request_keeps_the_id_it_came_with_and_gets_one_otherwise(client: httpx.Client) -> None:
    answer = client.get("/cached", headers={"x-request-id": "order-66:a.b_c"})
    assert answer.headers["x-request-id"] == answer.text == "order-66:a.b_c"
    first, second = client.get("/cached"), client.get("/cached")
    assert first.headers["x-request-id"] == first.text != second.text
    for insane in ("", "a b", "a" * 129, "-rm", 'x"}', "<b>", "x\n"):
        assert request_id_of(insane.encode()) != insane


def test_a_problem_and_the_log_name_the_request(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    answer = client.get("/crash", headers={"x-request-id": "this-one"})
    assert answer.status_code == 500
    assert answer.json()["request_id"] == "this-one"
    assert answer.headers["content-type"] == "application/problem+json"
    assert "ZeroDivisionError" not in answer.text
    told = next(record for record in caplog.records if record.message == "request_failed")
    assert told.levelno == logging.ERROR
    assert told.exc_info is not None
    assert told.exc_info[0] is ZeroDivisionError


def test_a_line_of_the_log_has_the_request_it_is_about() -> None:
    record = logging.makeLogRecord({"msg": "dispatched", "campaign_id": "sale"})
    formatter = EventFormatter()
    assert "request_id" not in formatter.format(record)
    token = REQUEST_ID.set("this-one")
    try:
        assert formatter.format(record).endswith("dispatched campaign_id=sale request_id=this-one")
    finally:
        REQUEST_ID.reset(token)


@pytest.mark.parametrize(
    "kind",
    [
        "application/vnd.bentoml+pickle",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/octet-stream",
        "application/json+pickle",
        "application/problem+json",
    ],
)
def test_a_body_of_any_other_kind_than_json_is_refused_unread(client: httpx.Client, kind: str) -> None:
    answer = client.post("/echo", content=b"{}", headers={"content-type": kind})
    assert answer.status_code == 415
    assert answer.json()["type"] == "urn:precedence:media-type-unknown"
    assert answer.json()["given"] == kind


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8", None])
def test_json_is_read_with_or_without_saying_so(client: httpx.Client, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}
    assert client.post("/echo", content=b"{}", headers=headers).text == "anybody: 2"


def test_who_asks_too_often_is_told_when_to_come_again(tmp_path: Path) -> None:
    with listening(app(Gate(Keyring(tmp_path / "tokens.json"), 2, now_s=lambda: 0.0))) as client:
        assert [client.post("/echo").status_code for _ in range(3)] == [200, 200, 429]
        answer = client.post("/echo")
        assert answer.headers["retry-after"] == str(answer.json()["retry_after_s"]) == "30"
        assert "may ask 2 times a minute (requests_per_min)" in answer.json()["detail"]
        assert client.get("/cached").status_code == 200, "what is open is not counted"


def test_a_web_socket_passes_the_same_gate(tmp_path: Path) -> None:
    secret, token = mint("board", frozenset({Scope.OPERATE}), NOW)
    keyring = Keyring(tmp_path / "tokens.json")
    keyring.add(token)
    guarded = app(Gate(keyring))

    def said(*headers: tuple[bytes, bytes]) -> list[dict]:
        """What is answered to who connects, and goes away."""
        told: list[dict] = []
        scope = {"type": "websocket", "path": "/live", "headers": [*headers], "server": ("192.0.2.7", 3001)}

        async def receive() -> dict:
            return {"type": "websocket.connect"}

        async def send(message: dict) -> None:
            told.append(message)

        asyncio.run(guarded(scope, receive, send))
        return told

    assert [m.get("text") for m in said((b"authorization", f"Bearer {secret}".encode()))] == [None, "board", None]
    (refused,) = said()
    assert (refused["type"], refused["code"]) == ("websocket.close", 1008)


def test_what_needed_a_token_is_kept_by_its_caller_alone(tmp_path: Path) -> None:
    secret, token = mint("shop", frozenset({Scope.PREDICT}), NOW)
    Keyring(tmp_path / "tokens.json").add(token)
    tagged = Tagged(Starlette(routes=[Route("/cached", cached)]), {"/cached": 5})
    with listening(Guarded(tagged, ROUTES, lambda: Gate(Keyring(tmp_path / "tokens.json")))) as client:
        answer = client.get("/cached", headers={"authorization": f"Bearer {secret}", "x-request-id": "same"})
        assert answer.headers["cache-control"] == "private, max-age=5"
        held = {"if-none-match": answer.headers["etag"], "x-request-id": "same"}
        assert client.get("/cached", headers=held).status_code == 304
        refused = client.post("/echo", headers=held)
        assert (refused.status_code, refused.headers["cache-control"]) == (401, "no-store")


def test_a_host_beyond_loopback_needs_tokens_or_so_many_words(tmp_path: Path) -> None:
    for host in ("127.0.0.1", "127.0.0.5", "::1", "localhost"):
        check_reach(Settings.read(home=tmp_path, host=host))
    for host in ("0.0.0.0", "192.0.2.7", "::"):  # noqa: S104 - refused
        with pytest.raises(SettingInvalid, match=rf"host is '{host}': must be a loopback .* 'precedence token create'"):
            check_reach(Settings.read(home=tmp_path, host=host))
    check_reach(Settings.read(home=tmp_path, host="192.0.2.7", allow_anybody=ANYBODY_IN_WORDS))
    Keyring(tmp_path / "tokens.json").add(mint("shop", frozenset({Scope.SUBMIT}), NOW)[1])
    check_reach(Settings.read(home=tmp_path, host="192.0.2.7"))


def test_to_be_open_to_anybody_takes_more_than_a_yes() -> None:
    with pytest.raises(SettingInvalid, match=f"allow_anybody is 'true': .*{ANYBODY_IN_WORDS}"):
        Settings.read(allow_anybody="true")
