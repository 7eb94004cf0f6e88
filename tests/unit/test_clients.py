"""The clients: the same calls with and without an event loop, with a token, and a plain error when it is refused."""

from __future__ import annotations

import asyncio
import inspect
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from features.matrix import Matrix
from features.records import Kpi, Metric, Signal, Task
from serving.auth.keyring import Keyring
from serving.auth.scopes import Scope
from serving.auth.tokens import mint
from serving.client import AsyncQueueClient, PriorityClient, QueueClient, SyncPriorityClient
from serving.client.ours import priority_client, queue_client
from serving.errors import ExitCode, Refused, ServiceUnreachable
from serving.model import MatrixModel
from serving.settings import Settings
from tests.listening import listening, service
from tests.predicting import PredictionApi
from tests.worlds import campaign

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
LATER = {"released_at": datetime(2098, 1, 1, tzinfo=UTC), "ends_at": datetime(2099, 1, 1, tzinfo=UTC)}
TASK = Task(campaign_id="sale", task_id="t", handler="simulate", units=1.0)


def token_for(home: Path, *scopes: Scope) -> str:
    secret, token = mint("client", frozenset(scopes), NOW)
    Keyring(home / "tokens.json").add(token)
    return secret


KINDS = [(QueueClient, AsyncQueueClient), (SyncPriorityClient, PriorityClient)]


@pytest.mark.parametrize(("plain", "with_a_loop"), KINDS)
def test_both_kinds_offer_the_same_calls(plain: type, with_a_loop: type) -> None:
    def calls(client: type) -> dict[str, str]:
        methods = inspect.getmembers(client, inspect.isfunction)
        return {name: str(inspect.signature(method)) for name, method in methods if not name.startswith("_")}

    assert calls(plain) == calls(with_a_loop)


def test_every_call_of_the_queue_api_goes_through_an_event_loop_too(tmp_path: Path) -> None:
    secret = token_for(tmp_path, Scope.OPERATE)

    async def ask(url: str) -> None:
        async with AsyncQueueClient(url, token=secret) as client:
            placed = await client.submit(campaign("sale", **LATER), [TASK])
            assert placed.state == "waiting"
            assert (await client.campaign("sale")).campaign.kind == placed.campaign.kind
            assert (await client.change("sale", boost=2.0, pin=True)).boost == 2.0
            more = Task(campaign_id="sale", task_id="more", handler="simulate", units=1.0)
            assert (await client.add_tasks("sale", [more])).added == 1
            assert (await client.why("sale")).why.reason == "not_released"
            assert (await client.queue(limit=5)).total == 1
            assert (await client.what_if(campaign("other", **LATER))).campaigns[0].campaign_id == "other"
            assert (await client.dead_letters()).total == 0
            kpi = Kpi(campaign_id="sale", at=NOW, known_at=NOW, metric=Metric.OPENS, value=3)
            assert await client.observe([kpi, kpi]) == 1
            assert (
                await client.signal([Signal(entity="market:us", at=NOW, known_at=NOW, name="demand", value=1.0)]) == 1
            )
            assert (await client.kpis())["done"] == 0
            with pytest.raises(Refused, match="no dead letters"):
                await client.redrive("sale")
            assert (await client.cancel("sale")).state == "cancelled"

    with service("scheduler", tmp_path, priority_port=9) as http:
        asyncio.run(ask(str(http.base_url)))


def test_predictions_need_no_event_loop() -> None:
    with (
        listening(PredictionApi(MatrixModel("no champion", Matrix.default()))) as http,
        SyncPriorityClient(str(http.base_url), token="prec_1_x") as client,
    ):
        assert client.card().source == "matrix"
        assert [p.campaign_id for p in client.predict([campaign("a"), campaign("b")]).predictions] == ["a", "b"]


def test_a_refused_token_is_said_in_words_and_ends_a_command_by_its_own_code(tmp_path: Path) -> None:
    secret = token_for(tmp_path, Scope.SUBMIT)
    with service("scheduler", tmp_path, priority_port=9) as http:
        url = str(http.base_url)
        for token, says in ((None, "no token was sent"), ("prec_0_0", "unknown or revoked"), (secret, "for operate")):
            with QueueClient(url, token=token) as client, pytest.raises(Refused, match=says) as refused:
                client.queue()
            assert refused.value.exit_code is ExitCode.REFUSED
            assert secret not in str(refused.value)


def test_our_own_clients_send_the_token_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    api = PredictionApi(MatrixModel("no champion", Matrix.default()))
    with listening(api) as http:
        monkeypatch.setenv("PRECEDENCE_TOKEN", "prec_1_ours")
        monkeypatch.setenv("PRECEDENCE_PRIORITY_URL", str(http.base_url))

        async def ask() -> None:
            async with priority_client(Settings.read()) as client:
                await client.card()

        asyncio.run(ask())
    assert api.tokens == ["Bearer prec_1_ours"]
    with (
        queue_client(Settings.read(scheduler_url="http://127.0.0.1:9")) as client,
        pytest.raises(ServiceUnreachable, match=r"http://127\.0\.0\.1:9"),
    ):
        client.queue()


def test_a_client_waits_no_longer_than_it_is_told_to() -> None:
    async def never(scope, receive, send) -> None:
        if scope["type"] == "http":
            await asyncio.sleep(timedelta(minutes=5).total_seconds())
        else:
            await PredictionApi(MatrixModel("", Matrix.default()))(scope, receive, send)

    with (
        listening(never, timeout_graceful_shutdown=0) as http,
        SyncPriorityClient(str(http.base_url), timeout_s=0.05) as client,
        pytest.raises(ServiceUnreachable, match="timed out"),
    ):
        client.card()
