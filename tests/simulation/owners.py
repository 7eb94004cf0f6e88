"""Those outside the scheduler: owners who submit and change campaigns, and try again when they get no answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any

from serving.errors import PrecedenceError
from serving.scheduling.states import LIVE, Event, State
from tests.simulation.ledger import Ledger
from tests.simulation.links import Link, Unreachable
from tests.simulation.virtual import VirtualClock
from tests.simulation.worlds import Intervention, Submission, World, task_of

TRY_AGAIN_S = 5.0
WAKES = 0.9
"""How often the schedulers are told of a change where things go wrong; else they notice by themselves."""


class Owners:
    """Play their part of a world.

    Parameters
    ----------
    wake : tells the schedulers that something changed.
    """

    def __init__(
        self, world: World, link: Link, ledger: Ledger, clock: VirtualClock, chance: Random, wake: Callable[[], None]
    ) -> None:
        self._world, self._link, self._ledger, self._clock = world, link, ledger, clock
        self._chance, self._wake = chance, wake

    async def play(self) -> None:
        """Do everything in its time."""
        for at_s, do in self._acts():
            await self._clock.sleep(at_s - self._ledger.now_s())
            await self._insist(do)
            if self._world.calm or self._chance.random() < WAKES:
                self._wake()

    def give_up(self, campaign_id: str) -> None:
        """Cancel a campaign that waits for what will never be done."""
        self._ledger.given_up.add(campaign_id)
        with suppress(Unreachable):  # the next look tries again
            self._link.apply(campaign_id, Event.CANCEL)

    def _acts(self) -> Iterator[tuple[float, Callable[[], Any]]]:
        acts: list[tuple[float, Callable[[], Any]]] = [
            *((each.at_s, partial(self._submit, each)) for each in self._world.submissions),
            *((each.at_s, partial(self._intervene, each)) for each in self._world.interventions),
        ]
        yield from sorted(acts, key=lambda act: act[0])

    def _submit(self, submission: Submission) -> None:
        self._link.submit(submission.campaign, submission.tasks, self._clock.now())

    async def _insist(self, do: Callable[[], Any]) -> None:
        """Try until there is an answer; a refusal is one."""
        while True:
            try:
                do()
            except Unreachable:
                await self._clock.sleep(TRY_AGAIN_S)
            except PrecedenceError:
                return
            else:
                return

    def _intervene(self, intervention: Intervention) -> None:
        own, what = intervention.campaign_id, intervention.what
        known = self._ledger.campaigns[own]
        match what:
            case "pause" | "resume" | "cancel":
                if what == "cancel":  # whether or not there is an answer
                    self._ledger.given_up.add(own)
                self._link.apply(own, Event(what))
            case "boost":
                self._link.revise(own, {}, boost=intervention.facts["boost"])
            case "pin" | "unpin":
                self._link.revise(own, {}, pinned=what == "pin")
            case "revise":
                self._link.revise(own, intervention.facts)
            case "add":
                seconds, count = known.first.payload["seconds"], intervention.facts["tasks"]
                tasks = [task_of(own, 100 + n, seconds, 1) for n in range(count)]
                self._link.add_tasks(own, tasks, self._clock.now())
            case "again":
                submission = next(s for s in self._world.submissions if s.campaign.campaign_id == own)
                if self._link.submit(submission.campaign, submission.tasks, self._clock.now()):
                    self._ledger.breach("nothing lost", f"{own} was taken for new when submitted again")
            case "redrive":
                if any(kept.dead for kept in known.tasks.values()):
                    self._link.redrive(own, None, self._clock.now())


def settled(link: Any, clock: VirtualClock, owners: Owners) -> bool:
    """Whether every campaign has ended; those held by what never will be done are given up."""
    standings = link.live(clock.now()).standings
    for standing in standings:
        ended = [state for _, state in standing.blocked_by if state is not None and state not in LIVE]
        if ended and State.DONE not in ended and not standing.progress.leased:
            owners.give_up(standing.campaign_id)
    return not standings
