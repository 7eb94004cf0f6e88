"""Where campaigns stand, in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from serving.scheduling.progress import Progress
from serving.scheduling.states import LIVE, Event, State, after
from serving.scheduling.work import Forecast, Move, Seen, Standing
from serving.stores.memory_state import InMemory, KeptCampaign

_ENDS = (Event.FINISH, Event.FAIL)


class MemoryStandings(InMemory):
    """Keeps the promises of `Standings`, and of the parts of `Log` that tell where campaigns stand."""

    def live(self, at: datetime) -> Seen:
        """Campaigns that may still lead to work, or run still; see `Standings.live`."""
        with self._memory.lock:
            stopping = [kept for kept in self._memory.campaigns.values() if kept.leased and kept.state not in LIVE]
            return Seen(self._shown([*self._memory.live.values(), *stopping], at), self._memory.mark)

    def changed(self, since: int, at: datetime, also: Collection[str] = ()) -> Seen:
        """Campaigns that changed since a mark; see `Standings.changed`."""
        with self._memory.lock:
            names = {name for name in also if name in self._memory.campaigns}
            for name, mark in reversed(self._memory.marked.items()):
                if mark <= since:
                    break
                names.add(name)
            return Seen(self._shown((self._memory.campaigns[name] for name in names), at), self._memory.mark)

    def standing(self, campaign_id: str, at: datetime) -> Standing:
        """Where a campaign stands; see `Standings.standing`."""
        with self._memory.lock:
            return self._standing(self._memory.known(campaign_id), at)

    def launched(self, at: datetime) -> list[Standing]:
        """Campaigns that are done; see `Log.launched`."""
        with self._memory.lock:
            return self._shown((c for c in self._memory.campaigns.values() if c.state is State.DONE), at)

    def begun(self, since: datetime, at: datetime) -> list[Standing]:
        """Campaigns that got their first slot after a moment; see `Log.begun`."""
        with self._memory.lock:
            began = [(c.begun_at, c) for c in self._memory.campaigns.values() if c.begun_at is not None]
            later = sorted((moment, c.number, c) for moment, c in began if moment > since)
            return [self._standing(c, at) for _, _, c in later]

    def estimated(
        self, asked: Sequence[Standing], forecast: Forecast, scores: Sequence[float | None], at: datetime
    ) -> None:
        """Keep estimates and scores; see `Standings.estimated`."""
        with self._memory.lock:
            for was, estimate, score in zip(asked, forecast.estimates, scores, strict=True):
                kept = self._memory.campaigns.get(was.campaign_id)
                if kept is not None and kept.revision == was.revision:
                    kept.estimate, kept.score, kept.estimated_at = estimate, score, at
                    kept.model_version, kept.source = forecast.model_version, forecast.source

    def move(self, moves: Iterable[Move], at: datetime) -> int:
        """Carry out changes of state; see `Standings.move`."""
        done = 0
        with self._memory.lock:
            self._memory.mark += 1
            for move in moves:
                kept, state = self._memory.campaigns.get(move.campaign_id), after(move.before, move.event)
                if kept is None or kept.state is not move.before:
                    continue
                # Work added since the scheduler looked must not be lost.
                if move.event in _ENDS and kept.queued + kept.leased > 0:
                    continue
                kept.launched_at = move.launched_at or kept.launched_at
                kept.ready_since = at if state is State.READY else kept.ready_since
                self._memory.enter(kept, state)
                done += 1
        return done

    def _shown(self, chosen: Iterable[KeptCampaign], at: datetime) -> list[Standing]:
        return [self._standing(kept, at) for kept in sorted(chosen, key=lambda kept: kept.number)]

    def _standing(self, kept: KeptCampaign, at: datetime) -> Standing:
        backing_off = [again for again in kept.backing_off.values() if again > at]
        return Standing(
            campaign=kept.campaign,
            state=kept.state,
            submitted_at=kept.submitted_at,
            revision=kept.revision,
            boost=kept.boost,
            pinned=kept.pinned,
            estimate=kept.estimate,
            estimated_at=kept.estimated_at,
            model_version=kept.model_version,
            source=kept.source,
            score=kept.score,
            preemptions=kept.preemptions,
            progress=Progress(
                units=kept.units,
                units_done=kept.units_done,
                chunks_done=kept.chunks_done,
                spent_s=kept.spent_s,
                tasks=len(kept.tasks),
                queued=kept.queued,
                leased=kept.leased,
                done=kept.done,
                dead=kept.dead,
            ),
            backing_off=len(backing_off),
            retry_at=min(backing_off, default=None),
            begun_at=kept.begun_at,
            ready_since=kept.ready_since,
            worked_at=kept.worked_at,
            launched_at=kept.launched_at,
            blocked_by=self._blocked_by(kept) if kept.campaign.after else (),
        )

    def _blocked_by(self, kept: KeptCampaign) -> tuple[tuple[str, State | None], ...]:
        blocked = []
        for name in sorted(set(kept.campaign.after)):
            predecessor = self._memory.campaigns.get(name)
            state = None if predecessor is None else predecessor.state
            if state is not State.DONE:
                blocked.append((name, state))
        return tuple(blocked)
