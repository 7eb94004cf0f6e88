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
from tests.contract.celery_bench import OverABroker, Unheard
from tests.contract.executor_bench import LEASE_S, Bench
from tests.contract.executor_contract import ExecutorContract
from tests.contract.failing_contract import FailingContract
from tests.floor import story, until
from tests.required import required

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


@story
async def test_what_a_broker_will_not_have_goes_back_and_counts_as_no_attempt(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(partial(Unheard, "amqp://127.0.0.1:9//"), tasks=2)
    assert bench.executor.slots == 2
    bench.start(2)
    assert bench.progress().leased == 2
    await until(lambda: bench.progress().queued == 2, 30)
    assert "not_sent" in caplog.text
    assert bench.executor.slots == 0, "for a while nothing is claimed in vain"
    assert [lease.attempts for lease in bench.leases(2)] == [0, 0]
    await bench.executor.stop(grace_s=0)


@story
async def test_what_nobody_takes_up_in_time_goes_back_and_counts_as_no_attempt() -> None:
    bench = Bench(partial(Unheard, "memory://"), tasks=2)
    bench.start(2)
    await until(lambda: bench.store.looks > 2)
    assert bench.progress().leased == 2
    bench.clock.advance(LEASE_S / 2)
    await until(lambda: bench.progress().queued == 2)
    assert [lease.attempts for lease in bench.leases(2)] == [0, 0]
    await bench.executor.stop(grace_s=0)
