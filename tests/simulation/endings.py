"""How a world must end: every campaign for the right reason, every task once, and the log telling the same."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta

from features.records import OnFailure
from serving.scheduling.ports import Store
from serving.scheduling.states import LIVE, State
from serving.scheduling.work import Standing
from tests.simulation.ledger import Known, Ledger
from tests.simulation.worlds import World

_NEVER_DONE = (State.FAILED, State.EXPIRED, State.CANCELLED)


def check_endings(world: World, ledger: Ledger, store: Store, at: datetime) -> None:
    """Check every campaign submitted against what the ledger saw, and the log against both."""
    for submission in world.submissions:
        own = submission.campaign.campaign_id
        known = ledger.campaigns.get(own)
        if known is None:
            ledger.breach("nothing lost", f"{own} was never kept")
            continue
        standing = store.standing(own, at)
        ledger.counts[f"campaigns {standing.state}"] += 1
        wrong = _wrong(known, standing, world, ledger, store, at)
        if wrong:
            ledger.breach("nothing lost", f"{own} ended as {standing.state}, {wrong}")
        if known.preempted > world.preemption.budget:
            ledger.breach("preemption budget", f"{own} gave way {known.preempted} times")
        if standing.preemptions != known.preempted:
            ledger.breach("preemption budget", f"{own} is said to have given way {standing.preemptions} times")
    _check_log(ledger, store)


def _wrong(known: Known, standing: Standing, world: World, ledger: Ledger, store: Store, at: datetime) -> str | None:
    """Why a campaign should not have ended like that; None if it should."""
    campaign, tasks = known.campaign, known.tasks.values()
    state = standing.state
    if state in LIVE:
        return f"not at all: {standing.progress}"
    if known.held:
        return f"while {known.held} of its tasks are held"
    if state is State.DONE:
        return "with work undone" if any(not kept.done for kept in tasks) else None
    if state is State.FAILED:
        return None if any(kept.dead for kept in tasks) else "without a dead letter"
    if state is State.EXPIRED:
        late = (campaign.ends_at, campaign.launch_by if campaign.late_fraction == 0 else None)
        latest = at + timedelta(seconds=world.plague.skew_s)
        return None if any(end is not None and end <= latest for end in late) else "before its end"
    by_owner = campaign.campaign_id in ledger.given_up
    follows_lost = campaign.on_failure is OnFailure.CANCEL and any(
        ledger.campaigns[name].redriven or store.standing(name, at).state in _NEVER_DONE
        for name in campaign.after
        if name in ledger.campaigns
    )
    return None if by_owner or follows_lost else "though nobody cancelled it"


def _check_log(ledger: Ledger, store: Store) -> None:
    units: dict[tuple[str, str], float] = defaultdict(float)
    done: Counter[tuple[str, str]] = Counter()
    chunks: Counter[tuple[str, str, int]] = Counter()
    for row in store.rows("runs"):
        own = row["campaign_id"], row["task_id"]
        units[own] += row["units"]
        done[own] += row["outcome"] == "done"
        chunks[(*own, row["chunk"])] += row["outcome"] == "checkpoint"
    for campaign_id, known in ledger.campaigns.items():
        for task_id, kept in known.tasks.items():
            own = campaign_id, task_id
            if done[own] != kept.done:
                ledger.breach("one completion", f"{own} is logged as done {done[own]} times, and was {kept.done} times")
            if abs(units[own] - kept.units_done) > 1e-6:
                ledger.breach("log", f"{units[own]:g} units of {own} are logged, {kept.units_done:g} were done")
    for (*own, chunk), times in chunks.items():
        if times > 1:
            ledger.breach("log", f"chunk {chunk} of {own} is logged as done {times} times")
    letters = {(letter.campaign_id, letter.task_id) for letter in store.dead_letters()}
    dead = {(c, t) for c, known in ledger.campaigns.items() for t, kept in known.tasks.items() if kept.dead}
    if letters != dead:
        ledger.breach("dead letters", f"{sorted(letters ^ dead)} are dead here or there only")
