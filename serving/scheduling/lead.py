"""Who leads: one scheduler of a store at a time, by a lock that it holds for a while only."""

from __future__ import annotations

from datetime import datetime, timedelta

from serving.scheduling.ports import Notes

LEAD, TERMS = "scheduler", "scheduler's terms"
"""Locks of the store: on the lead, by the name of who has it, and on the terms on which it schedules, by these."""


class Lead:
    """One scheduler's hold on the lead, renewed with half of its time to spare, so that most steps need not write.

    Parameters
    ----------
    owner : a name no other living scheduler bears.
    lasts : how long it is held without a sign of life.
    terms : on which it schedules; who has others is not to lead, or stand by, meanwhile.

    Attributes
    ----------
    anew : whether it was taken when last asked about, rather than kept: others may have led before.
    """

    def __init__(self, notes: Notes, owner: str, lasts: timedelta, terms: str = "") -> None:
        self._notes, self.owner, self.lasts, self._terms = notes, owner, lasts, terms
        self._until: datetime | None = None
        self.anew = False

    def held(self, at: datetime) -> bool:
        """Whether it is ours; taken if it is free, renewed if it is time to."""
        if self._until is not None and at < self._until - self.lasts / 2:
            self.anew = False
            return True
        self.anew = self._until is None or at >= self._until
        return self.renewed(at)

    def renewed(self, at: datetime) -> bool:
        """Hold it for its whole time from now on; False if another has it."""
        held = self._hold(at, at + self.lasts)
        self._until = at + self.lasts if held else None
        return held

    def resign(self, at: datetime) -> None:
        """Leave it to whoever comes next."""
        if self._until is not None and at < self._until:
            self._hold(at, at)
        self._until = None

    def other(self, at: datetime) -> str | None:
        """Who else leads; None if nobody does."""
        holder = self._notes.holder(LEAD, at)
        return None if holder == self.owner else holder

    def _hold(self, at: datetime, until: datetime) -> bool:
        return self._notes.hold(LEAD, self.owner, at, until) and self._notes.hold(TERMS, self._terms, at, until)
