"""What goes wrong in a world: how often, and when."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

Blow = Literal["kill worker", "kill scheduler", "drain scheduler", "freeze worker", "freeze scheduler", "mute worker"]
"""Strikes a process at a moment; a muted worker works on, but its heartbeats and reports do not get through."""

FAULTS = (
    "clock skewed", "handler deadly", "handler lied", "handler poison", "handler raised", "handler slow",
    "handler stuck", "prediction down", "prediction late", "reply lost", "report doubled", "report late again",
    "report lost", "scheduler drained", "scheduler frozen", "scheduler killed", "store error after",
    "store error before", "worker frozen", "worker killed", "worker muted",
)  # fmt: skip
"""All that goes wrong, as it is counted."""


@dataclass(frozen=True)
class Strike:
    """A blow at a moment, with how long it lasts; seconds from the start."""

    at_s: float
    blow: Blow
    for_s: float


@dataclass(frozen=True)
class Outage:
    """A time in which the prediction API does not answer, so that the matrix does; or answers after `late_s`."""

    from_s: float
    to_s: float
    late_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Plague:
    """Chances are per call of the store, or per chunk of a handler.

    Attributes
    ----------
    lost : a call that does not reach the store: it raises, and nothing was kept.
    unanswered : a call that the store keeps, and whose reply is lost: it raises.
    doubled, late_again : a report that reaches the store twice, at once or some minutes later once more.
    skew_s : how far clocks of processes are off at most.
    slow, stuck : a chunk that takes a few times as long; longer than the lease, while no heartbeat gets through.
    raises, lies : a handler that raises; or tells of progress that cannot be.
    poison : a task that raises whenever it is tried.
    deadly : a task that ends its worker whenever it is tried.
    """

    lost: float = 0.0
    unanswered: float = 0.0
    doubled: float = 0.0
    late_again: float = 0.0
    skew_s: float = 0.0
    slow: float = 0.0
    stuck: float = 0.0
    raises: float = 0.0
    lies: float = 0.0
    poison: float = 0.0
    deadly: float = 0.0
    strikes: tuple[Strike, ...] = ()
    outages: tuple[Outage, ...] = ()


CALM = Plague()


def plague_of(chance: Random, span_s: float) -> Plague:
    """Everything at once, in a different mixture each time."""

    def some(most: float) -> float:
        return most * chance.choice((0.0, 0.3, 1.0, 1.0))

    blows: tuple[tuple[Blow, int], ...] = (
        ("kill worker", 5),
        ("kill scheduler", 3),
        ("drain scheduler", 6),
        ("freeze worker", 3),
        ("freeze scheduler", 3),
        ("mute worker", 2),
    )
    strikes = [
        Strike(round(chance.uniform(0, span_s), 1), blow, chance.choice((20.0, 200.0, 700.0, 1500.0)))
        for blow, most in blows
        for _ in range(chance.randint(1, most))
    ]
    outages = []
    for _ in range(chance.randint(1, 3)):
        from_s = chance.uniform(0, span_s)
        outages.append(Outage(from_s, from_s + chance.choice((600.0, 3600.0)), chance.choice((0.0, 0.0, 30.0, 400.0))))
    return Plague(
        lost=some(0.02),
        unanswered=some(0.02),
        doubled=some(0.03),
        late_again=some(0.02),
        skew_s=chance.choice((0.0, 2.0, 10.0, 30.0)),
        slow=some(0.03),
        stuck=some(0.005),
        raises=some(0.01),
        lies=some(0.004),
        poison=some(0.01),
        deadly=some(0.002),
        strikes=tuple(sorted(strikes, key=lambda strike: strike.at_s)),
        outages=tuple(outages),
    )
