"""The Celery executor keeps the promises of an executor over every broker, with a real one in between."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

pytest.importorskip("celery", reason="the extra 'celery' is not installed")

from tests.bench.peers.servers import rabbitmq, redis
from tests.brokers import required
from tests.contract.celery_bench import OverABroker
from tests.contract.executor_contract import ExecutorContract
from tests.contract.failing_contract import FailingContract

pytestmark = [pytest.mark.integration]


class OverBrokerContract(ExecutorContract, FailingContract):
    @pytest.fixture(autouse=True)
    def _built(self, broker: str) -> None:
        self.build = partial(OverABroker, broker)


class TestOverRabbitMQ(OverBrokerContract):
    @pytest.fixture
    def broker(self) -> Iterator[str]:
        with required(rabbitmq) as url:
            yield url


class TestOverRedis(OverBrokerContract):
    @pytest.fixture
    def broker(self) -> Iterator[str]:
        with required(redis) as url:
            yield url
