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
