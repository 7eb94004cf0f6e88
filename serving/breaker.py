"""A circuit breaker: who failed again and again is left alone for a while, then asked once whether it is back."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum


class State(StrEnum):
    """Whether calls go through."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


class Breaker:
    """Closed while calls succeed; opens after some failures in a row; then lets one probe through after each rest.

    Parameters
    ----------
    failures : in a row, after which it opens.
    rest_s, longest_rest_s : seconds of the wall clock before the first probe, doubled by each that fails, at most.
    now_s : seconds that only ever grow.
    changed : told the state whenever it is another one.
    """

    def __init__(
        self,
        failures: int = 3,
        rest_s: float = 1.0,
        longest_rest_s: float = 30.0,
        *,
        now_s: Callable[[], float] = time.monotonic,
        changed: Callable[[State], None] = lambda _: None,
    ) -> None:
        self._most, self._first_rest_s, self._longest_rest_s = failures, rest_s, longest_rest_s
        self._now_s, self._changed = now_s, changed
        self._failures, self._rest_s, self._rests_until_s = 0, rest_s, 0.0
        self.state = State.CLOSED

    def lets_through(self) -> bool:
        """Whether to call now; the caller then says how that went, unless it is cut off."""
        if self.state is State.CLOSED:
            return True
        now_s = self._now_s()
        if now_s < self._rests_until_s:
            return False
        # A probe that is cut off says nothing: another one may follow after a rest.
        self._rests_until_s = now_s + self._rest_s
        self._become(State.HALF_OPEN)
        return True

    def succeeded(self) -> None:
        """A call went well."""
        self._failures, self._rest_s = 0, self._first_rest_s
        self._become(State.CLOSED)

    def failed(self) -> None:
        """A call did not."""
        self._failures += 1
        if self.state is State.HALF_OPEN:
            self._rest_s = min(2 * self._rest_s, self._longest_rest_s)
        elif self._failures < self._most:
            return
        self._rests_until_s = self._now_s() + self._rest_s
        self._become(State.OPEN)

    def _become(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            self._changed(state)
