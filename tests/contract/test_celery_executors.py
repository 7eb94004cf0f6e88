"""The Celery executor keeps the promises of an executor over every broker, with a real one in between."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

pytest.importorskip("celery", reason="the extra 'celery' is not installed")

from serving.executors.celery.broker import BEGIN, GIVE_WAY, MOST_PRESSING, Broker
from tests.bench.peers.servers import rabbitmq, redis
from tests.brokers import required
from tests.contract.celery_bench import OverABroker
from tests.contract.executor_contract import ExecutorContract
from tests.contract.failing_contract import FailingContract

pytestmark = [pytest.mark.integration]

SCORES = (12.0, 95.0, 44.0, 100.0, 0.0, 71.0)


class OverBrokerContract(ExecutorContract, FailingContract):
    @pytest.fixture(autouse=True)
    def _built(self, broker: str) -> None:
        self.build = partial(OverABroker, broker)

    def test_the_more_pressing_lease_is_heard_first_whatever_the_broker_calls_that(self, broker: str) -> None:
        carrier, name = Broker(broker), f"test-{uuid4().hex[:8]}"
        for score in SCORES:
            carrier.send(name, BEGIN, ["here", [f"{score:g}"]], score)
        carrier.send(name, GIVE_WAY, [["any"], True], MOST_PRESSING)
        heard: list[str] = []

        def hear(body: Any, message: Any) -> None:
            heard.append(body[0][-1][0] if message.headers["task"] == BEGIN else "give way")
            message.ack()

        with carrier.app.connection_for_read() as connection:
            channel = connection.channel()
            channel.basic_qos(0, 1, False)
            with connection.Consumer([carrier.queue_of(name)], channel, callbacks=[hear]):
                while len(heard) <= len(SCORES):
                    connection.drain_events(timeout=30)
        carrier.forget(name)
        carrier.close()
        assert heard == ["95", "100", "give way", "71", "44", "12", "0"], "ten levels; the first come first within one"


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


def test_of_a_broker_without_priorities_that_is_said_once_at_start(caplog: pytest.LogCaptureFixture) -> None:
    carrier = Broker("memory://")
    carrier.check()
    assert not carrier.keeps_priorities
    assert caplog.text.count("broker_without_priorities") == 1
