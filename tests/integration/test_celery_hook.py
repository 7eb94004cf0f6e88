"""A Celery app of somebody else's works by our priorities, through the brokers it has: RabbitMQ and Redis."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from features.matrix import Matrix
from serving.api.bodies import CAMPAIGN
from serving.model import MatrixModel
from tests.listening import listening
from tests.predicting import PredictionApi
from tests.required import required
from tests.worlds import campaign

celery = pytest.importorskip("celery", reason="the extra 'celery' is not installed")

from celery.signals import before_task_publish  # noqa: E402 - only where there is Celery

from serving.client.celery import Prioritised, prioritise  # noqa: E402
from tests.bench.peers.servers import rabbitmq, redis  # noqa: E402

pytestmark = [pytest.mark.integration]

URGENCIES = (0.1, 0.9, 0.4, 1.0, 0.0, 0.7)
"""In the order in which campaigns are published."""


class PointsByUrgency(MatrixModel):
    """Scores the whole range by what is declared, so that an order can be expected."""

    def predict(self, campaigns, at, progress=None) -> list[Any]:
        answers = super().predict(campaigns, at)
        return [replace(answer, score=100 * (c.urgency or 0)) for answer, c in zip(answers, campaigns, strict=True)]


@pytest.fixture(scope="module", params=[rabbitmq, redis], ids=["rabbitmq", "redis"])
def broker(request: pytest.FixtureRequest) -> Iterator[str]:
    with required(request.param) as url:
        yield url


@pytest.fixture
def api() -> PredictionApi:
    return PredictionApi(PointsByUrgency("no champion", Matrix.default()))


@pytest.fixture
def app(broker: str) -> Iterator[Any]:
    app = celery.Celery("shop", broker=broker, set_as_current=False)
    app.conf.update(
        task_default_queue=f"shop-{os.getpid()}-{id(app)}",
        task_queue_max_priority=10,
    )
    yield app
    with app.connection_for_write() as connection:
        connection.default_channel.queue_delete(app.conf.task_default_queue)
    app.close()


def published(app: Any, urgencies: tuple[float, ...] = URGENCIES) -> None:
    for urgency in urgencies:
        document = CAMPAIGN.dump_python(campaign(f"c{urgency}", urgency=urgency), mode="json")
        app.send_task("send", [str(urgency)], headers={"campaign": document})


def fetched(app: Any, count: int) -> list[str]:
    """What a worker that fetches one message at a time gets, in order, of all that was published before it came."""
    names: list[str] = []

    def take(body: Any, message: Any) -> None:
        names.append(body[0][0])
        message.ack()

    with app.connection_for_read() as connection:
        channel = connection.channel()
        channel.basic_qos(0, 1, False)
        with app.amqp.TaskConsumer(channel, callbacks=[take]):
            while len(names) < count:
                connection.drain_events(timeout=30)
    return names


@pytest.fixture
def hooked(app: Any, api: PredictionApi) -> Iterator[Prioritised]:
    with listening(api) as http:
        prioritised = prioritise(app, str(http.base_url), token="prec_1_secret")
        yield prioritised
        before_task_publish.disconnect(prioritised)


def test_the_most_pressing_campaign_runs_first(app: Any, hooked: Prioritised, api: PredictionApi, broker: str) -> None:
    published(app)
    published(app)
    assert api.calls == len(URGENCIES), "a score is used again"
    assert set(api.tokens) == {"Bearer prec_1_secret"}
    order = [float(name) for name in fetched(app, 2 * len(URGENCIES))]
    # Redis has four steps by default, within which what came first goes first.
    levels = 4 if broker.startswith("redis") else 10
    of = [min(int(urgency * levels), levels - 1) for urgency in order]
    assert sorted(order) == sorted(2 * URGENCIES)
    assert of == sorted(of, reverse=True)
    assert len(set(of)) >= 3


def test_what_is_of_no_campaign_or_cannot_be_scored_is_published_all_the_same(
    app: Any, hooked: Prioritised, api: PredictionApi
) -> None:
    app.send_task("send", ["of no campaign"])
    app.send_task("send", ["of an invalid one"], headers={"campaign": {"campaign_id": "x"}})
    api.refuses = 503
    published(app, (0.5,))
    assert sorted(fetched(app, 3)) == ["0.5", "of an invalid one", "of no campaign"]
    api.refuses = None


def test_an_api_that_is_away_is_left_alone_after_a_few_tries(app: Any) -> None:
    moment = [0.0]
    hook = Prioritised(app, "http://127.0.0.1:9", timeout_s=0.2, now_s=lambda: moment[0])
    document = CAMPAIGN.dump_python(campaign("c"), mode="json")
    for _ in range(5):
        properties: dict[str, Any] = {"priority": 7}
        hook(sender="send", headers={"campaign": document}, properties=properties)
        assert properties == {"priority": 7}
    assert not hook._breaker.lets_through()
