"""What the scheduler tells of itself in `/metrics`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from prometheus_client import Gauge

from serving.breaker import State


@cache
def prediction_api() -> Callable[[State], None]:
    """Shows a breaker's state in `/metrics`; made once a process."""
    gauge = Gauge(
        "precedence_prediction_api_state",
        "0 while the scheduler asks the prediction API, 1 while it tries whether it is back, 2 while it rests",
        multiprocess_mode="livemax",
    )
    order = [State.CLOSED, State.HALF_OPEN, State.OPEN]
    gauge.set(0)
    return lambda state: gauge.set(order.index(state))
