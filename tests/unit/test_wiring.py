"""What is put together from settings, and what is refused before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.errors import SettingInvalid
from serving.settings import Settings
from serving.wiring import check


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(SettingInvalid, match=r"home is .*taken/home.*: must be a directory that can be made"):
        check(Settings.read(home=tmp_path / "taken" / "home"))


def test_both_services_on_one_port_are_refused() -> None:
    with pytest.raises(SettingInvalid, match="scheduler_port is 4000: must be another port than priority_port"):
        check(Settings.read(priority_port=4000, scheduler_port=4000))


def test_sound_settings_pass_and_make_the_home(tmp_path: Path) -> None:
    check(Settings.read(home=tmp_path / "new" / "home"))
    assert (tmp_path / "new" / "home").is_dir()


def test_an_address_allowed_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(
        SettingInvalid, match=r"setting http_allow is '\*.example.com': '\*.example.com' must be an origin"
    ):
        check(Settings.read(home=tmp_path, http_allow=("*.example.com",)))


def test_a_handler_that_leads_nowhere_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match=r"setting handlers.mail is 'no.such:send': cannot be imported"):
        check(Settings.read(home=tmp_path, handlers={"mail": "no.such:send"}))
