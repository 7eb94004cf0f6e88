"""A campaign's place in the queue in plain words: why it waits, when it will begin and be done."""

from __future__ import annotations

from datetime import datetime

from serving.api.answers import Feasibility, Place, Supposed, WhyNot, Work
from serving.scheduling.reasons import Reason

_SAYS = {
    Reason.PAUSED: "it waits to be resumed",
    Reason.NOT_RELEASED: "its work may not start before {until}",
    Reason.DEPENDS_ON: "it follows {object}, which is not done",
    Reason.BACKING_OFF: "its work failed, and is tried again at {until}",
    Reason.CONFLICTS_WITH: "{object} is under way, and holds a key that no two may share",
    Reason.FREQUENCY_CAPPED: "{object} was addressed as often as it may be, until {until}",
    Reason.CONCURRENCY_LIMITED: "as much work of {key} runs as may at once",
    Reason.RATE_LIMITED: "{key} has used up its rate, and has enough for the next chunk at {until}",
    Reason.OUTRANKED: "{object} is more pressing, and every worker is busy",
    Reason.NO_WORKER: "it is next, and waits for a worker",
}

_IN_SHORT = {
    Reason.PAUSED: "being resumed",
    Reason.NOT_RELEASED: "its release {until}",
    Reason.DEPENDS_ON: "{object}, to follow it",
    Reason.BACKING_OFF: "its next try {until}",
    Reason.CONFLICTS_WITH: "{object}, at odds with it",
    Reason.FREQUENCY_CAPPED: "the cap on {object} {until}",
    Reason.CONCURRENCY_LIMITED: "room in {key}",
    Reason.RATE_LIMITED: "the rate of {key} {until}",
    Reason.OUTRANKED: "{object}, more pressing",
    Reason.NO_WORKER: "a worker",
}
"""What a campaign waits for, in the few words a column has."""


def why_not(why: WhyNot) -> str:
    """A reason in words."""
    return _SAYS[why.reason].format(object=why.object, key=named(why.object), until=told(why.until))


def waits_for(why: WhyNot | None, now: datetime) -> str:
    """What a campaign waits for, in a few words; none for one that runs."""
    if why is None:
        return ""
    return _IN_SHORT[why.reason].format(object=why.object, key=named(why.object), until=at(why.until, now)).rstrip()


def why_told(place: Place) -> str:
    """Why a campaign is where it is, and what is known about it: a sentence, and a line for each fact."""
    because, eta = place.ended if place.why is None else why_not(place.why), place.eta
    begun = place.progress.running > 0 or place.progress.share_done > 0
    lines = [f"{place.campaign_id} is {place.state}" + (f": {because}" if because else "")]
    facts: dict[str, str | None] = {
        "position": None if place.position is None else f"{place.position:,}{_steering(place)}",
        "begins": None if eta is None or begun else _on_days(eta.start.p50, eta.start.p90),
        "ready": None if eta is None else _on_days(eta.p50, eta.p90),
        "in time": None if place.feasibility is None else feasible(place.feasibility),
        "presses": _pressing(place),
        "work": _progress(place.progress),
        "preempted": f"{place.preemptions} times" if place.preemptions > 1 else "once" if place.preemptions else None,
        "launched": None if place.launched_at is None else told(place.launched_at),
        "valued by": None if place.fallback is None else _stand_in(place.source, place.fallback),
    }
    return "\n".join([*lines, *(f"  {name:<10}{fact}" for name, fact in facts.items() if fact is not None)])


def _stand_in(source: str | None, why: str) -> str:
    return f"{_STAND_INS.get(source or '', 'the hand matrix')}, not the champion: {why}"


_STAND_INS = {"last_good": "the last good model", "remembered": "what was last predicted"}


def supposed_told(supposed: Supposed) -> str:
    """Where campaigns would stand, and whom that would put back."""
    places = [why_told(moved.after).replace(" is ", " would be ", 1) for moved in supposed.campaigns]
    return "\n".join([*places, f"  puts back {counted(supposed.put_back, 'other campaign')}"])


def feasible(feasibility: Feasibility) -> str:
    """Whether it will be in time.

    >>> feasible(Feasibility.of(0.934))
    'likely (93 %)'
    """
    return f"{feasibility.outlook} ({100 * feasibility.probability:.0f} %)"


def named(key: str | None) -> str:
    """The key of a limit in words.

    >>> named("channel:sms")
    'channel sms'
    """
    return (key or "its limit").replace(":", " ", 1)


def counted(number: int, what: str) -> str:
    """So many of something.

    >>> counted(1, "task"), counted(1200, "task")
    ('1 task', '1,200 tasks')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def told(moment: datetime | None) -> str:
    """A moment in full, in UTC."""
    return "an unknown time" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def at(moment: datetime | None, now: datetime) -> str:
    """A moment as short as it can be, seen from another.

    >>> from datetime import UTC
    >>> now = datetime(2026, 11, 27, 12, tzinfo=UTC)
    >>> [at(now.replace(hour=14), now), at(now.replace(day=30), now), at(now.replace(year=2027), now), at(None, now)]
    ['14:00', 'Nov 30 12:00', '2027-11-27', '']
    """
    if moment is None:
        return ""
    if moment.date() == now.date():
        return f"{moment:%H:%M}"
    return f"{moment:%b} {moment.day} {moment:%H:%M}" if moment.year == now.year else f"{moment:%Y-%m-%d}"


def _on_days(middling: datetime | None, bad: datetime | None) -> str:
    if middling is None:
        return "nobody can say yet"
    return f"about {told(middling)}, {'nobody knows when' if bad is None else f'by {told(bad)}'} on a bad day"


def _steering(place: Place) -> str:
    steered = (place.pinned, "pinned"), (place.boost != 1, f"boost {place.boost:g}")
    words = [word for holds, word in steered if holds]
    return f" ({', '.join(words)})" if words else ""


def _pressing(place: Place) -> str | None:
    told_of = []
    if place.score is not None and place.position is not None:
        told_of.append(f"score {place.score:.0f}")
    if place.index is not None:
        told_of.append(f"${place.index:,.2f} lost per slot-hour if deferred")
    if place.value is not None:
        told_of.append(f"worth ${place.value:,.0f} if live in time")
    return ", ".join(told_of) or None


def _progress(work: Work) -> str:
    counts = {"running": work.running, "failed for good": work.dead}
    more = "".join(f", {count} {what}" for what, count in counts.items() if count)
    return f"{100 * work.share_done:.0f} % done, {work.done:,} of {counted(work.tasks, 'task')}{more}"
