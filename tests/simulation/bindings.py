"""What binds campaigns, checked at each lease: dependencies, release, exclusive keys, limits and caps."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from features.records import Campaign
from serving.scheduling.ports import Store
from serving.scheduling.rules import Limit, Rules
from serving.scheduling.states import LIVE, State
from serving.scheduling.work import Lease
from tests.simulation.ledger import Known, Ledger

_HAIR = 1e-6


class Bindings:
    """Checks them, by the ledger and, for states, by the store itself.

    Parameters
    ----------
    skew_s : how far the clocks of two schedulers may differ.
    """

    def __init__(self, ledger: Ledger, store: Store, rules: Rules, skew_s: float) -> None:
        self._ledger, self._store, self._rules, self._skew_s = ledger, store, rules, skew_s
        self._holder: dict[str, str] = {}
        self._filled: dict[str, tuple[float, float]] = {}  # by key: units above the drain, and as of when
        self._begun: dict[str, list[float]] = defaultdict(list)

    def limits_of(self, campaign: Campaign) -> dict[str, Limit]:
        """The limits that a campaign counts against, by key."""
        limits = self._rules.limits
        keys = (f"account:{campaign.account}", f"channel:{campaign.channel}", f"kind:{campaign.kind}")
        return {key: limits[key] for key in keys if key in limits}

    def running(self, key: str) -> int:
        """How many leases count against a limit."""
        return sum(known.held for known in self._ledger.campaigns.values() if key in self.limits_of(known.campaign))

    def holder(self, key: str, at: datetime) -> str | None:
        """The campaign that holds an exclusive key."""
        holder = self._holder.get(key)
        if holder is None:
            return None
        state, held = self._store.standing(holder, at).state, self._ledger.campaigns[holder].held
        let_go = (state not in LIVE or state is State.PAUSED) and not held
        return None if let_go else holder

    def addressed(self, target: str) -> int:
        """How many campaigns began to address a target within the cap's window."""
        cap = self._rules.cap
        if cap is None:
            return 0
        since = self._ledger.now_s() - cap.window_h * 3600
        return sum(begun > since + self._skew_s for begun in self._begun[target])

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
            self._check_predecessors(campaign, at)
            self._check_cap(campaign)
        for key in campaign.exclusive:
            holder = self.holder(key, at)
            if holder not in (None, own):
                self._ledger.breach("conflict", f"{own} runs beside {holder}, which holds {key}")
            self._holder[key] = own
        self._check_limits(known, lease)

    def _check_predecessors(self, campaign: Campaign, at: datetime) -> None:
        for name in campaign.after:
            state = self._store.standing(name, at).state if name in self._ledger.campaigns else None
            if state is not State.DONE:
                self._ledger.breach("dependency", f"{campaign.campaign_id} began while {name} was {state}")

    def _check_cap(self, campaign: Campaign) -> None:
        cap = self._rules.cap
        for target in campaign.targets:
            if cap is not None and self.addressed(target) >= cap.count:
                self._ledger.breach("frequency cap", f"{campaign.campaign_id} is one too many to address {target}")
            self._begun[target].append(self._ledger.now_s())

    def _check_limits(self, known: Known, lease: Lease) -> None:
        now = self._ledger.now_s()
        for key, limit in self.limits_of(known.campaign).items():
            if limit.concurrency is not None and self.running(key) > limit.concurrency:
                self._ledger.breach("concurrency", f"{self.running(key)} tasks run under {key}")
            if limit.rate_per_s is None:
                continue
            units = float(lease.task.payload["seconds"])
            filled, as_of = self._filled.get(key, (0.0, 0.0))
            filled = max(filled - limit.rate_per_s * (now - as_of), 0.0) + units
            self._filled[key] = (filled, now)
            if filled > max(limit.most, units) + _HAIR:
                self._ledger.breach("rate", f"{filled:g} units at once under {key}, which lets {limit.most:g} through")
