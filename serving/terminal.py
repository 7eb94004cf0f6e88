"""How answers look on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from pydantic_core import to_json
from rich.console import Console
from rich.table import Table

from serving.api.answers import Explanations, Outlook, Place, Predictions, Queue, WhyNot
from serving.prediction import Explanation
from serving.scheduling.reasons import Reason

_REASONS_SHOWN = 5

_SAYS: dict[Reason, Callable[[WhyNot], str]] = {
    Reason.PAUSED: lambda _: "it is paused",
    Reason.NOT_RELEASED: lambda why: f"its work may not start before {_time(why.until)}",
    Reason.DEPENDS_ON: lambda why: f"it follows {why.object}, which is not done",
    Reason.BACKING_OFF: lambda why: f"its work failed and is tried again at {_time(why.until)}",
    Reason.OUTRANKED: lambda why: f"{why.object} is more pressing, and every worker is busy",
    Reason.NO_WORKER: lambda _: "it is next, and waits for a worker",
}


def queue_table(queue: Queue) -> Table:
    """The queue in the order work would start."""
    by = "matrix points" if queue.by_matrix else "$ lost per slot-hour if deferred"
    title = f"{queue.total} campaigns on {queue.slots} slots at {_time(queue.moment)}, by {by}"
    table = Table(title=title, title_justify="left")
    _columns(table, "#", "campaign", "state", right=("score", "value $", "done"), last=("eta", "waits for"))
    for place in queue.campaigns:
        table.add_row(
            _number(place.position, 0),
            place.campaign_id,
            place.state,
            _number(place.score, 0),
            _number(place.value, 0),
            f"{place.progress.share_done:.0%}",
            _time(place.eta.p50) if place.eta else "",
            _waits_for(place.why) if place.why else "",
        )
    return table


def places_table(places: Sequence[Place]) -> Table:
    """Campaigns just submitted."""
    table = Table()
    _columns(table, "campaign", "state", right=("#", "score", "value $"), last=("eta", "in time"))
    for place in places:
        table.add_row(
            place.campaign_id,
            place.state,
            _number(place.position, 0),
            _number(place.score, 0),
            _number(place.value, 0),
            _time(place.eta.p50) if place.eta else "",
            _outlook(place.feasibility),
        )
    return table


def why_sentence(place: Place) -> str:
    """Why a campaign is where it is, in a sentence or two."""
    where = f"{place.campaign_id} is {place.state}"
    if place.why is not None:
        where += f": {why_not(place.why)}"
    facts = []
    if place.position is not None:
        facts.append(f"position {place.position}")
    if place.score is not None:
        facts.append(f"score {place.score:.0f}")
    if place.eta is not None and place.eta.p50 is not None:
        facts.append(f"done about {_time(place.eta.p50)}, by {_time(place.eta.p90)} on a bad day")
    if place.feasibility is not None:
        facts.append(f"in time: {place.feasibility}")
    if place.fallback is not None:
        facts.append(f"not valued by the champion: {place.fallback}")
    return where + "".join(f"\n  {fact}" for fact in facts)


def predictions_table(answers: Predictions | Explanations) -> Table:
    """Predictions in the order asked, with the largest reasons where there are any."""
    model = answers.model
    title = f"{model.name} {model.version or ''} ({model.source})"
    # The same reason for many campaigns is told once.
    fallbacks = dict.fromkeys(a.fallback for a in answers.predictions if a.fallback is not None)
    marks = {reason: "*" * (n + 1) for n, reason in enumerate(fallbacks)}
    notes = "\n".join(f"{mark} {reason}" for reason, mark in marks.items())
    table = Table(title=title, title_justify="left", caption=notes or None, caption_justify="left")
    explained = isinstance(answers, Explanations)
    right = ("score", "index $/h", "value $", "loss $/h", "p50", "p90")
    _columns(table, "campaign", right=right, last=("because",) if explained else ())
    for answer in answers.predictions:
        cells = [
            f"{answer.campaign_id} {marks.get(answer.fallback or '', '')}".rstrip(),
            _number(answer.score, 0),
            _number(answer.index, 2),
            _number(answer.value, 0),
            _number(answer.loss_per_hour, 2),
            _span(answer.processing_s.p50),
            _span(answer.processing_s.p90),
        ]
        if isinstance(answer, Explanation):
            points = sum(reason.contribution for reason in answer.matrix)
            cells.append("\n".join((*answer.plain[:_REASONS_SHOWN], f"the hand matrix gives {points:.0f} points")))
        table.add_row(*cells)
    return table


def document(answer: Any) -> str:
    """An answer as one JSON document."""
    return to_json(answer, indent=2).decode()


def show(what: Table | str) -> None:
    """Print to standard output."""
    if isinstance(what, str):
        print(what)
    else:
        Console().print(what)


def why_not(why: WhyNot) -> str:
    """A reason in words."""
    return _SAYS[why.reason](why)


def _columns(table: Table, *left: str, right: Sequence[str], last: Sequence[str]) -> None:
    for name in left:
        table.add_column(name, overflow="fold")
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    for name in last:
        table.add_column(name, overflow="fold")


def _waits_for(why: WhyNot) -> str:
    """A reason in two or three words."""
    told = [str(why.reason).replace("_", " ")]
    if why.object is not None:
        told.append(f"by {why.object}" if why.reason is Reason.OUTRANKED else why.object)
    if why.until is not None:
        told.append(f"until {_time(why.until)}")
    return " ".join(told)


def _outlook(outlook: Outlook | None) -> str:
    return "" if outlook is None else str(outlook)


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _time(moment: datetime | None) -> str:
    return "an unknown time" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def _span(seconds: float) -> str:
    return (
        f"{seconds / 3600:.1f} h"
        if seconds >= 3600
        else f"{seconds / 60:.1f} min"
        if seconds >= 60
        else f"{seconds:.0f} s"
    )
