"""What an executor believes of what a handler says."""

from __future__ import annotations

from numbers import Real
from typing import Any

from serving.errors import CheckpointInvalid
from serving.handlers.contract import Checkpoint, RaisedElsewhere
from serving.scheduling.work import Lease, Reached, storable

_ROUNDING = 1e-9
"""Share of a task's units by which sums of parts may miss it."""
_LONGEST = 2_000
"""Characters of an error kept: what a handler raises may quote whatever it was sent."""


def reached(step: Any, lease: Lease) -> Reached:
    """What to report of a checkpoint that the holder of a lease yielded.

    Raises
    ------
    CheckpointInvalid
        When it is no checkpoint, JSON cannot hold its state, or its units are no number, fewer than were done before,
        or more than the task has.
    """
    if not isinstance(step, Checkpoint):
        raise CheckpointInvalid("what was yielded", step, "must be a Checkpoint")
    try:
        state = storable(step.state)
    except (TypeError, ValueError, RecursionError) as error:
        raise CheckpointInvalid("checkpoint.state", step.state, f"must be what JSON can hold ({error})") from error
    done: Any = step.units_done  # whatever a handler puts there
    units = lease.task.units
    is_number: bool = isinstance(done, Real) and not isinstance(done, bool)
    if not is_number:
        raise CheckpointInvalid("checkpoint.units_done", done, "must be a number")
    if not lease.units_done - units * _ROUNDING <= done <= units * (1 + _ROUNDING):
        allowed = f"must be from {lease.units_done:g}, done before, to {units:g}, the units of the task"
        raise CheckpointInvalid("checkpoint.units_done", done, allowed)
    return Reached(state, min(max(float(done), lease.units_done), units))


def told(error: BaseException) -> str:
    """What a handler raised, as a dead letter keeps it: in one piece of text that any database holds."""
    try:
        kind = "" if isinstance(error, RaisedElsewhere) else f"{type(error).__name__}: "
        said = f"{kind}{error}".removesuffix(": ")
    except Exception:  # noqa: BLE001 - it is somebody else's code that puts its own errors into words
        said = type(error).__name__
    text = said.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def traceable(error: BaseException) -> BaseException | None:
    """The error if its words can be written to any log; None for one that holds half a surrogate, or none at all."""
    try:
        str(error).encode("utf-8")
    except Exception:  # noqa: BLE001 - it is somebody else's code that puts its own errors into words
        return None
    return error
