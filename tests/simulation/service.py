"""Who got how much of the slots, and who waited how long: guaranteed shares and the reserve, held to their bounds.

Looked at whenever time is about to pass, in worlds where nothing goes wrong: there the bounds hold exactly. What is
pinned goes before both, so nothing is counted while anything is.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from math import ceil

from serving.scheduling.work import Standing
from tests.simulation.bindings import Bindings
from tests.simulation.ledger import Ledger
from tests.simulation.mirror import Mirror
from tests.simulation.precedence import startable, waits_since
from tests.simulation.virtual import VirtualClock
from tests.simulation.worlds import World


class Service:
    """Follows it.

    Attributes
    ----------
    behind_s : the most slot-seconds an account was behind its guaranteed share, over what the bound allows.
    late_s : the longest that a campaign waited past `max_wait`, over what the bound allows.
    """

    def __init__(self, world: World, ledger: Ledger, mirror: Mirror, bindings: Bindings, clock: VirtualClock) -> None:
        self._world, self._ledger, self._mirror = world, ledger, mirror
        self._bindings, self._clock = bindings, clock
        self._live = mirror.live()
        self._lag: dict[str, float] = defaultdict(float)
        self._lag_allowed: dict[str, float] = defaultdict(float)
        self._wanting: set[str] = set()
        self._came: dict[str, set[str]] = defaultdict(set)  # accounts that came to claim theirs while one was behind
        self._late: dict[str, float] = {}
        self._allowed: dict[str, float] = {}
        tasks = [task for submission in world.submissions for task in submission.tasks]
        self._chunk_s = max(task.payload["seconds"] for task in tasks)
        self._task_s = max(task.units for task in tasks)
        self.behind = self.late = 0.0

    def passes(self, seconds: float) -> None:
        """Let so many seconds pass as things stand."""
        at = self._clock.now()
        self._live = self._mirror.live()
        if any(standing.pinned for standing in self._live.values()):
            return
        waiting = [s for s in self._live.values() if startable(s, at) and not self._hindered(s)]
        self._share_out(waiting, seconds)
        self._reserve(waiting, seconds)

    def _hindered(self, standing: Standing) -> bool:
        return self._bindings.holds_back(standing.campaign)

    def _share_out(self, waiting: list[Standing], seconds: float) -> None:
        shares, slots = self._world.rules.shares, self._world.slots
        if not shares.total:
            return
        held: dict[str, int] = defaultdict(int)
        for standing in self._live.values():
            held[standing.campaign.account] += standing.progress.leased
        at = self._clock.now()
        could = self._could(waiting)
        contending = {s.campaign.account for s in self._live.values() if s.progress.leased or startable(s, at)}
        guaranteed = shares.guaranteed(sorted(contending))
        for account in sorted({*self._lag, *could}):
            if account not in could:
                self._caught_up(account)
                del self._lag[account]
                continue
            # Nobody is behind by slots that he has no work for.
            share = guaranteed.get(account, 0.0) * slots
            due = min(share, held[account] + could[account])
            lag = self._lag[account] = max(self._lag[account] + (due - held[account]) * seconds, 0.0)
            # What comes free for one, another who came later and presses harder may take by the same right.
            self._came[account] |= set(could) - self._wanting - {account}
            chunks = 1 + len(self._came[account])
            allowed = max(ceil(share) * self._chunk_s * chunks, self._lag_allowed[account])
            self._lag_allowed[account] = allowed
            if not lag:
                self._caught_up(account)
            elif allowed:
                self.behind = max(self.behind, lag / allowed)
            if lag > allowed + 1:
                self._ledger.breach("fair share", f"{account} is {lag:g} slot-seconds behind, {allowed:g} are allowed")
                self._lag[account] = 0.0
        self._wanting = set(could)

    def _caught_up(self, account: str) -> None:
        self._lag_allowed.pop(account, None)
        self._came.pop(account, None)

    def _could(self, waiting: list[Standing]) -> dict[str, float]:
        """How many more tasks each account could run, as far as limits leave room for them."""
        could: dict[str, float] = defaultdict(float)
        room: dict[str, float] = {}
        for standing in waiting:
            campaign = standing.campaign
            limits = self._bindings.limits_of(campaign)
            for key in limits:
                room.setdefault(key, self._bindings.room(key, campaign))
            tasks = min([startable(standing, self._clock.now()), *(room[key] for key in limits)])
            could[campaign.account] += tasks
            for key in limits:
                room[key] -= tasks
        return could

    def _reserve(self, waiting: list[Standing], seconds: float) -> None:
        reserve, at = self._world.rules.reserve, self._clock.now()
        rate = reserve.share * self._world.slots
        if not rate:
            return
        overdue = {
            s.campaign_id: s
            for s in waiting
            if not s.progress.leased and waits_since(s) + timedelta(hours=reserve.max_wait_h) < at
        }
        for name in [name for name in self._late if name not in overdue and self._is_over(name)]:
            del self._late[name], self._allowed[name]
        for name, standing in overdue.items():
            if name not in self._late:
                self._late[name] = 0.0
                # What the reserve runs now is overdue work ahead as well: a task of the longest on each slot of it.
                ahead_s = self._ahead_s(standing) + ceil(rate) * self._task_s
                self._allowed[name] = ahead_s / rate + self._chunk_s
            self._late[name] += seconds
            self.late = max(self.late, self._late[name] / self._allowed[name])
            if self._late[name] > self._allowed[name] + 1:
                late = f"{self._late[name]:g} s past its longest wait, {self._allowed[name]:g} are allowed"
                self._ledger.breach("starvation", f"{name} waits {late}")
                self._late[name] = 0.0

    def _is_over(self, name: str) -> bool:
        """Whether a campaign waits no more, rather than being held for a while by something else."""
        standing = self._live.get(name)
        return standing is None or standing.progress.leased > 0

    def _ahead_s(self, behind: Standing) -> float:
        """Slot-seconds of open work of campaigns that wait longer."""
        since = waits_since(behind)
        ahead = [s for s in self._live.values() if startable(s, self._clock.now()) and waits_since(s) <= since]
        return sum(s.progress.units - s.progress.units_done for s in ahead if s is not behind)
