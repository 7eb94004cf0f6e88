"""A backtest as it is asked for on the command line, checked and made a plan."""

from __future__ import annotations

from collections.abc import Sequence

from features.records import ValueLabel
from serving.errors import BadInput
from training import incremental
from training.backtest.setting import Release
from training.backtest.study import Plan

FIRST_WEEK, LAST_WEEK = 24, 52
"""Weeks that may be held out: enough to learn and to tune from before the first, whole weeks to the last."""

MOST_LOAD, MOST_REPLICATES = 10, 1000


def plan_of(
    label: ValueLabel,
    weeks: str | None = None,
    loads: Sequence[float] = (),
    releases: Sequence[str] = (),
    replicates: int = 8,
    *,
    preemptive: bool = False,
    quick: bool = False,
) -> Plan:
    """The plan for what was asked; without loads, releases and preemption that of everything.

    Parameters
    ----------
    label : what value is: the weeks whose incremental value is known end earlier.
    weeks : such as `44-52`; all there are by default.

    Raises
    ------
    BadInput
        Naming the option, what it was and what is allowed.
    """
    for load in loads:
        if not 0 < load <= MOST_LOAD:
            raise BadInput("load", load, f"above 0 and at most {MOST_LOAD}")
    if not 1 <= replicates <= MOST_REPLICATES:
        raise BadInput("replicates", replicates, f"from 1 to {MOST_REPLICATES}")
    for release in releases:
        if release not in list(Release):
            raise BadInput("release", release, f"one of {', '.join(Release)}")
    played = _weeks(weeks, label)
    if quick:
        return Plan.quick()
    if loads or releases or preemptive:
        named = [Release(release) for release in releases or [Release.TOGETHER]]
        return Plan.of(played, replicates, loads or [1.0], named, preemptive=preemptive)
    return Plan.usual(played, replicates)


def _weeks(text: str | None, label: ValueLabel) -> range:
    latest, why = LAST_WEEK, ""
    if label is ValueLabel.INCREMENTAL:
        latest, why = incremental.LAST_WEEK, "; incremental value is not known of later ones"
    if text is None:
        return range(FIRST_WEEK, latest + 1)
    first, _, last = text.partition("-")
    allowed = f"a week or from-to within {FIRST_WEEK} to {latest}, such as 44-{latest}{why}"
    if not first.isdecimal() or (last and not last.isdecimal()):
        raise BadInput("weeks", text, allowed)
    weeks = range(int(first), int(last or first) + 1)
    if not weeks or weeks[0] < FIRST_WEEK or weeks[-1] > latest:
        raise BadInput("weeks", text, allowed)
    return weeks
