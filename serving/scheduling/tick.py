"""The scheduler's loop: see what changed, decide, carry out, log; again when something happens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from features.curves import hours
from serving.clock import Clock
from serving.scheduling.ahead.lookout import Lookout
from serving.scheduling.asking import Asking
from serving.scheduling.board import Board, moment_at
from serving.scheduling.books import Books
from serving.scheduling.decide import decide, logged, next_look_h
from serving.scheduling.lead import Lead
from serving.scheduling.life import moves_of
from serving.scheduling.policy import Policy
from serving.scheduling.ports import Executor, Predictor, Store
from serving.scheduling.preemption import Preemption
from serving.scheduling.roster import Roster
from serving.scheduling.rules import Rules
from serving.scheduling.watch import Watch
from serving.scheduling.what_if import supposed
from serving.scheduling.work import Move, Standing

log = logging.getLogger(__name__)

_HORIZON_H = 12.0
"""Only until the first forecast brings its own."""
_RECOVERIES_A_LEASE = 6
_PATIENCE_S = 0.25
"""How long a step waits for predictions: a model that is slow or gone must not hold up those that have theirs."""
_LEAST_WAIT_S = 1e-3
"""A moment that is due by a rounding error only is not looked at again before any time has passed."""


class Tick:
    """Schedules the campaigns of a store onto an executor.

    Decides late: a task is leased only when a slot is free for it, so what is submitted or changed a moment before is
    still ranked with the rest. One process at a time leads, by a lock in the store; others stand by.

    Parameters
    ----------
    owner : a name no other living scheduler bears, such as host and port. A restart under the same name takes over at
        once what it held before; under another name, when the leases run out.
    wake : set by whoever knows that something changed; see `LocalExecutor`.
    lease_s : seconds of the clock for which a task is held without a sign of life.
    lead_s : the same for the lead; as long as a task by default.
    terms : whatever decides how it schedules, in words; those of who leads and who stands by must be the same.
    attempts : failures or losses of one chunk after which its task becomes a dead letter.
    refresh_s : seconds of the clock after which a campaign is estimated anew.
    emphasis : how far large campaigns are favoured over what a slot-hour earns, 0-1.
    rules : what binds campaigns beside their worth.
    pace_s : mean seconds a task of a campaign lately took on the executor, None while none was seen; small ones are
        then handed out ahead.
    fit : told in each step how many tasks run or could start, for an executor that grows and shrinks.
    lookout : looks ahead from each step's board; without one nobody is told when anything will be.

    Attributes
    ----------
    leads : whether it does; otherwise it stands by, and its board shows what another made of the queue.
    steps, failed_steps : how many were taken, and how many of them broke off.
    failing, failure : how many broke off in a row up to now, and what the last of them raised.
    """

    def __init__(
        self,
        store: Store,
        executor: Executor,
        predictor: Predictor,
        clock: Clock,
        *,
        owner: str,
        wake: asyncio.Event,
        lease_s: float,
        attempts: int,
        lead_s: float | None = None,
        terms: str = "",
        refresh_s: float = 900.0,
        preemption: Preemption | None = None,
        emphasis: float = 0.0,
        rules: Rules | None = None,
        pace_s: Callable[[str], float | None] = lambda _: None,
        fit: Callable[[int], None] = lambda _: None,
        lookout: Lookout | None = None,
    ) -> None:
        self._store, self._executor, self._clock = store, executor, clock
        self._owner, self._wake, self._attempts = owner, wake, attempts
        self._lease, self._fit, self._lookout = timedelta(seconds=lease_s), fit, lookout
        self._policy = Policy(_HORIZON_H, None, preemption or Preemption(), emphasis, rules=rules or Rules())
        self._roster = Roster(self._policy.rules, pace_s, refresh_s / 3600)
        self._books = Books.opened(self._policy.rules, hours(clock.now()))
        self._watch = Watch(store, self._roster, self._books)
        self._asking = Asking(store, predictor, clock, self._watch, wake.set)
        self._lead = Lead(store, owner, timedelta(seconds=lead_s or lease_s), terms)
        self._broken, self._has_led = True, False
        self.leads = False
        self._recover_at = clock.now()
        self._waiting: list[asyncio.Future[Board]] = []
        self._stopping = False
        self._board = Board.of(self._roster, self._books, executor.slots, self._policy, clock.now())
        self.steps = self.failed_steps = self.failing = 0
        self.failure: Exception | None = None

    @property
    def board(self) -> Board:
        """The queue as the last step left it, with the latest outlook."""
        if self._lookout is not None and self._board.etas is not self._lookout.etas:
            self._board = replace(self._board, etas=self._lookout.etas)
        return self._board

    async def run(self) -> None:
        """Step whenever something happened or is due, until stopped. A step that fails is logged, and tried again."""
        while not self._stopping:
            self._wake.clear()
            asked, self._waiting = self._waiting, []
            try:
                due = await self.step()
                self.failing = 0
            except Exception as error:
                self.failure = error
                self.failed_steps += 1
                self.failing += 1
                log.exception("step_failed", extra={"failed_steps": self.failed_steps})
                due = None
            for answer in asked:
                if not answer.done():
                    answer.set_result(self.board)
            await self._until(due)
        self._resign()

    async def stop(self, grace_s: float) -> None:
        """End the loop, let running tasks reach a checkpoint within `grace_s` seconds of the wall clock, settle all."""
        self._stopping = True
        self._wake.set()
        self._asking.stop()
        if self._lookout is not None:
            self._lookout.stop()
        await self._executor.stop(grace_s)

    async def refreshed(self, *, at_once: bool = True) -> Board:
        """The board of a step that begins after this call; calls made meanwhile share one step of the running loop.

        Unless `at_once`, of a step taken for another reason, such as that a prediction came.
        """
        answer: asyncio.Future[Board] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        if at_once:
            self._wake.set()
        return await answer

    def foresee(self, campaign_id: str) -> None:
        """Have an outlook taken soon if the latest lacks a campaign."""
        if self._lookout is not None:
            self._lookout.ask(campaign_id)

    async def supposing(self, standings: Sequence[Standing]) -> Board:
        """The board as it would be if these campaigns stood so, beside all others as the last step saw them."""
        at = self._clock.now()
        board = supposed(self._roster, self._books, self._executor.slots, self._policy, standings, at)
        return board if self._lookout is None else replace(board, etas=await self._lookout.of(board))

    async def step(self) -> datetime | None:
        """Take one step, and return when the next is due although nothing happens; None for whenever."""
        self.steps += 1
        at = self._clock.now()
        if not self._is_to_lead(at):
            self._follow(at)
            return None
        if at >= self._recover_at:
            self._store.recover(at, attempts=self._attempts)
            self._recover_at = at + self._lease / _RECOVERIES_A_LEASE
        self._see(at)
        self._policy = await self._asking.answered(self._policy, _PATIENCE_S)
        at = self._clock.now()
        if not self._is_to_lead(at):  # a process that was held up meanwhile may have lost the lead
            return None
        due_h = self._act(at)
        self._broken = False
        return moment_at(due_h)

    def _see(self, at: datetime) -> None:
        """Pass the time in the books up to now, and take in what changed by then."""
        self.board.lineup.pass_time(self._books, hours(at), self._executor.slots)
        if self._broken:
            self._watch.start(at)
        else:
            self._watch.look(at)
        self._broken = True  # until this step is through: what it saw may be lost with it

    def _act(self, at: datetime) -> float:
        """Decide on what is known, and carry it out; return when time alone changes something, in hours."""
        self.board.lineup.pass_time(self._books, hours(at), self._executor.slots)
        self._watch.look(at)
        running = self._executor.running()
        with self._store.at_once():
            moves = self._moved(at)
            self._fit(self._roster.startable + len(running))
            board = Board.of(self._roster, self._books, self._executor.slots, self._policy, at)
            plan = decide(board, running)
            wanted = plan.wants(board)
            leases = self._store.claim(wanted, self._owner, at, at + self._lease) if wanted else []
            started = {lease.task.campaign_id for lease in leases}
            decisions = logged(plan, board, started, moves)
            if decisions:
                self._store.decided(decisions)
        self._board = board.started(leases, plan.grants)
        self._executor.start(leases)
        for giving_way in plan.yields:
            self._executor.give_way(giving_way.running.lease.lease_id, preempted=giving_way.preempted)
        for grant in plan.grants:
            self._roster.took(grant.row, grant.via, grant.tasks)
        if self._lookout is not None:
            self._lookout.see(self._board)
        return min(self._roster.next_due_h(), next_look_h(board, running))

    def _moved(self, at: datetime) -> list[Move]:
        """Carry out the changes of state that are due, also of those that waited for one that just ended."""
        all_moves: list[Move] = []
        while moves := moves_of(self._watch.fresh(), at):
            self._store.move(moves, at)
            self._watch.look(at)
            all_moves += moves
        return all_moves

    def _is_to_lead(self, at: datetime) -> bool:
        """Whether this scheduler holds the lead, and has begun with what the store tells."""
        held = self._lead.held(at)
        if not held or self._lead.anew:
            self.leads = False
        if not held or self.leads:
            return held
        self._take_the_lead(at)
        self.leads = True
        return self._lead.renewed(self._clock.now())  # a long queue takes its time to read

    def _follow(self, at: datetime) -> None:
        """Keep the board true to what another does, so that a stand-by can answer, and take over."""
        self._see(at)
        self._watch.fresh()
        self._board = Board.of(self._roster, self._books, self._executor.slots, self._policy, at)
        self._broken = False

    def _resign(self) -> None:
        try:
            self._lead.resign(self._clock.now())
        except Exception:
            log.exception("lead_kept", extra={"owner": self._lead.owner})
        self.leads = False

    def _take_the_lead(self, at: datetime) -> None:
        """Begin with what the store tells: what was seen and booked here may have been another's doing since."""
        # Only what an earlier life of this name left behind: what this one runs goes on.
        lost = 0 if self._has_led else self._store.recover(at, attempts=self._attempts, owner=self._owner)
        self._books.reopen(hours(at))
        self._watch.start(at)
        self._broken, self._has_led = False, True
        log.info("leading", extra={"owner": self._owner, "recovered": lost})

    async def _until(self, due: datetime | None) -> None:
        """Wait until woken or due, a third of a hold at most: those of others run out unannounced."""
        longest = min(self._lease, self._lead.lasts) / 3
        wait = longest if due is None else min(due - self._clock.now(), longest)
        waits = {
            asyncio.ensure_future(self._wake.wait()),
            asyncio.ensure_future(self._clock.sleep(max(wait.total_seconds(), _LEAST_WAIT_S))),
        }
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pending in waits:
                pending.cancel()
