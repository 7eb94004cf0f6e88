"""Processing times learned from runs whose distribution is known, and from what the executor really logged."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.curves import Floats
from features.schema import History, campaigns_of
from serving.errors import BundleCorrupt
from serving.model import Bundle, ProcessingPrior, ProcessingTimes
from serving.outcomes import history_of
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
