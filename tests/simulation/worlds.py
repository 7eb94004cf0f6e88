"""Worlds by seed: who submits what and when, what owners do then, what the operator allows, and what goes wrong.

Everything lies on a coarse grid of time, so that much happens at one moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any, Literal

from features.records import Campaign, Delivers, OnFailure, Task, ValueShape
from serving.scheduling.preemption import Preemption
from serving.scheduling.rules import Cap, Limit, Reserve, Rules, Shares
from tests.queueing import NOON
from tests.simulation.plagues import CALM, Plague, plague_of

GRID_S = 60
LEAST_LOAD = 1.2
LEASE_S = 300.0
ATTEMPTS = 4
TARGETS = ("north", "south", "east", "west")
KEYS = ("segment:vip", "page:home", "list:all")

What = Literal["pause", "resume", "cancel", "boost", "pin", "unpin", "revise", "add", "again", "redrive"]


@dataclass(frozen=True)
class Submission:
    """A campaign with its tasks, and when it is submitted, in seconds from the start."""

    at_s: float
    campaign: Campaign
    tasks: tuple[Task, ...]


@dataclass(frozen=True)
class Intervention:
    """Something an owner does to a campaign."""

    at_s: float
    campaign_id: str
    what: What
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class World:
    """All that a seed decides before anything runs.

    Attributes
    ----------
    workers : slots of each worker.
    embedded : workers live and die with their scheduler; else they are shared by all schedulers.
    on_grid : chunks end on the grid of time, so that much happens at one moment; else each takes its own time.
    load : slot time submitted, over what the slots offer while campaigns arrive.
    """

    seed: int
    workers: tuple[int, ...]
    embedded: bool
    on_grid: bool
    load: float
    rules: Rules
    preemption: Preemption
    dollars: bool
    plague: Plague
    submissions: tuple[Submission, ...]
    interventions: tuple[Intervention, ...]

    @property
    def slots(self) -> int:
        """Slots of all workers."""
        return sum(self.workers)

    @property
    def calm(self) -> bool:
        """Whether nothing goes wrong here, so that bounds in time hold exactly."""
        return self.plague is CALM


def world_of(seed: int, size: int = 50) -> World:
    """The world of a seed, with about `size` campaigns."""
    chance = Random(seed)
    workers = tuple(chance.choice((10, 14, 20)) for _ in range(chance.choice((2, 2, 3))))
    accounts = ("acme", "bolt", "corp", "dune")[: chance.choice((2, 3, 4))]
    channels = ("mail", "push", "web")
    load = LEAST_LOAD + 0.1 * chance.randrange(0, 5)
    drafts = [_draft(chance, n, accounts, channels) for n in range(chance.randrange(size * 4 // 5, size * 6 // 5))]
    work_s = sum(task.payload["seconds"] * task.payload["chunks"] for draft in drafts for task in draft.tasks)
    span_s = work_s / sum(workers) / load
    submissions = tuple(sorted((_placed(chance, draft, span_s) for draft in drafts), key=lambda each: each.at_s))
    plague = CALM if seed % 4 == 0 else plague_of(chance, span_s)
    return World(
        seed=seed,
        workers=workers,
        embedded=chance.random() < 0.5,
        on_grid=chance.random() < 0.8,
        load=load,
        rules=_rules(chance, drafts, channels, sum(workers), span_s),
        preemption=Preemption(
            chance.choice((1.0, 1.5, 3.0)), chance.choice((0.0, 2 / 60, 0.1)), chance.choice((0, 1, 3))
        ),
        dollars=chance.random() < 0.9,
        plague=plague,
        submissions=submissions,
        interventions=tuple(_interventions(chance, submissions, span_s)),
    )


@dataclass(frozen=True)
class _Draft:
    """A campaign that has no place in time yet: what depends on that is given in seconds from its submission."""

    facts: dict[str, Any]
    released_s: float
    ends_s: float | None
    due_s: float | None
    tasks: tuple[Task, ...]


def _draft(chance: Random, n: int, accounts: tuple[str, ...], channels: tuple[str, ...]) -> _Draft:
    own = f"c{n:03}"
    seconds = GRID_S * chance.choice((1, 1, 1, 2, 3))
    chunks = chance.choice((1, 1, 2, 3, 4))
    order = chance.choice(("all at once", "all at once", "chain", "gather"))
    count = chance.choice((1, 2, 4) if order == "chain" else (1, 4, 16, 32, 48))
    tasks = tuple(task_of(own, k, seconds, chunks, _before(order, k, count)) for k in range(count))
    shape = chance.choice((ValueShape.WINDOW, ValueShape.DEADLINE, ValueShape.HALF_LIFE))
    released_s = chance.choice((0.0, 0.0, 0.0, GRID_S * chance.randrange(1, 20)))
    due_s = released_s + GRID_S * chance.randrange(20, 400)
    after = tuple(f"c{chance.randrange(n):03}" for _ in range(1)) if n and chance.random() < 0.2 else ()
    facts = {
        "campaign_id": own,
        "account": chance.choice((*accounts, accounts[0])),
        "kind": chance.choice(("sale", "news")),
        "channel": chance.choice(channels),
        "work_units": sum(task.units for task in tasks),
        "value_shape": shape,
        "half_life_h": chance.choice((0.5, 2.0, 8.0)) if shape is ValueShape.HALF_LIFE else None,
        "late_fraction": chance.choice((0.0, 0.2, 0.5)) if shape is ValueShape.DEADLINE else None,
        "planned_revenue": 10.0 * chance.choice((0, 1, 2, 5, 10, 50, 200)),
        "urgency": chance.choice((0.0, 0.2, 0.5, 0.9)),
        "delivers": chance.choice((Delivers.AT_END, Delivers.AS_DONE)),
        "exclusive": (chance.choice(KEYS),) if chance.random() < 0.2 else (),
        "targets": {chance.choice(TARGETS): 1.0} if chance.random() < 0.2 else {},
        "after": after,
        "on_failure": chance.choice((OnFailure.HOLD, OnFailure.CANCEL)),
    }
    ends = shape is ValueShape.WINDOW or chance.random() < 0.2
    return _Draft(
        facts=facts,
        released_s=released_s,
        ends_s=due_s + GRID_S * chance.randrange(20, 600) if ends else None,
        due_s=due_s if shape is ValueShape.DEADLINE or chance.random() < 0.3 else None,
        tasks=tasks,
    )


def task_of(campaign_id: str, n: int, seconds: float, chunks: int, after: tuple[str, ...] = ()) -> Task:
    """A task of so many chunks of so many seconds each, a unit a second."""
    return Task(
        task_id=f"t{n}",
        campaign_id=campaign_id,
        handler="work",
        units=float(seconds * chunks),
        payload={"seconds": seconds, "chunks": chunks},
        after=after,
    )


def _before(order: str, k: int, count: int) -> tuple[str, ...]:
    if order == "chain" and k:
        return (f"t{k - 1}",)
    if order == "gather" and k == count - 1:
        return tuple(f"t{before}" for before in range(k))
    return ()


def _placed(chance: Random, draft: _Draft, span_s: float) -> Submission:
    at_s = GRID_S * (chance.randrange(int(span_s)) // GRID_S)

    def moment(seconds: float | None) -> Any:
        return None if seconds is None else NOON + timedelta(seconds=at_s + seconds)

    campaign = Campaign(
        **draft.facts,
        released_at=moment(draft.released_s),
        launch_by=moment(draft.due_s),
        ends_at=moment(draft.ends_s),
    )
    return Submission(float(at_s), campaign, draft.tasks)


def _rules(chance: Random, drafts: list[_Draft], channels: tuple[str, ...], slots: int, span_s: float) -> Rules:
    def rate_of(fact: str, name: str, least: float, most: float) -> float:
        """Units a second under a key: less or more than what is to be sent while campaigns arrive."""
        units = sum(draft.facts["work_units"] for draft in drafts if draft.facts[fact] == name)
        return round(max(units, GRID_S) / span_s * chance.choice((least, 1.0, most)), 2)

    limits: dict[str, Limit] = {}
    if chance.random() < 0.5:
        rate = rate_of("channel", channels[0], 0.7, 1.5)
        limits[f"channel:{channels[0]}"] = Limit(rate_per_s=rate, burst=rate * chance.choice((60, 300)))
    if chance.random() < 0.7:
        concurrency = int(slots * chance.choice((0.15, 0.25, 0.5)))
        limits[f"channel:{channels[1]}"] = Limit(concurrency=concurrency)
    if chance.random() < 0.3:
        rate = rate_of("account", "acme", 0.8, 1.5)
        limits["account:acme"] = Limit(rate_per_s=rate, burst=rate * 120, concurrency=max(slots // 3, 1))
    share = chance.choice((0.0, 0.1, 0.2))
    return Rules(
        reserve=Reserve(share=share, max_wait_h=chance.choice((0.2, 0.4, 0.8))),
        shares=Shares(total=chance.choice((0.0, 0.5, 0.8))),
        limits=limits,
        cap=Cap(count=chance.choice((1, 2, 4)), window_h=chance.choice((0.5, 1.0))) if chance.random() < 0.5 else None,
    )


def _interventions(chance: Random, submissions: tuple[Submission, ...], span_s: float) -> Iterator[Intervention]:
    """What owners do, later than they submitted; whoever pauses resumes."""
    for submission in submissions:
        own = submission.campaign.campaign_id
        at_s = submission.at_s + GRID_S * chance.randrange(0, 60)
        drawn = chance.random()
        if drawn < 0.06:
            yield Intervention(at_s, own, "pause")
            yield Intervention(at_s + GRID_S * chance.randrange(1, 30), own, "resume")
        elif drawn < 0.09:
            yield Intervention(at_s, own, "cancel")
        elif drawn < 0.17:
            yield Intervention(at_s, own, "boost", {"boost": chance.choice((0.1, 0.5, 2.0, 10.0))})
        elif drawn < 0.21:
            yield Intervention(at_s, own, "pin")
            yield Intervention(at_s + GRID_S * chance.randrange(1, 40), own, "unpin")
        elif drawn < 0.29:
            yield Intervention(at_s, own, "revise", {"planned_revenue": 10.0 * chance.choice((0, 5, 100))})
        elif drawn < 0.33:
            yield Intervention(at_s, own, "add", {"tasks": chance.choice((1, 3)), "seconds": float(GRID_S)})
        elif drawn < 0.38:
            yield Intervention(at_s, own, "again")
        yield Intervention(span_s + GRID_S * chance.randrange(5, 30), own, "redrive")
