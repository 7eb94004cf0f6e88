"""What binds campaigns, checked at each lease: dependencies, release, exclusive keys, limits and caps."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from math import inf

from features.records import Campaign
from serving.scheduling.rules import Limit, Rules
from serving.scheduling.states import LIVE, State
from serving.scheduling.work import Lease
from tests.simulation.ledger import Known, Ledger
from tests.simulation.mirror import Mirror

_HAIR = 1e-5
_NEARLY = 1 - 1e-6
_INSTANT_S = 1e-5
"""Clocks show microseconds: what is less than a few of them apart is simultaneous."""


class Bindings:
    """Checks them, by the ledger and, for states, by the store itself.

    Parameters
    ----------
    skew_s : how far the clocks of two schedulers may differ.
    calm : nothing goes wrong, so that a scheduler never has to take buckets for emptier than they are.
    """

    def __init__(self, ledger: Ledger, mirror: Mirror, rules: Rules, skew_s: float, *, calm: bool) -> None:
        self._ledger, self._mirror, self._rules, self._skew_s, self._calm = ledger, mirror, rules, skew_s, calm
        self._holder: dict[str, str] = {}
        self._spent: dict[str, tuple[float, float]] = {}  # by key: units done and not made good since, as of when
        self._begun: dict[str, list[float]] = defaultdict(list)

    def limits_of(self, campaign: Campaign) -> dict[str, Limit]:
        """The limits that a campaign counts against, by key."""
        limits = self._rules.limits
        keys = (f"account:{campaign.account}", f"channel:{campaign.channel}", f"kind:{campaign.kind}")
        return {key: limits[key] for key in keys if key in limits}

    def spent(self, key: str) -> float:
        """Units by which the bucket of a rate limit is short of full, by what was done."""
        now, rate = self._ledger.now_s(), self._rules.limits[key].rate_per_s or 0.0
        spent, as_of = self._spent.get(key, (self._rules.limits[key].most, 0.0))
        return max(spent - rate * (now - as_of), 0.0)

    def led_anew(self) -> None:
        """Take the buckets for empty, as a new leader does, who cannot know what was used just before, nor overdrawn.

        Where things go wrong they are held to what really was used, if that is less: who leads takes them for empty
        from when he hears of it, and not from when the store gave him the lead.
        """
        for key in self._rules.rated:
            most = self._rules.limits[key].most
            self._spent[key] = (most if self._calm else min(self.spent(key), most), self._ledger.now_s())

    def did(self, known: Known, units: float) -> None:
        """Note units that a campaign did."""
        for key in self.limits_of(known.campaign):
            if key in self._rules.rated:
                self._spent[key] = (self.spent(key) + units, self._ledger.now_s())

    def holds_back(self, campaign: Campaign, instead_of: Campaign | None = None, *, begun: bool = False) -> bool:
        """Whether something keeps a campaign from a slot, even if another had not been given one just now.

        Parameters
        ----------
        begun : the other had begun in any case.
        """
        known = self._ledger.campaigns[campaign.campaign_id]
        other = None if instead_of is None else self._ledger.campaigns[instead_of.campaign_id]
        began_now = not begun and other is not None and other.begun_s == self._ledger.now_s()
        apart = {campaign.campaign_id, *([other.campaign.campaign_id] if began_now and other is not None else ())}
        if any({self.holder(key), *self._resumed(key)} - {None} - apart for key in campaign.exclusive):
            return True
        cap = self._rules.cap
        if cap is not None and known.begun_s is None:
            for target in campaign.targets:
                gone = began_now and other is not None and target in other.campaign.targets
                if self.addressed(target, -self._skew_s - _INSTANT_S) - gone >= cap.count:
                    return True
        for key, limit in self.limits_of(campaign).items():
            bound = self._bound_by(key)
            gone = other is not None and key in self.limits_of(other.campaign)
            if limit.concurrency is not None and sum(k.held for k in bound) - gone >= limit.concurrency:
                return True
            if limit.rate_per_s is None:
                continue
            if not self._calm:
                return True
            # What chunks will take is not known beforehand; the scheduler goes by what they took on average.
            under_way = sum(k.held * self._expected(k) for k in bound)
            if gone and other is not None:
                under_way -= self._expected(other)
            if self.spent(key) + under_way + min(self._expected(known), limit.most) > limit.most * _NEARLY:
                return True
        return False

    def room(self, key: str, campaign: Campaign) -> float:
        """How many more tasks of a campaign a limit leaves room for, by what the scheduler can know."""
        bound, limit = self._bound_by(key), self._rules.limits[key]
        room = inf if limit.concurrency is None else limit.concurrency - sum(k.held for k in bound)
        if limit.rate_per_s is None:
            return room
        left = limit.most - self.spent(key) - sum(k.held * self._expected(k) for k in bound)
        expected = self._expected(self._ledger.campaigns[campaign.campaign_id])
        return min(room, max(left / max(expected, _HAIR), 1.0))

    def holder(self, key: str) -> str | None:
        """The campaign that holds an exclusive key."""
        holder = self._holder.get(key)
        if holder is None:
            return None
        state, held = self._state(holder), self._ledger.campaigns[holder].held
        let_go = (state not in LIVE or state is State.PAUSED) and not held
        return None if let_go else holder

    def _resumed(self, key: str) -> set[str]:
        """Campaigns that go on after they let go of a key, and hold it again unless another took it meanwhile."""
        return {
            name
            for name, standing in self._mirror.live().items()
            if key in standing.campaign.exclusive
            and standing.begun_at is not None
            and (standing.state is not State.PAUSED or standing.progress.leased)
        }

    def goes_on(self, campaign_id: str) -> None:
        """Note a campaign that goes on after it let go of its keys: it takes them again with its next slot."""
        if not self._ledger.campaigns[campaign_id].held:
            self._holder = {key: holder for key, holder in self._holder.items() if holder != campaign_id}

    def addressed(self, target: str, slack_s: float) -> int:
        """How many campaigns began to address a target within the cap's window, shortened by some seconds."""
        cap = self._rules.cap
        if cap is None:
            return 0
        since = self._ledger.now_s() - cap.window_h * 3600
        return sum(begun > since + slack_s for begun in self._begun[target])

    def claimed(self, lease: Lease, at: datetime) -> None:
        """Check and note a lease that the ledger has noted."""
        known = self._ledger.campaigns[lease.task.campaign_id]
        campaign = known.campaign
        own, begins = campaign.campaign_id, known.begun_s is None
        if campaign.released_at > at:
            self._ledger.breach("release", f"{own} runs at {at}, before its release at {campaign.released_at}")
        if campaign.ends_at is not None and campaign.ends_at <= at:
            self._ledger.breach("expiry", f"{own} was given a slot at {at}, when it was worth nothing any more")
        if begins:
            known.begun_s = self._ledger.now_s()
            self._check_predecessors(campaign)
            self._check_cap(campaign)
        for key in campaign.exclusive:
            holder = self.holder(key)
            if holder not in (None, own):
                self._ledger.breach("conflict", f"{own} runs beside {holder}, which holds {key}")
            self._holder[key] = own
        self._check_limits(known)

    def _bound_by(self, key: str) -> list[Known]:
        """Campaigns with tasks running that count against a limit."""
        return [k for k in self._ledger.campaigns.values() if k.held and key in self.limits_of(k.campaign)]

    def _state(self, campaign_id: str) -> State | None:
        standing = self._mirror.standing(campaign_id)
        return None if standing is None else standing.state

    def _expected(self, known: Known) -> float:
        standing = self._mirror.standing(known.campaign.campaign_id)
        return 0.0 if standing is None else standing.progress.units_a_chunk

    def _check_predecessors(self, campaign: Campaign) -> None:
        for name in campaign.after:
            if self._state(name) is not State.DONE:
                self._ledger.breach("dependency", f"{campaign.campaign_id} began while {name} was {self._state(name)}")

    def _check_cap(self, campaign: Campaign) -> None:
        cap = self._rules.cap
        for target in campaign.targets:
            if cap is not None and self.addressed(target, self._skew_s + _INSTANT_S) >= cap.count:
                self._ledger.breach("frequency cap", f"{campaign.campaign_id} is one too many to address {target}")
            self._begun[target].append(self._ledger.now_s())

    def _check_limits(self, known: Known) -> None:
        for key, limit in self.limits_of(known.campaign).items():
            bound = self._bound_by(key)
            tasks = sum(k.held for k in bound)
            if limit.concurrency is not None and tasks > limit.concurrency:
                self._ledger.breach("concurrency", f"{tasks} tasks run under {key}")
            if limit.rate_per_s is not None:
                used = self.spent(key) + sum(k.held * chunk_units(k) for k in bound)
                if used > max(limit.most, chunk_units(known)) * (1 + _HAIR):
                    self._ledger.breach(
                        "rate", f"{used:g} units at once under {key}, which lets {limit.most:g} through"
                    )


def chunk_units(known: Known) -> float:
    """Units of each chunk of a campaign."""
    return float(known.first.payload["seconds"])
