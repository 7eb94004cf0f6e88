"""The scheduler goes on without the prediction API, says by what, leaves it alone, and notices when it is back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from features.matrix import Matrix
from features.records import Campaign
from serving.breaker import Breaker, State
from serving.client import PriorityClient
from serving.model import MatrixModel, Model
from serving.predictor import RemotePredictor
from serving.scheduling.states import State as Stage
from serving.scheduling.work import Forecast, Standing
from tests.bundles import TRAINED_AT, tiny_bundle
from tests.integration.servers import free_port
from tests.listening import listening
from tests.predicting import AT, PredictionApi
from tests.worlds import campaign, small_world

WEEK = {"released_at": TRAINED_AT, "ends_at": TRAINED_AT + timedelta(days=7)}
KNOWN = campaign("known", kind="kind1", **WEEK, targets={"p3": 4.0})
NEW = campaign("new", kind="kind1", **WEEK, urgency=0.9, targets={"p1": 1.0})


class Clockwork:
    """Seconds that pass when told to, and the states a breaker took by then."""

    def __init__(self) -> None:
        self.now_s, self.states = 0.0, []

    def breaker(self, **how: Any) -> Breaker:
        return Breaker(now_s=lambda: self.now_s, changed=self.states.append, **how)


def test_it_opens_after_failures_in_a_row_and_closes_when_a_probe_succeeds() -> None:
    clockwork = Clockwork()
    breaker = clockwork.breaker(failures=2, rest_s=10)
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    assert breaker.lets_through(), "not in a row"
    breaker.failed()
    assert not breaker.lets_through()
    clockwork.now_s = 10.0
    assert breaker.lets_through(), "one probe"
    assert not breaker.lets_through(), "only one at a time"
    breaker.succeeded()
    assert breaker.lets_through()
    assert clockwork.states == [State.OPEN, State.HALF_OPEN, State.CLOSED]


def test_each_probe_that_fails_doubles_the_rest_up_to_the_longest() -> None:
    clockwork = Clockwork()
    breaker = clockwork.breaker(failures=1, rest_s=10, longest_rest_s=25)
    breaker.failed()
    for rest_s in (10, 20, 25, 25):
        clockwork.now_s += rest_s - 0.1
        assert not breaker.lets_through()
        clockwork.now_s += 0.1
        assert breaker.lets_through()
        breaker.failed()


def test_a_probe_that_was_cut_off_does_not_keep_it_open_for_ever() -> None:
    clockwork = Clockwork()
    breaker = clockwork.breaker(failures=1, rest_s=10)
    breaker.failed()
    clockwork.now_s = 10.0
    assert breaker.lets_through()
    clockwork.now_s = 20.0
    assert breaker.lets_through()


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_bundle(small_world()).versioned("7")


class Asker:
    """A scheduler's predictor, asked with clockwork."""

    def __init__(self, port: int, **how: Any) -> None:
        self.clockwork = Clockwork()
        self._url, self._how = f"http://127.0.0.1:{port}", how
        self._loop = asyncio.new_event_loop()
        self.client = PriorityClient(self._url, timeout_s=5)
        breaker = self.clockwork.breaker(failures=2, rest_s=10)
        self.predictor = RemotePredictor(self.client, Matrix.default(), breaker)

    def __call__(self, *campaigns: Campaign) -> Forecast:
        standings = [Standing(campaign=c, state=Stage.READY, submitted_at=TRAINED_AT) for c in campaigns]
        return self._loop.run_until_complete(self.predictor.forecast(standings, AT))

    def close(self) -> None:
        self._loop.run_until_complete(self.client.__aexit__())
        self._loop.close()


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def ask(port: int):
    asker = Asker(port)
    yield asker
    asker.close()


def test_the_last_curves_stand_in_while_the_api_is_away_and_it_is_noticed_when_back(
    model: Model, port: int, ask: Asker
) -> None:
    with listening(PredictionApi(model), port=port):
        before = ask(KNOWN)
    assert (before.source, before.model_version, before.estimates[0].fallback) == ("champion", "7", None)
    away = ask(KNOWN, NEW)
    assert (away.source, away.model_version) == ("remembered", "7")
    assert (away.horizon_h, away.index_quantiles) == (before.horizon_h, before.index_quantiles)
    assert replace(away.estimates[0], fallback=None) == before.estimates[0]
    assert "as predicted at 2026-03-02 05:00 UTC" in away.estimates[0].fallback
    assert f"http://127.0.0.1:{port}" in away.estimates[0].fallback
    assert "valued by the matrix in dollars" in away.estimates[1].fallback
    assert away.estimates[1].value == pytest.approx(model.meta.matrix_dollars.of([away.estimates[1].points])[0])
    assert ask.predictor.state is State.CLOSED
    ask(KNOWN)
    assert ask.predictor.state is State.OPEN
    back = PredictionApi(model)
    with listening(back, port=port):
        assert ask(KNOWN).source == "remembered"
        assert back.calls == 0, "left alone while it rests"
        ask.clockwork.now_s = 10.0
        assert ask(KNOWN, NEW).source == "champion"
        assert ask.clockwork.states == [State.OPEN, State.HALF_OPEN, State.CLOSED]


def test_a_campaign_whose_facts_changed_is_not_valued_by_what_was_said_of_it_before(
    model: Model, port: int, ask: Asker
) -> None:
    with listening(PredictionApi(model), port=port):
        ask(KNOWN)
    away = ask(replace(KNOWN, work_units=9.0))
    assert "valued by the matrix in dollars" in away.estimates[0].fallback


def test_without_a_word_of_any_model_the_matrix_orders_and_says_why(port: int, ask: Asker) -> None:
    away = ask(KNOWN, NEW)
    assert (away.source, away.model_version) == ("matrix", None)
    for estimate in away.estimates:
        assert estimate.value is None
        assert "no usable answer" in estimate.fallback
    with listening(PredictionApi(MatrixModel("no champion", Matrix.default())), port=port):
        ask.clockwork.now_s = 10.0
        assert ask(KNOWN).source == "matrix"
    assert ask(KNOWN).source == "matrix", "points are no dollars to remember"


def test_a_refusal_is_labelled_but_no_reason_to_stay_away(model: Model, port: int, ask: Asker) -> None:
    api = PredictionApi(model, refuses=401)
    with listening(api, port=port):
        for calls in (1, 2, 3):
            assert "refused" in ask(KNOWN).estimates[0].fallback
            assert api.calls == calls
        assert ask.predictor.state is State.CLOSED
        api.refuses = None
        assert ask(KNOWN).source == "champion"
        api.refuses = 500
        for _ in range(2):
            assert ask(KNOWN).source == "remembered"
        assert ask.predictor.state is State.OPEN
