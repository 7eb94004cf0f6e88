"""Faults planted in the code itself: each must be seen by an invariant, or the invariant is worth nothing."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import FunctionType


@dataclass(frozen=True)
class Mutant:
    """One change of one function.

    Attributes
    ----------
    where : `module:function` or `module:Class.method`.
    old, new : what is replaced in its source, found there exactly once.
    caught_by : the invariants that may catch it.
    """

    name: str
    where: str
    old: str
    new: str
    caught_by: frozenset[str]


MUTANTS = (
    Mutant(
        "fencing check",
        "serving.stores.lifecycle:judged",
        "known is None or known.fence != lease.fence",
        "known is None",
        frozenset({"fencing"}),
    ),
    Mutant(
        "lease expiry",
        "serving.stores.memory_queue:MemoryQueue.recover",
        "t.until <= at",
        "False",
        frozenset({"nothing lost"}),
    ),
    Mutant(
        "lease expiry, too early",
        "serving.stores.memory_queue:MemoryQueue.recover",
        "t.until <= at",
        "True",
        frozenset({"lease expiry"}),
    ),
    Mutant(
        "token refund",
        "serving.scheduling.watch:Watch._book",
        "max(done, 0.0)",
        "0.0",
        frozenset({"rate"}),
    ),
    Mutant(
        "checkpoint order",
        "serving.executors.local:LocalExecutor._kept",
        "return await stored",
        "return held.lease",
        frozenset({"checkpoint order", "resumes", "fencing"}),
    ),
    Mutant(
        "conflict release",
        "serving.scheduling.readiness:holds_keys",
        "standing.begun_at is not None and (standing.state is not State.PAUSED or standing.progress.leased > 0)",
        "standing.progress.leased > 0",
        frozenset({"conflict"}),
    ),
    Mutant(
        "preemption budget",
        "serving.scheduling.preemption:Preemption.disturbs",
        " and preempted < self.budget",
        "",
        frozenset({"preemption budget"}),
    ),
    Mutant(
        "reserve",
        "serving.scheduling.lineup:Lineup.overdue",
        "if not rules.reserve.share:",
        "if True:",
        frozenset({"starvation"}),
    ),
    Mutant(
        "guaranteed share",
        "serving.scheduling.allot:Allotment._below_share",
        "return credit.entitled(self._guaranteed.get(account, 0.0) * self._slots, self._held[account])",
        "return False",
        frozenset({"fair share"}),
    ),
    Mutant(
        "dependency of campaigns",
        "serving.scheduling.reasons:held_by",
        "if standing.blocked_by:",
        "if False:",
        frozenset({"dependency"}),
    ),
    Mutant(
        "concurrency",
        "serving.scheduling.allot:Allotment._crowded",
        ">= most",
        "> most",
        frozenset({"concurrency"}),
    ),
    Mutant(
        "frequency cap",
        "serving.scheduling.books:Books.addressed",
        "insort(times, at_h)",
        "pass",
        frozenset({"frequency cap"}),
    ),
    Mutant(
        "boost",
        "serving.scheduling.rank:pressure",
        " * columns.boost",
        "",
        frozenset({"order"}),
    ),
    Mutant(
        "inheritance",
        "serving.scheduling.lineup:inherited",
        "spreads = True\n    while spreads:",
        "spreads = False\n    while spreads:",
        frozenset({"order"}),
    ),
)


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """Have the mutant's code run in place of the function's, wherever that is known."""
    function = _function(mutant.where)
    source = textwrap.dedent(inspect.getsource(function))
    if source.count(mutant.old) != 1:
        raise LookupError(f"{mutant.where} has {source.count(mutant.old)} places that read {mutant.old!r}")
    scope: dict[str, object] = {}
    changed = "from __future__ import annotations\n" + source.replace(mutant.old, mutant.new)
    exec(compile(changed, mutant.where, "exec"), dict(function.__globals__), scope)  # noqa: S102 - our own source
    original, mutated = function.__code__, scope[function.__name__]
    if not isinstance(mutated, FunctionType):
        raise TypeError(f"{mutant.where} is decorated")
    function.__code__ = mutated.__code__
    try:
        yield
    finally:
        function.__code__ = original


def _function(where: str) -> FunctionType:
    module, _, path = where.partition(":")
    found: object = import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    if not isinstance(found, FunctionType):
        raise TypeError(f"{where} is no function")
    return found
