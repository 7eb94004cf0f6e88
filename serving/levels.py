"""How pressing a message is, in the numbers of the broker that carries it: each has its own direction and steps.

It needs the extra `celery`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from celery import Celery

LEVELS = 10
"""Levels at most, however many a broker has: RabbitMQ keeps a queue for each."""
_STEPS = (0, 3, 6, 9)
"""The levels of Redis, unless `broker_transport_options` names others under `priority_steps`."""
_KEEPING = frozenset({"amqp", "redis"})


def keeps_priorities(app: Celery) -> bool:
    """Whether the app's broker hands out the more pressing message first."""
    return app.connection_for_write().transport.driver_type in _KEEPING


def priorities(app: Celery, most: Callable[[], int] = lambda: LEVELS - 1) -> Sequence[int]:
    """The priorities that the app's broker knows, the least pressing first.

    On RabbitMQ higher goes first, up to what the queue was declared with (`most`); on Redis lower does, by its steps.
    """
    if app.connection_for_write().transport.driver_type == "redis":
        options = app.conf.broker_transport_options or {}
        return sorted(options.get("priority_steps", _STEPS), reverse=True)
    return range(min(most() + 1, LEVELS))


def level(score: float, levels: int) -> int:
    """The level of a score of 0-100 among so many, 0 the least pressing.

    >>> [level(score, 10) for score in (0, 9.9, 10, 87, 100)], [level(score, 4) for score in (24, 25, 100)]
    ([0, 0, 1, 8, 9], [0, 1, 3])
    """
    return min(int(score * levels / 100), levels - 1)


def priority(score: float, known: Sequence[int]) -> int:
    """The priority of a score of 0-100 among those that a broker knows, the least pressing first.

    >>> priority(95, range(10)), priority(95, [9, 6, 3, 0])
    (9, 0)
    """
    return known[level(score, len(known))]
