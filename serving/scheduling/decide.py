"""One step of the scheduler as a pure function: what to start and stop, given how everything stands."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from features.curves import hours
from serving.scheduling.allot import Allotment, Grant
from serving.scheduling.board import Board
from serving.scheduling.lineup import Via
from serving.scheduling.policies import index
from serving.scheduling.ports import AHEAD_S, Running
from serving.scheduling.states import Event, State
from serving.scheduling.work import Decision, Move, Want

_SMALL = timedelta(seconds=AHEAD_S)
"""What takes longer was no small task."""
_OVERFULL = 2.0
"""How many times the slots what was handed out may weigh before the line is taken back: paces waver."""


@dataclass(frozen=True)
class Yield:
    """A runner to stop at its next checkpoint, and why.

    Attributes
    ----------
    challenger : the campaign that takes its slot, if one does.
    by_right : the challenger's right to the slot; None if it only outranks the runner, which counts as preemption.
    """

    running: Running
    challenger: str | None = None
    by_right: Via | None = None

    @property
    def preempted(self) -> bool:
        """Whether it counts against the runner's budget."""
        return self.challenger is not None and self.by_right is None


@dataclass(frozen=True)
class Plan:
    """What one step does: grants of free slots, in order, and runners to stop."""

    grants: list[Grant]
    yields: list[Yield]

    def wants(self, board: Board) -> list[Want]:
        """The tasks to be leased for the grants."""
        rated = board.policy.rules.rated
        tasks: Counter[int] = Counter()
        for grant in self.grants:
            tasks[grant.row] += grant.tasks
        return [
            Want(board.standings[row].campaign_id, count, not rated.isdisjoint(board.lineup.terms[row].limits))
            for row, count in tasks.items()
        ]


def decide(board: Board, running: Sequence[Running]) -> Plan:
    """Decide who gets the free slots, and who gives way, with these tasks `running` on the executor."""
    of: dict[str, list[Running]] = defaultdict(list)
    for runner in running:
        of[runner.lease.task.campaign_id].append(runner)
    weights: dict[str, float] = {}
    stopped, left = [], []
    going: Counter[int] = Counter()
    for campaign_id, runners in of.items():
        row = board.row_of.get(campaign_id)
        weighed = _weighed(runners, 1.0 if row is None else float(board.lineup.weight[row]), board.moment)
        weights |= weighed
        if row is None or board.standings[row].state not in (State.READY, State.RUNNING):
            stopped += [Yield(r) for r in runners if not r.yielding]
        else:
            left += [(row, r) for r in runners if weighed[r.lease.lease_id] >= 1.0 and not r.yielding]
            # Those that reported just now run no more, though the store does not know it yet; and one whose lease ran
            # out is none of those that the store has leased.
            staying = sum(not r.yielding and r.lease.until > board.moment for r in runners)
            going[row] = max(board.standings[row].progress.leased - staying, 0)
    leaving = len(stopped) + sum(r.yielding for r in running)
    taken = sum(weights.values())
    if taken > _OVERFULL * board.slots:
        back = _overhang(running, weights, taken - board.slots)
        taken -= sum(weights[lease_id] for lease_id in back)
        left = [(row, r) for row, r in left if r.lease.lease_id not in back]
        there = {y.running.lease.lease_id for y in stopped}
        stopped += [Yield(back[lease_id]) for lease_id in back if lease_id not in there]
    grants = board.allotment.fill(board.slots - taken)
    if not left or not any(map(board.allotment.left.__getitem__, board.allotment.ranked)):
        return Plan(grants, stopped)
    # What leaves anyway is filled on paper first: nobody is sent away for a slot that comes free by itself.
    paper = board.allotment.copy()
    paper.fill(float(leaving))
    runners_left = _Runners(board, left, going)
    return Plan(grants, [*stopped, *runners_left.by_right(paper), *runners_left.outranked(paper)])


def _weighed(runners: Sequence[Running], weight: float, moment: datetime) -> dict[str, float]:
    """Shares of a slot that a campaign's leases take: one taken for small that is not speaks for those in line too."""
    large = {r.lease.lease_id for r in runners if _is_large(r, moment)}
    in_line = 1.0 if large else weight
    return {
        r.lease.lease_id: 1.0 if r.lease.lease_id in large else in_line if r.since is None else weight for r in runners
    }


def _overhang(running: Sequence[Running], weights: Mapping[str, float], surplus: float) -> dict[str, Running]:
    """What to take back from the end of the line so that its weight falls by a surplus; it loses nothing by that."""
    back: dict[str, Running] = {}
    for runner in reversed(running):
        if surplus <= 0.0:
            break
        if runner.since is None and not runner.yielding:
            back[runner.lease.lease_id] = runner
            surplus -= weights[runner.lease.lease_id]
    return back


def _is_large(runner: Running, moment: datetime) -> bool:
    """Whether a task that was taken for a small one has turned out to be none."""
    return runner.since is not None and moment - runner.since >= _SMALL


class _Runners:
    """Those that may be made to give way, the least pressing first; so many of each row are on their way out."""

    def __init__(self, board: Board, running: Sequence[tuple[int, Running]], leaving: Counter[int]) -> None:
        self._board = board
        self._sent = leaving  # as good as preempted, though the store may not know it yet
        # Of those that stay, so many of each row have their slots by a right, and rank gave the others theirs.
        staying = Counter(row for row, _ in running)
        self._lent = Counter({row: min(int(board.lineup.lent[row]), tasks) for row, tasks in staying.items()})
        self._by_rank = staying - self._lent
        pressing, pinned = board.allotment.pressing, board.allotment.pinned
        self._left = sorted(running, key=lambda pair: (pinned[pair[0]], pressing[pair[0]]))

    def by_right(self, paper: Allotment) -> Iterator[Yield]:
        """One for each campaign with a right to a slot that none is free for; neither budget nor least run protect."""
        for row, via in paper.claims():
            leaves = next((pair for pair in self._left if self._may_leave(paper, pair[0], row)), None)
            if leaves is None:
                return
            self._left.remove(leaves)
            (self._by_rank if self._by_rank[leaves[0]] else self._lent)[leaves[0]] -= 1
            paper.grant(row, 1, via)
            yield Yield(leaves[1], self._board.standings[row].campaign_id, via)

    def outranked(self, paper: Allotment) -> Iterator[Yield]:
        """Those that a clearly more pressing campaign is to replace.

        A slot that the reserve or a share lent goes back as soon as its credit is used up and anybody presses harder.
        """
        board, rule = self._board, self._board.policy.preemption
        sent = self._sent
        for row, runner in self._left:
            if runner.since is None:
                continue  # it is handed out ahead, for a moment only
            standing = board.standings[row]
            ran_h = (board.moment - runner.since) / timedelta(hours=1)
            lent = self._lent[row] > 0 and paper.lent(row)
            if not lent and not (self._by_rank[row] and rule.disturbs(ran_h, standing.preemptions + sent[row])):
                continue
            challenger = next(self._challengers(paper, row, 1.0 if lent else rule.factor), None)
            if challenger is not None:
                sent[row] += not lent
                (self._lent if lent else self._by_rank)[row] -= 1
                paper.grant(challenger, 1, Via.RANK)
                yield Yield(runner, board.standings[challenger].campaign_id, Via.RANK if lent else None)

    def _may_leave(self, paper: Allotment, row: int, claimant: int) -> bool:
        """Whether a runner may be sent away for a campaign with a right to a slot."""
        protected = paper.pinned[row] or paper.shared(row) or (not self._by_rank[row] and paper.by_right(row))
        return row != claimant and not protected

    def _challengers(self, paper: Allotment, runner: int, factor: float) -> Iterator[int]:
        """Waiting rows that may take the runner's slot, most pressing first."""
        terms = self._board.lineup.terms
        enough = factor * paper.pressing[runner]
        own = terms[runner].account if paper.shared(runner) else None
        for row in paper.ranked:
            by_pin = paper.pinned[row] and not paper.pinned[runner]
            if not by_pin and (paper.pinned[runner] or not paper.pressing[row] > enough):
                return
            if not paper.left[row] or row == runner or (own is not None and terms[row].account != own):
                continue
            if paper.hindrance(row, without=runner) is None:
                yield row


def next_look_h(board: Board, running: Sequence[Running]) -> float:
    """When time alone lets the policy decide otherwise, hours since the epoch; infinite for never."""
    now_h, least_h = hours(board.moment), board.policy.preemption.min_run_h
    challenged = [hours(r.since) + least_h for r in running if r.since is not None and not r.yielding]
    return min([board.allotment.next_turn_h(), *(at_h for at_h in challenged if at_h > now_h)])


_GROUNDS = {
    Via.PIN: "pinned",
    Via.RESERVE: "waited past the limit: from the reserve",
    Via.SHARE: "its account is below its guaranteed share",
    Via.RANK: "most pressing of those that may start",
}


def logged(plan: Plan, board: Board, started: Collection[str], moves: Iterable[Move]) -> list[Decision]:
    """The decisions of a step for the log, with the grounds they were made on.

    Parameters
    ----------
    started : campaigns of which tasks were leased.
    """
    ended = [
        Decision(campaign_id=move.campaign_id, at=board.moment, chosen="expire", reason="nothing left to win")
        for move in moves
        if move.event is Event.EXPIRE
    ]
    of = board.standings
    rows = [(g.row, "start", _GROUNDS[g.via]) for g in plan.grants if of[g.row].campaign_id in started]
    for y in plan.yields:
        row = board.row_of.get(y.running.lease.task.campaign_id)
        if row is not None and y.challenger is not None:
            ground = f"outranked by {y.challenger}" if y.preempted else f"{y.challenger} has a right to a slot"
            rows.append((row, "yield", ground))
    return [*ended, *_grounded(board, rows)]


def _grounded(board: Board, chosen: Sequence[tuple[int, str, str]]) -> list[Decision]:
    if not chosen:
        return []
    rows = np.array([row for row, _, _ in chosen])
    columns = board.lineup.columns.take(rows)
    indices = index(board.policy.horizon_h)(columns, hours(board.moment))
    scores = columns.points if board.by_matrix else board.policy.score(indices)
    place = {row: at for at, row in enumerate(board.allotment.ranked, start=1)}
    decisions = []
    for at, (row, what, reason) in enumerate(chosen):
        standing = board.standings[row]
        decisions.append(
            Decision(
                campaign_id=standing.campaign_id,
                at=board.moment,
                chosen="start" if what == "start" else "yield",
                reason=reason,
                model_version=standing.model_version,
                source=standing.source,
                value=None if standing.estimate is None else standing.estimate.value,
                processing_h=float(columns.remaining_h[at]),
                index=None if board.by_matrix else float(indices[at]),
                score=None if scores is None else float(scores[at]),
                rank=place.get(row) if what == "start" else None,
            )
        )
    return decisions
