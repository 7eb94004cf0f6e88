"""What would be if: the queue with a campaign more, or with some of its campaigns changed. Nothing is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from features.records import Campaign
from serving.api.answers import Moved, Place, Supposed
from serving.api.bodies import Change, WhatIf
from serving.api.checks import with_facts
from serving.clock import Clock
from serving.errors import BadInput, CampaignUnknown, Fault
from serving.scheduling.ports import Predictor, Store
from serving.scheduling.states import LIVE, State
from serving.scheduling.tick import Tick
from serving.scheduling.valuing import valued
from serving.scheduling.what_if import newcomer, put_back, steered
from serving.scheduling.work import Standing


@dataclass(frozen=True)
class Supposing:
    """Answers `POST /what-if`, by the predictions and the policy that the scheduler itself goes by."""

    store: Store
    tick: Tick
    predictor: Predictor
    clock: Clock

    async def answer(self, asked: WhatIf) -> Supposed:
        """Where the campaigns asked about stand, and where they would.

        Raises
        ------
        CampaignUnknown, IllegalTransition
        BadInput
            When nothing is asked, the new campaign is there already, or one to be changed has ended.
        """
        if asked.campaign is None and not asked.changes:
            raise BadInput("body", None, "must hold a campaign, changes, or both")
        at = self.clock.now()
        standings = [] if asked.campaign is None else [self._new(asked.campaign, at)]
        standings += [self._changed(campaign_id, change, at) for campaign_id, change in asked.changes.items()]
        standings = await self._valued(standings, at)
        before, then = self.tick.board, await self.tick.supposing(standings)
        places = []
        for standing in standings:
            there = before.entry(standing.campaign_id)
            as_it_would = then.entry(standing.campaign_id)
            places.append(
                Moved(
                    campaign_id=standing.campaign_id,
                    before=None if there is None else Place.of(there.standing, before),
                    after=Place.of(standing if as_it_would is None else as_it_would.standing, then),
                )
            )
        named = {standing.campaign_id for standing in standings}
        return Supposed(moment=then.moment, campaigns=tuple(places), put_back=put_back(before, then, named))

    def _new(self, campaign: Campaign, at: datetime) -> Standing:
        try:
            self.store.standing(campaign.campaign_id, at)
        except CampaignUnknown:
            return replace(newcomer(campaign, at), blocked_by=self._blocked_by(campaign, at))
        raise BadInput(
            "campaign.campaign_id", campaign.campaign_id, "must be new: ask about those that are there with changes"
        )

    def _changed(self, campaign_id: str, change: Change, at: datetime) -> Standing:
        standing = self.store.standing(campaign_id, at)
        field = f"changes.{campaign_id}"
        if standing.state not in LIVE:
            raise BadInput(field, standing.state, "must be of a live campaign: this one has ended")
        try:
            campaign = with_facts(standing.campaign, change.facts)
        except BadInput as error:
            raise BadInput.of([Fault(f"{field}.{f.field}", f.value, f.allowed) for f in error.faults]) from error
        if campaign != standing.campaign:
            blocked_by = self._blocked_by(campaign, at)
            # Asked about anew below, and read anew by the policy.
            revision = standing.revision + 1
            standing = replace(standing, campaign=campaign, revision=revision, estimated_at=None, blocked_by=blocked_by)
        return steered(standing, boost=change.boost, pinned=change.pin, paused=change.paused)

    def _blocked_by(self, campaign: Campaign, at: datetime) -> tuple[tuple[str, State | None], ...]:
        states: Mapping[str, State | None] = {name: self._state(name, at) for name in campaign.after}
        return tuple((name, state) for name, state in states.items() if state is not State.DONE)

    def _state(self, campaign_id: str, at: datetime) -> State | None:
        try:
            return self.store.standing(campaign_id, at).state
        except CampaignUnknown:
            return None

    async def _valued(self, standings: list[Standing], at: datetime) -> list[Standing]:
        asked = [standing for standing in standings if standing.estimated_at is None]
        if not asked:
            return standings
        forecast = await self.predictor.forecast(asked, at)
        estimates = {estimate.campaign_id: estimate for estimate in forecast.estimates}
        return [
            valued(s, estimates[s.campaign_id], forecast, at) if s.campaign_id in estimates else s for s in standings
        ]
