"""How answers look on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from textwrap import wrap
from typing import Any

from pydantic_core import to_json
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from serving.api.answers import DeadLetters, Explanations, Place, Predictions, Queue
from serving.auth.tokens import Token
from serving.prediction import Explanation
from serving.scheduling.states import State
from serving.telling import at, counted, feasible, told, waits_for

_REASONS_SHOWN = 5

_WIDE = 100
"""Columns of a terminal from which on a table has room for what is of less use."""


def queue_table(queue: Queue, width: int = _WIDE) -> Table:
    """The queue in the order work would start, for a terminal so many columns wide."""
    now = queue.moment
    cells: dict[str, Callable[[Place], str]] = {
        "#": lambda place: _number(place.position, 0),
        "campaign": lambda place: place.campaign_id,
        "state": lambda place: place.state,
        "score": lambda place: _number(place.score, 0),
        "value $": lambda place: _number(place.value, 0),
        "done": lambda place: f"{place.progress.share_done:.0%}",
        "begins": lambda place: at(place.eta.start.p50, now) if place.eta and place.state is not State.RUNNING else "",
        "ready": lambda place: at(place.eta.p50, now) if place.eta else "",
        "waits for": lambda place: waits_for(place.why, now),
    }
    if width < _WIDE:
        cells["waits for"] = lambda place: waits_for(place.why, now) or f"({place.state})"
        del cells["value $"], cells["begins"], cells["state"]
    by = "matrix points" if queue.by_matrix else "$ lost per slot-hour"
    campaigns, slots = counted(queue.total, "campaign"), counted(queue.slots, "slot")
    hidden = queue.total - len(queue.campaigns)
    table = Table(
        title=f"{campaigns}, {slots}, {told(now)} UTC; ordered by {by}",
        caption=f"and {hidden:,} more" if hidden else None,
        title_justify="left",
        caption_justify="left",
        box=SIMPLE,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for heading in cells:
        if heading in _FOLDED:
            table.add_column(heading, overflow="fold", ratio=_FOLDED[heading])
        else:
            table.add_column(heading, justify="left" if heading == "state" else "right", no_wrap=True)
    for place in queue.campaigns:
        table.add_row(*(cell(place) for cell in cells.values()))
    return table


_FOLDED = {"campaign": 2, "waits for": 3}
"""Columns that break lines, with how much of what room is left each takes."""


def places_table(places: Sequence[Place]) -> Table:
    """Campaigns just submitted."""
    table = Table()
    _columns(table, "campaign", "state", right=("#", "score", "value $"), last=("ready by", "in time"))
    for place in places:
        table.add_row(
            place.campaign_id,
            place.state,
            _number(place.position, 0),
            _number(place.score, 0),
            _number(place.value, 0),
            told(place.eta.p50) if place.eta else "",
            "" if place.feasibility is None else feasible(place.feasibility),
        )
    return table


def dead_letters_table(letters: DeadLetters) -> Table:
    """Tasks that failed for good, and what they failed of."""
    hidden = letters.total - len(letters.dead_letters)
    table = Table(caption=f"and {hidden:,} more" if hidden else None)
    _columns(table, "campaign", "task", right=("tries",), last=("died", "of"))
    for letter in letters.dead_letters:
        table.add_row(letter.campaign_id, letter.task_id, str(letter.attempts), told(letter.died_at), letter.error)
    return table


def predictions_table(answers: Predictions | Explanations) -> Table:
    """Predictions in the order asked, within eighty columns."""
    model = answers.model
    title = f"{model.name} {model.version or ''} ({model.source})"
    # The same reason for many campaigns is told once.
    fallbacks = dict.fromkeys(a.fallback for a in answers.predictions if a.fallback is not None)
    marks = {reason: "*" * (n + 1) for n, reason in enumerate(fallbacks)}
    notes = "\n".join(f"{mark} {reason}" for reason, mark in marks.items())
    table = Table(
        title=title,
        title_justify="left",
        caption=notes or None,
        caption_justify="left",
        box=SIMPLE,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    _columns(table, "campaign", right=("score", "index $/h", "value $", "loss $/h", "p50", "p90"), last=())
    for answer in answers.predictions:
        table.add_row(
            f"{answer.campaign_id} {marks.get(answer.fallback or '', '')}".rstrip(),
            _number(answer.score, 0),
            _number(answer.index, 2),
            _number(answer.value, 0),
            _number(answer.loss_per_hour, 2),
            _span(answer.processing_s.p50),
            _span(answer.processing_s.p90),
        )
    return table


def because(answers: Explanations, width: int = _WIDE) -> str:
    """Campaign by campaign the largest reasons, each from a line of its own on."""
    lines = []
    for answer in answers.predictions:
        reasons = (wrap(reason, width, initial_indent="  ", subsequent_indent="    ") for reason in _reasons(answer))
        lines += [answer.campaign_id, *chain.from_iterable(reasons)]
    return "\n".join(lines)


def _reasons(answer: Explanation) -> tuple[str, ...]:
    points = sum(reason.contribution for reason in answer.matrix)
    return (*answer.plain[:_REASONS_SHOWN], f"the hand matrix gives {points:.0f} points")


def document(answer: Any) -> str:
    """An answer as one JSON document."""
    return to_json(answer, indent=2).decode()


def console() -> Console:
    """Standard output, on which names stand as they are, whatever brackets they hold."""
    return Console(markup=False, highlight=False)


def tokens_table(tokens: Sequence[Token]) -> Table:
    """Tokens without their secrets."""
    table = Table(box=SIMPLE, pad_edge=False)
    _columns(table, "id", "name", "for", right=["made", "revoked"], last=[])
    for token in tokens:
        revoked = "" if token.revoked_at is None else f"{token.revoked_at:%Y-%m-%d %H:%M}"
        scopes = ", ".join(sorted(token.scopes))
        table.add_row(token.token_id, token.name, scopes, f"{token.created_at:%Y-%m-%d %H:%M}", revoked)
    return table


def show(what: Table | str) -> None:
    """Print to standard output."""
    if isinstance(what, str):
        print(what)
    else:
        console().print(what)


def _columns(table: Table, *left: str, right: Sequence[str], last: Sequence[str]) -> None:
    for name in left:
        table.add_column(name, overflow="fold")
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    for name in last:
        table.add_column(name, overflow="fold")


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _span(seconds: float) -> str:
    return (
        f"{seconds / 3600:.1f} h"
        if seconds >= 3600
        else f"{seconds / 60:.1f} min"
        if seconds >= 60
        else f"{seconds:.0f} s"
    )
