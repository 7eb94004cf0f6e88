"""What time gives and work takes: tokens of rate limits, credit of the reserve and of accounts, caps.

Hours since the epoch throughout. Nothing here is booked for work that is only running: what runs holds back what it is
expected to use by being there (see `allot`), and lets go of it by being gone.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import ceil, inf

from serving.scheduling.rules import Rules

_MOST_SAVED_H = 24.0
"""An account that could not use its share for longer has no claim to all of it at once."""

_HAIR = 1e-9
_SOON_H = 1e-6
"""Enough to be past a moment, and to be worth a look."""


@dataclass
class Credit:
    """Slot-hours that somebody with a right to a share of the slots is behind (above 0) or ahead of it (below 0)."""

    slot_h: float = 0.0

    def entitled(self, share_of_slots: float, held: float) -> bool:
        """Whether one more slot is due, to somebody who holds so many."""
        if share_of_slots <= 0:
            return False
        return held + 1 <= share_of_slots or (self.slot_h > _HAIR and held < ceil(share_of_slots))

    def due_in_h(self, share_of_slots: float, held: float) -> float:
        """Hours until one more slot is due by time alone; infinite when it is already, or never will be."""
        gained = share_of_slots - held
        if gained <= 0 or self.entitled(share_of_slots, held):
            return inf
        return max(-self.slot_h, 0.0) / gained + _SOON_H


@dataclass
class Books:
    """The books of one scheduler, or of one play.

    Attributes
    ----------
    at_h : up to when they are kept.
    spent : units by which each rate limit's bucket is short of full.
    accounts, reserve : credits.
    begun : when campaigns began that addressed a target, latest last; only where a cap counts.
    """

    rules: Rules
    at_h: float
    spent: dict[str, float] = field(default_factory=dict)
    accounts: dict[str, Credit] = field(default_factory=dict)
    reserve: Credit = field(default_factory=Credit)
    begun: dict[str, list[float]] = field(default_factory=dict)

    @classmethod
    def opened(cls, rules: Rules, at_h: float) -> Books:
        """Books of a scheduler that cannot know what was used just before: its buckets begin empty."""
        books = cls(rules, at_h)
        books.reopen(at_h)
        return books

    def reopen(self, at_h: float) -> None:
        """Begin anew, as `opened`, where others may have kept the books meanwhile."""
        self.at_h, self.reserve = at_h, Credit()
        most = {key: self.rules.limits[key].most for key in self.rules.rated}
        self.spent = {key: max(self.spent.get(key, 0.0), units) for key, units in most.items()}
        self.accounts.clear()
        self.begun.clear()

    def copy(self) -> Books:
        """Books that may go their own way."""
        return replace(
            self,
            spent=dict(self.spent),
            accounts={account: replace(credit) for account, credit in self.accounts.items()},
            reserve=replace(self.reserve),
            begun={target: list(times) for target, times in self.begun.items()},
        )

    def pass_to(
        self,
        moment_h: float,
        *,
        slots: float,
        guaranteed: Mapping[str, float],
        by_rank: Mapping[str, float],
        by_share: Mapping[str, float],
        by_reserve: float,
        overdue: bool,
    ) -> None:
        """Let time pass to a moment, through which nothing else changed.

        Parameters
        ----------
        guaranteed : share of the slots of each account that contended.
        by_rank, by_share, by_reserve : slots held meanwhile, by what gave them, the first two by account.
        overdue : whether anybody waited for the reserve.
        """
        passed_h = max(moment_h - self.at_h, 0.0)
        self.at_h = max(moment_h, self.at_h)
        for key in self.spent:
            rate = self.rules.limits[key].rate_per_s or inf
            self.spent[key] = max(self.spent[key] - rate * passed_h * 3600, 0.0)
        self.accounts = {account: self.accounts.get(account, Credit()) for account in guaranteed}
        for account, credit in self.accounts.items():
            due = guaranteed[account] * slots
            # A rank that gives an account its share leaves nothing to claim. What a claim gave is paid for, as far as
            # it is needed beside what rank gives by now: else who was given more by rank would run up a debt.
            needed = max(due - by_rank.get(account, 0.0), 0.0)
            gained = needed - min(by_share.get(account, 0.0), ceil(needed))
            credit.slot_h = min(credit.slot_h + gained * passed_h, due * _MOST_SAVED_H)
        if overdue or by_reserve:
            self.reserve.slot_h += (self.rules.reserve.share * slots - by_reserve) * passed_h
        elif self.reserve.slot_h > 0:
            self.reserve.slot_h = 0.0

    def spend(self, keys: Iterable[str], units: float) -> None:
        """Note units that were done under these keys."""
        for key in keys:
            if key in self.rules.rated:
                self.spent[key] = self.spent.get(key, 0.0) + units

    def short_h(self, key: str, units: float, running: float) -> float:
        """Hours until `units` may begin under a rate limit, beside `running` units under way; 0 for now.

        More than the bucket holds may begin when it is full. Without anything under way it is only a question of time;
        else it is the least it can take.
        """
        limit = self.rules.limits[key]
        if limit.rate_per_s is None:
            return 0.0
        missing = min(units, limit.most) - (limit.most - self.spent.get(key, 0.0) - running)
        return missing / limit.rate_per_s / 3600 if missing > _HAIR * limit.most else 0.0

    def addressed(self, targets: Iterable[str], at_h: float) -> None:
        """Note that a campaign began to address targets."""
        if self.rules.cap is None:
            return
        for target in targets:
            times = self.begun.setdefault(target, [])
            while times and times[0] <= self.at_h - self.rules.cap.window_h:
                times.pop(0)
            insort(times, at_h)

    def capped(self, targets: Iterable[str], moment_h: float) -> tuple[str, float] | None:
        """The target that keeps a campaign longest from beginning, and until when; None if all may be addressed."""
        cap = self.rules.cap
        if cap is None:
            return None
        latest: tuple[str, float] | None = None
        for target in targets:
            times = self.begun.get(target, ())
            if len(times) >= cap.count:
                free_h = times[-cap.count] + cap.window_h
                if free_h > moment_h and (latest is None or free_h > latest[1]):
                    latest = target, free_h
        return latest

    def recent(self, target: str, moment_h: float) -> int:
        """How many campaigns began to address a target within the cap's window before a moment."""
        window_h = 0.0 if self.rules.cap is None else self.rules.cap.window_h
        return sum(at > moment_h - window_h for at in self.begun.get(target, ()))
