"""Every executor keeps the promises of an executor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

import pytest

from serving.clock import Clock
from serving.executors.local import LocalExecutor
from serving.executors.retry import Retry
from serving.handlers.python import Handler, Handlers
from serving.scheduling.ports import Store
from tests.contract.executor_contract import LEASE_S, ExecutorContract
from tests.queueing import NOON, after


def _local(store: Store, handlers: Mapping[str, Handler], clock: Clock, changed: Callable[[], None]) -> LocalExecutor:
    return LocalExecutor(
        store,
        Handlers(handlers),
        clock,
        slots=2,
        lease_s=LEASE_S,
        retry=Retry(attempts=3, first_s=1.0),
        chance=Random(3),
        changed=changed,
    )


class TestLocalExecutor(ExecutorContract):
    build = staticmethod(_local)


def test_waits_between_attempts_double_up_to_a_limit_and_end():
    retry, chance = Retry(attempts=6, first_s=10, most_s=45), Random(0)
    waits = [retry.again_at(failed, NOON, chance) for failed in range(6)]
    for wait, longest in zip(waits, (10, 20, 40, 45, 45), strict=False):
        assert wait is not None
        assert after(longest / 2) <= wait <= after(longest)
    assert waits[5] is None


def test_tasks_that_failed_together_do_not_come_back_together():
    chance = Random(0)
    assert len({Retry().again_at(3, NOON, chance) for _ in range(20)}) == 20


@pytest.mark.parametrize("failed", [4, 5, 100])
def test_more_failures_than_attempts_never_come_back(failed):
    assert Retry(attempts=5).again_at(failed, NOON, Random(0)) is None
