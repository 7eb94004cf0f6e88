"""Who should have gone first: worked out anew at some of the leases, slowly and from the store alone.

    pin > starvation reserve > account below its guaranteed share > index x boost, or what it inherits

Nobody may hold a slot that a more pressing campaign could have had, unless a right of that list gave it to him.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from features.curves import hours
from serving.scheduling.policies import index, matrix
from serving.scheduling.ports import Store
from serving.scheduling.roster import columns_of
from serving.scheduling.states import LIVE, State
from serving.scheduling.work import Lease, Standing
from tests.simulation.bindings import Bindings
from tests.simulation.ledger import Ledger
from tests.simulation.links import HORIZON_H
from tests.simulation.worlds import World

EVERY = 8
"""One claim in so many is looked at."""
_CLEARLY = 1 + 1e-9


@dataclass
class Contender:
    """A campaign that is live, with what it presses and is pinned by, its own or inherited."""

    standing: Standing
    pressure: float
    pinned: bool

    @property
    def name(self) -> str:
        """Its id."""
        return self.standing.campaign_id


class Precedence:
    """Looks at claims.

    Parameters
    ----------
    slots_of : how many slots a scheduler has by now, by its name.
    """

    def __init__(
        self, world: World, ledger: Ledger, store: Store, bindings: Bindings, slots_of: Callable[[str], int]
    ) -> None:
        self._world, self._ledger, self._store, self._bindings = world, ledger, store, bindings
        self._slots_of, self._slots = slots_of, world.slots
        self._claims = 0

    def before_claim(self, owner: str, at: datetime) -> dict[str, Contender] | None:
        """The contenders just before a claim; None when this one is not looked at."""
        self._claims += 1
        if self._claims % EVERY or self._horizon_unknown():
            return None
        self._slots = self._slots_of(owner)
        found = contenders(self._store.live(at).standings, self._slots, at)
        inherit(found, at)
        return found

    def claimed(self, before: dict[str, Contender] | None, leases: Sequence[Lease], at: datetime) -> None:
        """Check that nobody has reason to envy a campaign that was given a slot."""
        if before is None or not leases:
            return
        self._ledger.counts["claims compared with the policy"] += 1
        taken = Counter(lease.task.campaign_id for lease in leases)
        given = [before[name] for name in taken]
        envious = [
            contender for contender in before.values() if startable(contender.standing, at) > taken[contender.name]
        ]
        for holder in given:
            for other in envious:
                if other is holder or not self._envies(other, holder) or self._entitled(holder, taken, before, at):
                    continue
                # Who had a right to a first slot holds his keys with it, and what rank adds is no key's matter.
                begun = self._entitled(holder, taken, before, at, tasks=1)
                if not self._bindings.holds_back(
                    other.standing.campaign, instead_of=holder.standing.campaign, begun=begun
                ):
                    self._ledger.breach(
                        "order",
                        f"{holder.name} (pressing {holder.pressure:.4g}) was given a slot that {other.name}"
                        f" (pressing {other.pressure:.4g}) could have had",
                    )

    def _horizon_unknown(self) -> bool:
        """Whether a new leader may still wait for a first answer, and with it for the model's horizon."""
        now = self._ledger.now_s()
        return any(o.late_s and o.from_s <= now < o.to_s + o.late_s for o in self._world.plague.outages)

    def _envies(self, other: Contender, holder: Contender) -> bool:
        if other.pinned != holder.pinned:
            return other.pinned
        return other.pressure > holder.pressure * _CLEARLY + 1e-12

    def _entitled(
        self,
        holder: Contender,
        taken: Counter[str],
        before: dict[str, Contender],
        at: datetime,
        tasks: int | None = None,
    ) -> bool:
        """Whether the reserve, or its account's guaranteed share, may have given it so many slots; None for all."""
        rules, slots = self._world.rules, self._slots
        if rules.reserve.share and waits_since(holder.standing) + timedelta(hours=rules.reserve.max_wait_h) <= at:
            return True
        account = holder.standing.campaign.account
        contending = {
            c.standing.campaign.account
            for c in before.values()
            if (c.standing.progress.leased and c.standing.state in LIVE) or startable(c.standing, at)
        }
        share = rules.shares.guaranteed(contending).get(account, 0.0) if rules.shares.total else 0.0
        known = [k for k in self._ledger.campaigns.values() if k.campaign.account == account]
        # What others of the account were given at the same moment, rank may have given them afterwards.
        others = sum(taken[k.campaign.campaign_id] for k in known) - (taken[holder.name] if tasks is None else tasks)
        return sum(k.held for k in known) - others <= ceil(share * slots)


def contenders(standings: Sequence[Standing], slots: int, at: datetime) -> dict[str, Contender]:
    """Live campaigns by id, as hard as they press for so many slots."""
    valued = [s for s in standings if s.estimate is not None]
    if not valued:
        return {}
    # Who was cancelled and only has tasks on their way out contends no more, and speaks for no common measure.
    by_matrix = any(s.estimate is not None and s.estimate.value is None for s in valued if s.state in LIVE)
    columns = columns_of(valued, slots)
    keys = (matrix if by_matrix else index(HORIZON_H))(columns, hours(at))
    found = {s.campaign_id: Contender(s, key * s.boost, s.pinned) for s, key in zip(valued, keys.tolist(), strict=True)}
    for s in standings:
        found.setdefault(s.campaign_id, Contender(s, 0.0, s.pinned))
    return found


def startable(standing: Standing, at: datetime) -> int:
    """Tasks of a campaign that could start at a moment, if nothing binds it."""
    campaign = standing.campaign
    if standing.state not in (State.READY, State.RUNNING) or standing.blocked_by or campaign.released_at > at:
        return 0
    ends = [campaign.ends_at]
    if campaign.value_shape == "deadline" and campaign.late_fraction == 0:
        ends.append(campaign.launch_by)
    if any(end is not None and end <= at for end in ends):
        return 0
    return standing.progress.queued - standing.backing_off


def waits_since(standing: Standing) -> datetime:
    """Since when a campaign waits for a slot."""
    ready = standing.ready_since or max(standing.submitted_at, standing.campaign.released_at)
    return max(ready, standing.worked_at or ready)


def inherit(found: dict[str, Contender], at: datetime) -> None:
    """Let whoever is waited for press as hard as those who wait, along every chain."""
    waits = [
        (c, found[name])
        for c in found.values()
        if c.standing.state is not State.PAUSED
        for name, _ in c.standing.blocked_by
        if name in found
    ]
    holders = _holders(found)
    waits += [
        (c, holders[key])
        for c in found.values()
        if startable(c.standing, at)
        for key in c.standing.campaign.exclusive
        if key in holders and holders[key] is not c
    ]
    changed = True
    while changed:
        changed = False
        for waiting, awaited in waits:
            if waiting.pressure > awaited.pressure or (waiting.pinned and not awaited.pinned):
                awaited.pressure = max(awaited.pressure, waiting.pressure)
                awaited.pinned |= waiting.pinned
                changed = True


def _holders(found: dict[str, Contender]) -> dict[str, Contender]:
    """Who holds each exclusive key: of those that have begun, who runs, or ran last."""

    def latest(contender: Contender) -> tuple[bool, float]:
        standing = contender.standing
        return standing.progress.leased > 0, standing.worked_at.timestamp() if standing.worked_at else 0.0

    begun = [
        c
        for c in found.values()
        if c.standing.begun_at is not None and (c.standing.state is not State.PAUSED or c.standing.progress.leased)
    ]
    return {key: c for c in sorted(begun, key=latest) for key in c.standing.campaign.exclusive}
