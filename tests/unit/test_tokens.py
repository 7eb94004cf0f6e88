"""Tokens come and go without a restart, are kept as digests alone, and open what their scopes say."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from serving.auth.gate import ANYBODY, NOBODY, Gate
from serving.auth.keyring import Keyring
from serving.auth.routes import SCHEDULER
from serving.auth.scopes import Scope
from serving.auth.tokens import Caller, mint
from serving.errors import (
    AskedFromElsewhere,
    AskedTooFast,
    BadInput,
    NobodyMayAsk,
    NotAllowed,
    SettingInvalid,
    TokenRefused,
    TokenUnknown,
)
from training.cli import app

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


def made(file: Path, *scopes: Scope, name: str = "shop") -> str:
    """The secret of a new token."""
    secret, token = mint(name, frozenset(scopes), NOW)
    Keyring(file).add(token)
    return secret


def asked(
    secret: str | None = None, *, at: str | None = "127.0.0.1", host: str = "localhost:3000", **headers: str
) -> tuple[dict[bytes, bytes], tuple[str, int] | None]:
    given = {"host": host, **headers, **({} if secret is None else {"authorization": f"Bearer {secret}"})}
    return {name.encode(): value.encode() for name, value in given.items()}, None if at is None else (at, 3000)


def test_without_tokens_this_machine_may_do_everything_and_no_other_anything(file: Path) -> None:
    gate = Gate(Keyring(file))
    assert gate.admit(*asked(), Scope.ADMIN) is ANYBODY
    assert gate.admit(*asked(at="::1", host="[::1]:3000"), Scope.ADMIN) is ANYBODY
    passed_on = asked(**{"x-forwarded-for": "192.0.2.7"})
    for elsewhere in (asked(at="192.0.2.7"), asked(host="shop.example"), asked(host=""), asked(at=None), passed_on):
        assert isinstance(gate.admit(*elsewhere, Scope.PREDICT), NobodyMayAsk)
        assert gate.admit(*elsewhere, None) is NOBODY
    assert Gate(Keyring(file), anybody=True).admit(*asked(at="192.0.2.7"), Scope.ADMIN) is ANYBODY


def test_without_tokens_no_page_from_elsewhere_may_have_a_browser_ask(file: Path) -> None:
    gate = Gate(Keyring(file))
    assert gate.admit(*asked(origin="http://localhost:3000"), Scope.SUBMIT) is ANYBODY
    for origin in ("https://evil.example", "http://localhost:8080", "null"):
        assert isinstance(gate.admit(*asked(origin=origin), Scope.SUBMIT), AskedFromElsewhere)


def test_a_token_opens_what_its_scopes_cover_from_anywhere(file: Path) -> None:
    secret = made(file, Scope.OPERATE)
    gate = Gate(Keyring(file))
    caller = gate.admit(*asked(secret, at="192.0.2.7", host="shop.example"), Scope.SUBMIT)
    assert isinstance(caller, Caller)
    assert (caller.name, caller.may) == ("shop", {Scope.OPERATE, Scope.SUBMIT})
    assert isinstance(gate.admit(*asked(secret), Scope.PREDICT), NotAllowed)
    assert gate.admit(*asked(secret), None) == caller
    assert gate.admit(*asked(), None) is NOBODY


@pytest.mark.parametrize(
    "spoilt", ["", "x", "prec", "prec_", "prec__", "prec_0_0", "{id}", "{secret}x", "{short}", "Ü"]
)
def test_what_is_almost_a_token_opens_nothing(file: Path, spoilt: str) -> None:
    secret = made(file, Scope.ADMIN)
    wrong = spoilt.format(id="_".join(secret.split("_", 2)[:2]) + "_", secret=secret, short=secret[:-1])
    refusal = Gate(Keyring(file)).admit(*asked(wrong), Scope.PREDICT)
    assert isinstance(refusal, TokenRefused)
    assert secret not in str(refusal)


def test_a_token_in_any_other_scheme_is_none(file: Path) -> None:
    secret = made(file, Scope.ADMIN)
    for header in (secret, f"Basic {secret}", f"Token {secret}", "Bearer"):
        refusal = Gate(Keyring(file)).admit(*asked(authorization=header), Scope.PREDICT)
        assert isinstance(refusal, TokenRefused)
        assert "no token was sent" in str(refusal)
    assert isinstance(Gate(Keyring(file)).admit(*asked(authorization=f"bearer {secret}"), Scope.PREDICT), Caller)


def test_tokens_come_and_go_while_the_gate_stands(file: Path) -> None:
    gate = Gate(Keyring(file))
    assert gate.admit(*asked(), Scope.PREDICT) is ANYBODY
    old = made(file, Scope.PREDICT)
    assert isinstance(gate.admit(*asked(), Scope.PREDICT), TokenRefused)
    new = made(file, Scope.PREDICT)
    for secret in (old, new):
        assert isinstance(gate.admit(*asked(secret), Scope.PREDICT), Caller)
    Keyring(file).revoke(old.split("_")[1], NOW)
    assert isinstance(gate.admit(*asked(old), Scope.PREDICT), TokenRefused)
    assert isinstance(gate.admit(*asked(new), Scope.PREDICT), Caller)
    Keyring(file).revoke(new.split("_")[1], NOW)
    assert isinstance(gate.admit(*asked(), Scope.PREDICT), TokenRefused), "revoking the last one opens nothing"


@pytest.mark.parametrize("harm", ["gone", "spoilt"])
def test_a_file_that_is_lost_lets_nobody_in_who_was_refused_and_nobody_out_who_was_let_in(
    file: Path, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    secret = made(file, Scope.PREDICT)
    gate = Gate(Keyring(file))
    assert isinstance(gate.admit(*asked(secret), Scope.PREDICT), Caller)
    if harm == "gone":
        file.unlink()
    else:
        file.write_text('{"tokens": [{"sha256": "hush"')
    assert isinstance(gate.admit(*asked(secret), Scope.PREDICT), Caller)
    assert isinstance(gate.admit(*asked(), Scope.PREDICT), TokenRefused)
    assert "hush" not in caplog.text
    assert ("tokens_unreadable" in caplog.text) == (harm == "spoilt")


def test_a_file_that_is_no_list_of_tokens_keeps_a_service_from_starting(file: Path) -> None:
    for text in ("", "[]", '{"tokens": 3}', '{"tokens": [{"name": "a", "sha256": "hush"}]}'):
        file.write_text(text)
        with pytest.raises(
            SettingInvalid, match=r"tokens_file .*: must be readable, as 'precedence token' wrote"
        ) as said:
            Keyring(file)
        assert "hush" not in str(said.value)


def test_only_a_digest_is_kept_in_a_file_of_ones_own(file: Path) -> None:
    secret = made(file, Scope.PREDICT)
    assert secret[-30:] not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(secret) > 50
    assert made(file, Scope.PREDICT) != secret


def test_a_token_may_be_used_so_often_a_minute_and_another_has_its_own_count(file: Path) -> None:
    one, other = made(file, Scope.PREDICT), made(file, Scope.PREDICT)
    moment = [0.0]
    gate = Gate(Keyring(file), 3, now_s=lambda: moment[0])
    for _ in range(3):
        assert isinstance(gate.admit(*asked(one), Scope.PREDICT), Caller)
    refusal = gate.admit(*asked(one), Scope.PREDICT)
    assert isinstance(refusal, AskedTooFast)
    assert refusal.headers == {"retry-after": "20"}
    assert gate.admit(*asked(one), None) != refusal, "what is open is not counted"
    assert isinstance(gate.admit(*asked(other), Scope.PREDICT), Caller)
    moment[0] = 20.0
    assert isinstance(gate.admit(*asked(one), Scope.PREDICT), Caller)
    assert isinstance(gate.admit(*asked(one), Scope.PREDICT), AskedTooFast)


def test_a_route_that_is_not_listed_is_for_administrators() -> None:
    assert SCHEDULER.scope_of("POST", "/nowhere") is Scope.ADMIN
    assert SCHEDULER.scope_of("GET", "/campaigns/a/b") is Scope.ADMIN
    assert SCHEDULER.scope_of("HEAD", "/queue") is Scope.OPERATE


def test_the_commands_make_list_and_revoke(own_home: Path) -> None:
    def run(*words: str) -> str:
        done = CliRunner().invoke(app, ["token", *words], catch_exceptions=False)
        assert done.exit_code == 0
        return str(done.stdout)

    created = json.loads(run("create", "shop", "--scope", "predict", "--scope", "submit", "--json"))
    assert created["scopes"] == ["predict", "submit"]
    gate = Gate(Keyring(own_home / "tokens.json"))
    assert isinstance(gate.admit(*asked(created["token"]), Scope.SUBMIT), Caller)
    listed = run("list", "--json") + run("list")
    assert created["token_id"] in listed
    assert created["token"] not in listed
    assert "sha256" not in listed
    run("revoke", created["token_id"])
    assert isinstance(gate.admit(*asked(created["token"]), Scope.SUBMIT), TokenRefused)
    assert json.loads(run("list", "--json"))["tokens"][0]["revoked_at"]
    assert run("create", "plain", "--scope", "admin").startswith("prec_")


def test_a_token_nobody_could_name_or_knows_is_refused(file: Path) -> None:
    with pytest.raises(BadInput, match="name"):
        mint("a\nb", frozenset({Scope.ADMIN}), NOW)
    with pytest.raises(TokenUnknown, match="there is no token 'gone'"):
        Keyring(file).revoke("gone", NOW)
