"""What people read about the queue: every reason in plain words, at any width, once or live."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from rich.console import Console

from serving.api.answers import Arrival, DeadLetters, DeadTask, Expected, Feasibility, Place, Queue, WhyNot, Work
from serving.scheduling.reasons import Reason
from serving.scheduling.states import State
from serving.telling import ENDED, why_told
from serving.terminal import dead_letters_table, queue_table
from serving.watching import tell
from tests.queueing import NOON, after

REASONS = [
    (Reason.PAUSED, None, None, "it waits to be resumed", "being resumed"),
    (Reason.NOT_RELEASED, None, after(hours=30), "may not start before 2026-11-28 18:00", "its release Nov 28 18:00"),
    (Reason.DEPENDS_ON, "teaser", None, "it follows teaser, which is not done", "teaser, to follow it"),
    (Reason.BACKING_OFF, None, after(600), "is tried again at 2026-11-27 12:10", "its next try 12:10"),
    (Reason.CONFLICTS_WITH, "other", None, "other is under way, and holds a key", "other, at odds with it"),
    (Reason.FREQUENCY_CAPPED, "vip", after(hours=2), "vip was addressed as often", "the cap on vip 14:00"),
    (Reason.CONCURRENCY_LIMITED, "channel:sms", None, "as much work of channel sms runs", "room in channel sms"),
    (Reason.RATE_LIMITED, "kind:push", after(60), "kind push has used up its rate", "the rate of kind push 12:01"),
    (Reason.OUTRANKED, "flash", None, "flash is more pressing", "flash, more pressing"),
    (Reason.NO_WORKER, None, None, "it is next, and waits for a worker", "a worker"),
]


def a_place(campaign_id: str = "sale", **facts: Any) -> Place:
    usual = Place(
        campaign_id=campaign_id,
        account="acme",
        state=State.READY,
        position=3,
        score=87.2,
        index=1204.5,
        value=9000.0,
        model_version="3",
        source="champion",
        fallback=None,
        eta=Arrival(p50=after(hours=2), p90=after(hours=3), start=Expected(p50=after(hours=1), p90=after(hours=1.5))),
        feasibility=Feasibility.of(0.934),
        why=None,
        ended=None,
        progress=Work(share_done=0.0, tasks=3, done=0, running=0, dead=0),
        boost=1.0,
        pinned=False,
        preemptions=0,
        submitted_at=NOON,
        launched_at=None,
    )
    return replace(usual, **facts)


def a_queue(*places: Place, **facts: Any) -> Queue:
    return replace(Queue(moment=NOON, slots=4, by_matrix=False, total=len(places), campaigns=places), **facts)


def drawn(what: Any, width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO(), markup=False, highlight=False)
    console.print(what)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_every_reason_has_its_words() -> None:
    assert {reason for reason, *_ in REASONS} == set(Reason)


@pytest.mark.parametrize(("reason", "about", "until", "sentence", "short"), REASONS)
def test_a_reason_is_told_in_a_sentence_and_in_short(
    reason: Reason, about: str | None, until: datetime | None, sentence: str, short: str
) -> None:
    place = a_place(why=WhyNot(reason=reason, object=about, until=until))
    first = why_told(place).splitlines()[0]
    assert first.startswith("sale is ready: ")
    assert sentence in first
    assert any(short in line for line in drawn(queue_table(a_queue(place), 120), 120))


def test_what_is_known_of_a_campaign_stands_below_line_by_line() -> None:
    place = a_place(pinned=True, boost=2.0, preemptions=1, fallback="no champion")
    assert why_told(place).splitlines() == [
        "sale is ready",
        "  position  3 (pinned, boost 2)",
        "  begins    about 2026-11-27 13:00, by 2026-11-27 13:30 on a bad day",
        "  ready     about 2026-11-27 14:00, by 2026-11-27 15:00 on a bad day",
        "  in time   likely (93 %)",
        "  presses   score 87, $1,204.50 lost per slot-hour if deferred, worth $9,000 if live in time",
        "  work      0 % done, 0 of 3 tasks",
        "  preempted once",
        "  valued by the hand matrix, not the champion: no champion",
    ]


def test_of_an_ended_campaign_its_end_is_told() -> None:
    place = a_place(state=State.EXPIRED, position=None, eta=None, feasibility=None, ended="nothing was left to win")
    assert why_told(place).splitlines()[0] == "sale is expired: nothing was left to win"
    assert "position" not in why_told(place)


@pytest.mark.parametrize("width", [80, 120])
def test_the_queue_fits_the_terminal(width: int) -> None:
    waits = [
        a_place(f"a-campaign-of-{reason}", why=WhyNot(reason=reason, object=o, until=u)) for reason, o, u, *_ in REASONS
    ]
    running = a_place("runs", state=State.RUNNING, progress=Work(share_done=0.4, tasks=3, done=1, running=2, dead=0))
    lines = drawn(queue_table(a_queue(running, *waits, total=99), width), width)
    assert lines[0].rstrip() == "99 campaigns, 4 slots, 2026-11-27 12:00 UTC; ordered by $ lost per slot-hour"
    assert max(len(line) for line in lines) <= width
    assert not any("…" in line for line in lines)
    assert ("value $" in lines[2]) == (width == 120)
    assert lines[-1].strip() == "and 88 more"


def test_names_stand_as_they_are() -> None:
    place = a_place(why=WhyNot(reason=Reason.FREQUENCY_CAPPED, object="[red]vip", until=None))
    assert any("[red]vip" in line for line in drawn(queue_table(a_queue(place), 120), 120))


def test_dead_letters_are_listed_with_what_they_died_of() -> None:
    letter = DeadTask(campaign_id="sale", task_id="send", error="Gone: [410]", attempts=5, died_at=NOON)
    lines = drawn(dead_letters_table(DeadLetters(total=3, dead_letters=(letter,))), 80)
    assert any(all(word in line for word in ("sale", "send", "5", "2026-11-27 12:00", "Gone: [410]")) for line in lines)
    assert lines[-1].strip() == "and 2 more"


def told(answers: list[Place], *, as_json: bool = False, terminal: bool = False) -> str:
    left = iter(answers)
    console = Console(width=80, height=20, file=io.StringIO(), force_terminal=terminal, markup=False)
    ask: Callable[[], Place] = lambda: next(left)  # noqa: E731 - a name would say no more
    tell(ask, why_told, console, as_json=as_json, every_s=0.0, over=lambda place: place.state in ENDED)
    assert next(left, None) is None
    return console.file.getvalue()  # type: ignore[attr-defined]


LIFE = [a_place(), a_place(state=State.RUNNING), a_place(state=State.DONE, position=None)]


def test_a_live_view_ends_with_what_it_is_about() -> None:
    said = [line for line in told(LIFE).splitlines() if not line.startswith(" ")]
    assert said == ["sale is ready", "sale is running", "sale is done"]


def test_a_live_view_in_json_has_a_line_for_each_look() -> None:
    said = [json.loads(line) for line in told(LIFE, as_json=True).splitlines()]
    assert [look["state"] for look in said] == ["ready", "running", "done"]


def test_a_terminal_is_redrawn_in_place_and_gets_its_cursor_back() -> None:
    said = told(LIFE, terminal=True)
    assert "\x1b[1A" in said  # one line up
    assert said.rindex("\x1b[?25h") > said.rindex("\x1b[?25l")


def test_an_interrupted_view_ends_without_a_fuss() -> None:
    def interrupted() -> Place:
        raise KeyboardInterrupt

    console = Console(file=io.StringIO())
    tell(interrupted, why_told, console, as_json=False, every_s=1.0)
    assert console.file.getvalue() == ""  # type: ignore[attr-defined]
