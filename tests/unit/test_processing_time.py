"""Processing times learned from runs whose distribution is known, and from what the executor really logged."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.curves import Floats
from features.matrix import Matrix
from features.records import Campaign
from features.schema import History, campaigns_of
from serving.api.answers import Predictions
from serving.errors import BundleCorrupt
from serving.model import Bundle, Card, ProcessingPrior, ProcessingTimes
from serving.outcomes import history_of
from serving.prediction import Headway
from serving.predictor import RemotePredictor
from serving.scheduling.progress import Progress
from serving.scheduling.roster import columns_of
from serving.scheduling.states import State
from serving.scheduling.work import Standing
from tests.bundles import TRAINED_AT, tiny_bundle
from tests.floor import Floor
from tests.queueing import after
from tests.working import KINDS, PARTS, SCATTER, worked
from tests.worlds import MONDAY, small_world
from training.processing_time import LEAST_CAMPAIGNS, LEVELS, processing_times

PRIOR = ProcessingPrior(setup_units=500, slot_hours_per_unit=0.004, sigma=0.25)
EVER = MONDAY + timedelta(days=10_000)


@cache
def learned(count: int = 1500, seed: int = 0) -> ProcessingTimes:
    found = processing_times(worked(count, seed).history, PRIOR, EVER)
    assert found is not None
    return found


def shares_within(quantiles: Floats, actual: Floats) -> tuple[float, float]:
    """Shares inside the 80 % and the 90 % interval."""
    low90, low80, _, high80, high90 = quantiles.T
    return float(((actual >= low80) & (actual <= high80)).mean()), float(
        ((actual >= low90) & (actual <= high90)).mean()
    )


@pytest.mark.parametrize("parts_done", [0, 2, 4, 6])
def test_what_is_left_falls_within_as_often_as_promised_at_the_start_and_at_checkpoints(parts_done: int) -> None:
    new = worked(4000, seed=99)
    spent, left = new.hours[:, :parts_done].sum(axis=1), new.hours[:, parts_done:].sum(axis=1)
    quantiles = learned().left_h(new.campaigns, LEVELS, parts_done / PARTS, spent)
    assert shares_within(quantiles, left) == pytest.approx((0.8, 0.9), abs=0.03)
    assert (np.diff(quantiles, axis=1) >= 0).all()


def test_kinds_that_vary_more_have_wider_intervals_and_keep_them_too() -> None:
    new, times = worked(4000, seed=99), learned()
    quantiles, kinds = times.left_h(new.campaigns, LEVELS), np.array([c.kind for c in new.campaigns])
    width = {k: float(np.median(quantiles[kinds == k, 3] / quantiles[kinds == k, 1])) for k in KINDS}
    assert sorted(KINDS, key=width.__getitem__) == sorted(KINDS, key=SCATTER.__getitem__)
    for kind in KINDS:
        within = shares_within(quantiles[kinds == kind], new.hours[kinds == kind].sum(axis=1))
        assert within == pytest.approx((0.8, 0.9), abs=0.06)


def test_learned_medians_are_nearer_than_the_prior_s_and_nearer_still_at_a_checkpoint() -> None:
    new, half = worked(2000, seed=98), PARTS // 2
    spent, left = new.hours[:, :half].sum(axis=1), new.hours[:, half:].sum(axis=1)
    by_prior = PRIOR.p50_h([c.work_units for c in new.campaigns])
    at_start, at_half = learned().left_h(new.campaigns, [0.5])[:, 0], learned().left_h(new.campaigns, [0.5], 0.5, spent)

    def error(predicted: Floats, actual: Floats) -> float:
        return float(np.abs(np.log(predicted / actual)).mean())

    whole = new.hours.sum(axis=1)
    assert error(at_start, whole) < 0.7 * error(by_prior, whole)
    assert error(at_half[:, 0], left) < 0.6 * error(at_start / 2, left)


def test_who_was_slow_so_far_has_more_left() -> None:
    (one,) = worked(1, seed=5).campaigns
    slow, usual, fast = learned().left_h([one] * 3, [0.5], 0.5, np.array([4.0, 2.0, 1.0]))[:, 0]
    assert slow > usual > fast


def test_labels_never_seen_get_the_usual_time() -> None:
    (one,) = worked(1, seed=5).campaigns
    stranger = replace(one, kind="never seen", channel="pigeon", account="nobody")
    assert np.isfinite(learned().left_h([stranger], LEVELS)).all()


def test_the_prior_answers_until_enough_campaigns_were_worked_off() -> None:
    assert processing_times(History.empty(), PRIOR, EVER) is None
    assert processing_times(worked(LEAST_CAMPAIGNS - 1).history, PRIOR, EVER) is None
    assert processing_times(worked(LEAST_CAMPAIGNS).history, PRIOR, EVER) is not None


def test_runs_of_the_future_and_half_done_work_teach_nothing() -> None:
    past, until = worked(400).history, MONDAY + timedelta(hours=700)
    begun = past.runs.assign(
        finished_at=past.runs.finished_at.where(
            past.runs.finished_at <= until, past.runs.finished_at + pd.Timedelta("900D")
        )
    )
    wild = replace(
        past, runs=begun, campaigns=past.campaigns.assign(launched_at=pd.Timestamp(until) + pd.Timedelta("9D"))
    )
    assert processing_times(wild, PRIOR, until) == processing_times(past, PRIOR, until)


def test_a_bundle_keeps_what_it_learned_and_answers_by_it(tmp_path: Path) -> None:
    bundle = replace(tiny_bundle(small_world()), processing=learned())
    bundle.save(tmp_path)
    loaded, asked = Bundle.load(tmp_path), worked(3, seed=5).campaigns
    p50_h, p90_h = learned().left_h(asked, (0.5, 0.9)).T
    for answers in (bundle.predict(asked, TRAINED_AT), loaded.predict(asked, TRAINED_AT)):
        assert [a.processing_s.p50 for a in answers] == pytest.approx(p50_h * 3600)
        assert [a.processing_s.p90 for a in answers] == pytest.approx(p90_h * 3600)
    left = loaded.work_left_h(asked, 0.5, [3.0, 2.0, 1.0])
    np.testing.assert_allclose(left, learned().left_h(asked, (0.5, 0.9), 0.5, [3.0, 2.0, 1.0]))


def test_a_prediction_says_what_is_left_of_work_under_way_and_values_it_as_before() -> None:
    bundle, asked = replace(tiny_bundle(small_world()), processing=learned()), worked(3, seed=5).campaigns
    slow, fast, not_begun = asked
    progress = {slow.campaign_id: Headway(done=0.5, spent_h=30.0), fast.campaign_id: Headway(done=0.5, spent_h=0.1)}
    before, told = bundle.predict(asked, TRAINED_AT), bundle.predict(asked, TRAINED_AT, progress)
    left_h = learned().left_h(asked, (0.5, 0.9), [0.5, 0.5, 0.0], [30.0, 0.1, 0.0])
    assert [(a.left_s.p50, a.left_s.p90) for a in told] == [pytest.approx(tuple(h)) for h in left_h * 3600]
    assert told[2] == before[2]
    assert told[2].left_s == told[2].processing_s
    assert [replace(a, left_s=a.processing_s) for a in told] == before
    (explained, *_) = bundle.explain(asked, TRAINED_AT, progress)
    assert explained.left_s == told[0].left_s
    assert not_begun.campaign_id not in progress


def test_the_prior_takes_what_is_left_in_proportion() -> None:
    bundle, (one,) = tiny_bundle(small_world()), worked(1, seed=5).campaigns
    (answer,) = bundle.predict([one], TRAINED_AT, {one.campaign_id: Headway(done=0.75, spent_h=99.0)})
    assert (answer.left_s.p50, answer.left_s.p90) == (answer.processing_s.p50 / 4, answer.processing_s.p90 / 4)


@pytest.mark.parametrize("parts_done", [2, 4, 6])
def test_the_scheduler_believes_what_the_model_says_is_left_rather_than_a_share_of_the_whole(parts_done: int) -> None:
    new, bundle = worked(2000, seed=98), replace(tiny_bundle(small_world()), processing=learned())
    spent, left = new.hours[:, :parts_done].sum(axis=1), new.hours[:, parts_done:].sum(axis=1)
    begun = [
        Standing(
            campaign=campaign,
            state=State.RUNNING,
            submitted_at=TRAINED_AT,
            progress=Progress(units=PARTS, units_done=parts_done, chunks_done=parts_done, tasks=1, spent_s=3600 * h),
        )
        for campaign, h in zip(new.campaigns, spent, strict=True)
    ]

    def error(asked: list[Standing]) -> float:
        """Of what is left, as a share of it, if the model was asked when campaigns stood so."""
        forecast = asyncio.run(RemotePredictor(_At(bundle), Matrix.default()).forecast(asked, TRAINED_AT))
        now = [replace(s, estimate=estimate) for s, estimate in zip(begun, forecast.estimates, strict=True)]
        return float(np.abs(columns_of(now).remaining_h / left - 1).mean())

    at_the_start = [replace(standing, progress=Progress(units=PARTS, tasks=1)) for standing in begun]
    assert error(begun) < 0.2
    assert error(at_the_start) > 0.35


class _At:
    """The prediction API around a bundle, without the way there."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    async def predict(
        self, campaigns: Sequence[Campaign], at: datetime, progress: Mapping[str, Headway]
    ) -> Predictions:
        return Predictions(
            model=self._bundle.identity, predictions=tuple(self._bundle.predict(campaigns, at, progress))
        )

    async def card(self) -> Card:
        return self._bundle.card()


def test_a_bundle_without_runs_answers_by_the_prior() -> None:
    bundle, asked = tiny_bundle(small_world()), worked(2, seed=5).campaigns
    p50_h = bundle.meta.seconds_per_unit_prior.p50_h([c.work_units for c in asked])
    np.testing.assert_allclose(bundle.work_left_h(asked, [0.0, 0.25])[:, 0], p50_h * [1.0, 0.75])


@pytest.mark.parametrize("damage", ["{", '{"levels": [0.5]}'])
def test_damaged_processing_times_are_named(damage: str, tmp_path: Path) -> None:
    replace(tiny_bundle(small_world()), processing=learned()).save(tmp_path)
    (tmp_path / "processing.json").write_text(damage)
    with pytest.raises(BundleCorrupt, match=r"processing\.json"):
        Bundle.load(tmp_path)


def worked_off_by_the_executor(campaigns: int) -> History:
    """The log of campaigns of two kinds, one slower and less steady, scheduled and run on twelve slots."""
    chance = np.random.default_rng(1)
    slow = chance.random(campaigns) < 0.5
    units = chance.uniform(50, 200, campaigns)
    scatter = np.where(slow, 0.4, 0.15) * chance.standard_normal(campaigns)
    hours = units / 25 * np.where(slow, 1.5, 0.5) * np.exp(scatter)

    async def work() -> History:
        floor = Floor(slots=12)
        for n in range(campaigns):
            kind = "pages" if slow[n] else "mails"
            floor.submit(f"c{n:03}", hours=hours[n], chunks=2, kind=kind, work_units=units[n], ends_at=after(hours=900))
        await floor.pass_hours(1.2 * hours.sum() / 12 + 20, every_h=0.5)
        return history_of(floor.store, floor.clock.now())

    return asyncio.run(work())


@pytest.mark.no_cover  # for what is covered elsewhere it would take three times as long
def test_it_learns_from_what_the_executor_logged() -> None:
    log = worked_off_by_the_executor(330)
    assert len(log.campaigns) == 330
    campaigns = campaigns_of(log)
    # Any of them, as those done first are the short ones.
    known = {c.campaign_id for n, c in enumerate(campaigns) if n % 3}
    past = replace(log, campaigns=log.campaigns[log.campaigns.campaign_id.isin(known)])
    times = processing_times(past, PRIOR, log.runs.finished_at.max().to_pydatetime())
    assert times is not None
    hours = ((log.runs.finished_at - log.runs.started_at) / pd.Timedelta("1h")).groupby(log.runs.campaign_id).sum()
    new = [c for c in campaigns if c.campaign_id not in known]
    within = shares_within(times.left_h(new, LEVELS), hours.loc[[c.campaign_id for c in new]].to_numpy())
    assert within == pytest.approx((0.8, 0.9), abs=0.1)  # of 110 campaigns: two and a half times their chance
