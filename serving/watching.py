"""An answer told once, or asked for again and again and redrawn in place."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeVar

from pydantic_core import to_json
from rich.console import Console, RenderableType
from rich.live import Live

Answer = TypeVar("Answer")


def tell(
    ask: Callable[[], Answer],
    drawn: Callable[[Answer], RenderableType],
    console: Console,
    *,
    as_json: bool,
    every_s: float | None,
    over: Callable[[Answer], bool] = lambda _: False,
) -> None:
    """Tell an answer; with `every_s`, tell it anew after so many seconds, until it is `over` or interrupted.

    A terminal is redrawn in place; elsewhere each answer follows the one before. JSON that is told anew has a line
    for each answer.
    """
    if every_s is None:
        answer = ask()
        _print(console, to_json(answer, indent=2).decode() if as_json else drawn(answer))
        return
    answers = _answers(ask, every_s, over)
    with suppress(KeyboardInterrupt):
        if as_json or not console.is_terminal:
            for answer in answers:
                _print(console, to_json(answer).decode() if as_json else drawn(answer))
        else:
            with Live(console=console, auto_refresh=False) as live:
                for answer in answers:
                    live.update(drawn(answer), refresh=True)


def _print(console: Console, what: RenderableType) -> None:
    if isinstance(what, str):
        print(what, file=console.file, flush=True)  # whole lines, however narrow the terminal
    else:
        console.print(what)


def _answers(ask: Callable[[], Answer], every_s: float, over: Callable[[Answer], bool]) -> Iterator[Answer]:
    while True:
        answer = ask()
        yield answer
        if over(answer):
            return
        time.sleep(every_s)
