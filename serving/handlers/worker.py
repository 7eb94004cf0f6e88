"""A process that runs plain generators for `serving.handlers.processes`: `python -m serving.handlers.worker`.

Orders come as lines of JSON on standard input, answers go out on standard output; what handlers print goes to standard
error. It ends when its input does, in the middle of a chunk too, so none outlives the process that started it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from numbers import Real
from queue import SimpleQueue
from threading import Thread
from typing import Any

from features.records import Task
from serving.errors import CheckpointInvalid
from serving.handlers.contract import Checkpoint, GiveUp, PlainContext, RetryLater
from serving.handlers.imports import imported

Orders = SimpleQueue[dict[str, Any]]
Answer = Callable[[Mapping[str, Any]], None]


def work(orders: Orders, answer: Answer) -> None:
    """Run one generator after the other, each step by step as ordered."""
    while True:
        order = orders.get()
        try:
            answer(_worked(order, orders, answer))
        except BaseException as error:  # noqa: BLE001 - a handler is somebody else's code: what it raises is its failure
            answer(_raised(error))


def _worked(order: dict[str, Any], orders: Orders, answer: Answer) -> dict[str, Any]:
    """Run one generator to its end, or to where it is ordered to leave; answers each step on the way."""
    given = order["task"]
    task = Task(**{**given, "after": tuple(given["after"])})
    context = PlainContext(task, order["chunk"], order["units_done"])
    walk = imported(order["path"])(task, order["resume"], context)
    for step in walk:
        answer(_reached(step))
        order = orders.get()
        if order.get("leave"):
            walk.close()
            break
        context.chunk, context.units_done = order["chunk"], order["units_done"]
    return {"ended": True}


def _reached(step: Any) -> dict[str, Any]:
    if not isinstance(step, Checkpoint):
        raise CheckpointInvalid("what was yielded", step, "must be a Checkpoint")
    done: Any = step.units_done
    kept = {"state": step.state, "units_done": float(done) if isinstance(done, Real) else done}
    try:
        json.dumps(kept)
    except (TypeError, ValueError, RecursionError) as error:
        raise CheckpointInvalid("checkpoint", step, f"must be what JSON can hold ({error})") from error
    return {"reached": kept}


def _raised(error: BaseException) -> dict[str, Any]:
    after_s = error.after_s if isinstance(error, RetryLater) else None
    where = "".join(traceback.format_exception(error))
    kind, gives_up = type(error).__name__, isinstance(error, GiveUp)
    return {"raised": {"kind": kind, "error": str(error), "where": where, "after_s": after_s, "gives_up": gives_up}}


def _listen(orders: Orders) -> None:
    for line in sys.stdin.buffer:
        orders.put(json.loads(line))
    os._exit(0)


def main() -> None:
    """Work until standard input ends."""
    # Whoever started this decides when it ends: a signal to the whole group must not cut off a chunk.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def answer(said: Mapping[str, Any]) -> None:
        answers.write(json.dumps(said) + "\n")
        answers.flush()

    orders: Orders = SimpleQueue()
    Thread(target=_listen, args=(orders,), daemon=True).start()
    work(orders, answer)


if __name__ == "__main__":
    main()
