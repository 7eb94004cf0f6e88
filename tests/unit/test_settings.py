"""Settings are read once, and a wrong one is refused with its name, its value and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.errors import SettingInvalid
from serving.settings import Settings


@pytest.fixture(autouse=True)
def _in_own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_everything_has_a_default_under_home(own_home: Path) -> None:
    settings = Settings.read()
    assert settings.home == own_home
    assert settings.tracking_uri == f"sqlite:///{own_home}/mlflow.db"
    assert settings.store_url == f"sqlite:///{own_home}/queue.db"
    assert settings.priority_url == "http://127.0.0.1:3000"


def test_the_command_line_beats_the_environment_beats_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("precedence.toml").write_text(
        "workers = 2\nlease_s = 5\npriority_port = 4000\n[handlers]\nmail = 'shop.mail:send'\n"
    )
    monkeypatch.setenv("PRECEDENCE_WORKERS", "3")
    monkeypatch.setenv("PRECEDENCE_PRIORITY_PORT", "5000")
    settings = Settings.read(priority_port=6000, scheduler_port=None)
    assert (settings.lease_s, settings.workers, settings.priority_port) == (5, 3, 6000)
    assert settings.priority_url == "http://127.0.0.1:6000"
    assert settings.handlers == {"mail": "shop.mail:send"}


def test_handlers_fit_into_one_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRECEDENCE_HANDLERS", "mail=shop.mail:send, page=shop.pages:publish")
    assert Settings.read().handlers == {"mail": "shop.mail:send", "page": "shop.pages:publish"}


def test_a_child_process_reads_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("precedence.toml").write_text("home = 'state'\nclock_origin = 2026-01-05T00:00:00+00:00\n")
    sms = {"channel:sms": {"rate_per_s": 10, "burst": 50, "concurrency": 2}}
    settings = Settings.read(workers=7, handlers={"mail": "shop.mail:send"}, limits=sms, account_shares={"acme": 0.2})
    Path("precedence.toml").unlink()
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings.read() == settings


def test_shares_of_accounts_may_not_exceed_what_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRECEDENCE_ACCOUNT_SHARES", '{"acme": 0.9}')
    with pytest.raises(SettingInvalid, match=r"account_shares .*add up to 0\.9, more than fair_share, which is 0\.5"):
        Settings.read()


@pytest.mark.parametrize(
    ("limits", "field", "allowed"),
    [
        ('{"sms": {"concurrency": 2}}', "limits.sms", "account|channel|kind|tag"),
        ('{"channel:sms": {"burst": 2}}', "limits.channel:sms", "rate_per_s, concurrency, or both are required"),
        ('{"channel:sms": {"concurrency": 1, "burst": 2}}', "limits.channel:sms.burst", "only with rate_per_s"),
        ('{"channel:sms": {"rate_per_s": 0}}', "limits.channel:sms.rate_per_s", "greater than 0"),
    ],
)
def test_a_wrong_limit_is_refused_by_name(
    limits: str, field: str, allowed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRECEDENCE_LIMITS", limits)
    with pytest.raises(SettingInvalid) as refused:
        Settings.read()
    assert field in str(refused.value)
    assert allowed in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("workers", "many", "integer"),
        ("workers", "0", "greater than 0"),
        ("workers_least", "5", "at most workers, which is 4"),
        ("http_timeout_s", "0", "greater than 0"),
        ("lease_s", "-1", "greater than 0"),
        ("lease_s", "inf", "finite"),
        ("priority_port", "70000", "65535"),
        ("preemption_factor", "0.5", "greater than or equal to 1"),
        ("frequency_cap", "0", "greater than 0"),
        ("clock_origin", "2026-01-05T00:00:00", "offset"),
        ("handlers", "mail", "name=module:function"),
        ("host", "shop.example", "an address of this machine"),
        ("tls_key", "key.pem", "needs tls_certificate beside it"),
    ],
)
def test_a_wrong_value_is_refused_by_name(name: str, value: str, allowed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"PRECEDENCE_{name.upper()}", value)
    with pytest.raises(SettingInvalid, match=rf"setting {name} is .*{allowed}") as refused:
        Settings.read()
    assert refused.value.fields["field"] == name
    assert refused.value.fields["value"] == value


def test_services_that_speak_tls_are_found_by_it() -> None:
    settings = Settings.read(tls_certificate="chain.pem", tls_key="key.pem", host="::", scheduler_port=4001)
    assert settings.priority_url == "https://[::1]:3000"
    assert settings.scheduler_url == "https://[::1]:4001"


def test_a_token_is_given_by_environment_only_and_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRECEDENCE_TOKEN", "prec_1_hush")
    settings = Settings.read()
    assert settings.token is not None
    assert settings.token.get_secret_value() == "prec_1_hush"
    assert "hush" not in f"{settings!r} {settings.model_dump_json()} {settings.environment()}"
    Path("precedence.toml").write_text("workers = 2\ntoken = 'prec_1_hush'\n")
    with pytest.raises(SettingInvalid, match="must be given by environment only"):
        Settings.read()


def test_localhost_is_one_of_its_addresses() -> None:
    assert Settings.read(host="localhost").host == "127.0.0.1"


def test_a_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRECEDENCE_WORKER", "3")
    with pytest.raises(SettingInvalid, match=r"PRECEDENCE_WORKER is '3': is no known setting; .*workers"):
        Settings.read()


def test_a_misspelt_key_of_the_file_is_refused() -> None:
    Path("precedence.toml").write_text("worker = 3\n")
    with pytest.raises(SettingInvalid, match=r"setting worker is 3: is no known setting; known are .*workers"):
        Settings.read()


def test_a_file_that_is_no_toml_is_refused() -> None:
    Path("precedence.toml").write_text("workers =\n")
    with pytest.raises(SettingInvalid, match=r"precedence\.toml.*must be TOML"):
        Settings.read()
