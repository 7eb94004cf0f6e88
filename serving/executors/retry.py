"""When a failed task is tried again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite
from random import Random

_A_DAY_S = 86_400.0


@dataclass(frozen=True)
class Retry:
    """Waits that double from failure to failure, each shortened at random by up to half, then no more.

    The chance keeps tasks that failed together from coming back together.

    Attributes
    ----------
    attempts : how often one chunk is tried before its task becomes a dead letter.
    first_s, most_s : the first wait and the longest, in seconds of the clock.
    """

    attempts: int = 5
    first_s: float = 1.0
    most_s: float = 300.0

    def again_at(self, failed: int, at: datetime, chance: Random) -> datetime | None:
        """When to try again after one more failure, `failed` ones before it; None for never."""
        if failed + 1 >= self.attempts:
            return None
        wait_s = min(self.first_s * 2.0 ** min(failed, 100), self.most_s)
        return at + timedelta(seconds=wait_s * chance.uniform(0.5, 1.0))

    def asked_at(self, after_s: float, at: datetime, chance: Random) -> datetime:
        """When to try again what was asked to come back in `after_s` seconds: not before, nor all at one moment.

        Nobody is believed who asks for less than a first wait, to be asked again at once, or for more than a day.
        """
        wait_s = min(max(after_s, self.first_s), _A_DAY_S) if isfinite(after_s) else self.most_s
        return at + timedelta(seconds=wait_s * chance.uniform(1.0, 1.1))
