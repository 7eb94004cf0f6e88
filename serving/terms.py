"""The settings that decide how a queue is scheduled: whoever leads or stands by for one must have the same."""

from __future__ import annotations

import json
from datetime import datetime

from serving.errors import SettingInvalid
from serving.scheduling.lead import LEAD, TERMS
from serving.scheduling.ports import Notes
from serving.settings import Settings

_DECISIVE = frozenset(
    {
        *("lease_s", "lead_s", "refresh_s", "attempts", "clock_scale", "latency_emphasis"),
        *("preemption_factor", "preemption_min_run_s", "preemption_budget"),
        *("reserve_share", "max_wait_s", "fair_share", "account_shares", "limits"),
        *("frequency_cap", "frequency_window_s"),
    }
)


def terms_of(settings: Settings) -> str:
    """These settings in words, the same for equal ones."""
    return json.dumps(settings.model_dump(mode="json", include=set(_DECISIVE)), sort_keys=True)


def check_terms(notes: Notes, settings: Settings, owner: str, at: datetime) -> None:
    """Refuse to schedule beside another that does so on other terms.

    Raises
    ------
    SettingInvalid
        Naming the first setting that differs.
    """
    other, theirs = notes.holder(LEAD, at), notes.holder(TERMS, at)
    if other is None or theirs is None or other == owner:
        return
    told, ours = json.loads(theirs), json.loads(terms_of(settings))
    for name in sorted(_DECISIVE):
        if told.get(name) != ours[name]:
            allowed = f"must be {told.get(name)!r}, as the scheduler {other!r} that leads has it, or that one be ended"
            raise SettingInvalid(name, ours[name], allowed)
