"""The bundle scores raw campaigns, says when it cannot, and never loads anything half-right."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from features.contract import FEATURE_NAMES, fingerprint
from features.curves import Curves, hours
from features.matrix import Matrix
from features.snapshot import Snapshot
from serving import priority
from serving.errors import BundleCorrupt, ContractMismatch
from serving.model import Bundle, MatrixModel, ProcessingPrior
from serving.model.explanation import EXPECTED_VALUE
from serving.model.fallback import NO_TARGETS, NOTHING_KNOWN
from tests.bundles import TRAINED_AT, tiny_bundle
from tests.queues import rhythm_of
from tests.worlds import campaign, small_world

AT = TRAINED_AT + timedelta(hours=5)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return tiny_bundle(small_world())


@pytest.fixture
def saved(bundle: Bundle, tmp_path: Path) -> Path:
    bundle.save(tmp_path / "bundle")
    return tmp_path / "bundle"


def known(name: str = "known", **facts: object):
    window = {"released_at": TRAINED_AT, "ends_at": TRAINED_AT + timedelta(days=5)}
    return campaign(name, **{"kind": "kind1", "targets": {"p3": 4.0, "p7": 2.0}, **window, **facts})


def unheard_of(name: str = "new", **facts: object):
    return known(name, **{"kind": "never seen", "channel": "carrier pigeon", "targets": {}, **facts})


def test_a_prediction_is_the_trees_value_on_its_curve(bundle: Bundle) -> None:
    asked = [known("a"), known("b", kind="kind2", work_units=300.0)]
    answers = bundle.predict(asked, AT)
    values = bundle.booster.predict(bundle.snapshot.features(asked, AT))
    p_h = bundle.meta.seconds_per_unit_prior.p50_h([c.work_units for c in asked])
    index = priority.index(Curves.of(asked, values), p_h, p_h, hours(AT), bundle.meta.horizon_h)
    assert [a.campaign_id for a in answers] == ["a", "b"]
    assert [a.value for a in answers] == pytest.approx(values, rel=1e-12)
    assert [a.index for a in answers] == pytest.approx(index, rel=1e-12)
    assert [a.loss_per_hour for a in answers] == pytest.approx(index * p_h / 12, rel=1e-12)
    assert [a.processing_s.p50 for a in answers] == pytest.approx(p_h * 3600)
    assert all(a.fallback is None and 0 <= a.score <= 100 and a.processing_s.p90 > a.processing_s.p50 for a in answers)


def test_a_learned_rhythm_is_kept_shown_and_looked_at(bundle: Bundle, tmp_path: Path) -> None:
    rhythm = rhythm_of(3)
    learned = replace(bundle, meta=replace(bundle.meta, rhythm=tuple(rhythm.rates.tolist())))
    learned.save(tmp_path)
    loaded, asked = Bundle.load(tmp_path), [known("a")]
    (answer,) = loaded.predict(asked, AT)
    p_h = bundle.meta.seconds_per_unit_prior.p50_h([100.0])
    index = priority.index(Curves.of(asked, [answer.value], rhythm), p_h, p_h, hours(AT), bundle.meta.horizon_h)
    assert answer.index == pytest.approx(index[0])
    assert answer.index != pytest.approx(bundle.predict(asked, AT)[0].index)
    assert loaded.card().rhythm == learned.meta.rhythm


def test_one_by_one_is_the_same_as_all_at_once(bundle: Bundle) -> None:
    asked = [known("a"), unheard_of(), known("b", kind="kind2", work_units=300.0)]
    assert bundle.predict(asked, AT) == [bundle.predict([one], AT)[0] for one in asked]


def test_a_saved_bundle_answers_the_same(bundle: Bundle, saved: Path) -> None:
    loaded = Bundle.load(saved)
    assert loaded.meta == bundle.meta
    assert loaded.predict([known(), unheard_of()], AT) == bundle.predict([known(), unheard_of()], AT)


def test_contributions_sum_to_the_raw_output(bundle: Bundle) -> None:
    [answer] = bundle.explain([known()], AT)
    raw = bundle.booster.predict(bundle.snapshot.features([known()], AT), raw_score=True)
    assert sum(r.contribution for r in answer.reasons) == pytest.approx(raw[0], rel=1e-9)
    assert {r.feature for r in answer.reasons} == {*FEATURE_NAMES, EXPECTED_VALUE}
    sizes = [abs(r.contribution) for r in answer.reasons]
    assert sizes == sorted(sizes, reverse=True)
    assert replace(answer) == answer
    assert answer.value == bundle.predict([known()], AT)[0].value


def test_a_campaign_nothing_is_known_about_is_valued_by_the_matrix_in_dollars(bundle: Bundle) -> None:
    [answer] = bundle.predict([unheard_of(urgency=0.9)], AT)
    rows = bundle.snapshot.features([unheard_of(urgency=0.9)], AT)
    points = Matrix.default().points([unheard_of(urgency=0.9)], rows)
    assert answer.fallback == NOTHING_KNOWN
    assert answer.value == pytest.approx(float(bundle.meta.matrix_dollars.of(points)[0]))
    assert answer.loss_per_hour is not None


def test_a_campaign_without_targets_is_not_guessed_at_by_a_model_that_only_saw_some_with(bundle: Bundle) -> None:
    [unlike] = replace(bundle, meta=replace(bundle.meta, by_targets=True)).predict([known(targets={})], AT)
    assert unlike.fallback == NO_TARGETS
    [alike] = bundle.predict([known(targets={})], AT)
    assert alike.fallback is None


def test_its_reasons_are_the_criteria_of_the_matrix(bundle: Bundle) -> None:
    [answer] = bundle.explain([unheard_of(urgency=0.9)], AT)
    points = Matrix.default().points([unheard_of(urgency=0.9)], bundle.snapshot.features([unheard_of()], AT))
    assert {r.feature for r in answer.reasons} == {"urgency", "revenue", "audience", "market", "brand"}
    assert sum(r.contribution for r in answer.reasons) == pytest.approx(points[0])


def test_one_known_target_is_enough_for_the_trees(bundle: Bundle) -> None:
    [answer] = bundle.predict([unheard_of(targets={"p3": 1.0})], AT)
    assert answer.fallback is None


def test_a_stale_snapshot_says_so_and_the_matrix_answers(bundle: Bundle) -> None:
    limited = replace(bundle, snapshot_max_age_h=48.0)
    assert limited.predict([known()], AT)[0].fallback is None
    [stale] = limited.predict([known()], TRAINED_AT + timedelta(hours=50))
    assert stale.fallback == "the feature snapshot is 50 h old, more than 48 h; valued by the matrix"


def test_nothing_asked_is_nothing_answered(bundle: Bundle) -> None:
    assert bundle.predict([], AT) == []
    assert bundle.explain([], AT) == []


def test_without_a_bundle_the_matrix_orders_and_every_answer_says_why() -> None:
    model = MatrixModel("no champion: none was trained", Matrix.default())
    asked = [known("calm", urgency=0.1), known("urgent", urgency=0.9)]
    calm, urgent = model.predict(asked, AT)
    assert urgent.index > calm.index
    assert urgent.score == urgent.index == urgent.value
    assert urgent.loss_per_hour is None
    assert urgent.fallback == "no champion: none was trained; ordered by matrix points, not dollars"
    assert model.identity.source == "matrix"
    [explained, _] = model.explain(asked, AT)
    assert sum(r.contribution for r in explained.reasons) == pytest.approx(calm.index)


@pytest.mark.parametrize("name", ["model.txt", "snapshot.parquet", "bundle.json"])
def test_a_missing_file_is_named(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(BundleCorrupt, match=f"bundle file {name} is missing"):
        Bundle.load(saved)


@pytest.mark.parametrize("name", ["model.txt", "snapshot.parquet"])
def test_a_changed_file_is_named(saved: Path, name: str) -> None:
    content = bytearray((saved / name).read_bytes())
    content[len(content) // 2] ^= 1
    (saved / name).write_bytes(content)
    with pytest.raises(BundleCorrupt, match=f"bundle file {name} is not the file that was saved"):
        Bundle.load(saved)


def edited(saved: Path, **changes: object) -> None:
    document = json.loads((saved / "bundle.json").read_text())
    (saved / "bundle.json").write_text(json.dumps({**document, **changes}))


def test_metadata_that_is_no_json_is_named(saved: Path) -> None:
    (saved / "bundle.json").write_text('{"name":')
    with pytest.raises(BundleCorrupt, match=r"bundle file bundle\.json is not JSON"):
        Bundle.load(saved)


def test_metadata_that_breaks_its_rules_is_named_with_the_field(saved: Path) -> None:
    edited(saved, horizon_h=-1)
    with pytest.raises(BundleCorrupt, match=r"bundle\.json is not valid at horizon_h"):
        Bundle.load(saved)


def test_a_model_of_another_contract_is_refused_before_anything_else(saved: Path) -> None:
    edited(saved, contract="9f2c")
    (saved / "snapshot.parquet").unlink()
    with pytest.raises(ContractMismatch) as refused:
        Bundle.load(saved)
    assert str(refused.value) == (
        f"model expects feature contract 9f2c, this build computes {fingerprint()}:"
        " retrain, or deploy the build that trained it"
    )


def test_the_prior_is_a_lognormal_around_a_line() -> None:
    prior = ProcessingPrior(setup_units=500, slot_hours_per_unit=0.001, sigma=0.25)
    drawn = np.random.default_rng(3).lognormal(-(0.25**2) / 2, 0.25, 200_000) * 0.001 * (500 + 1000)
    assert drawn.mean() == pytest.approx(1.5, rel=0.01)
    assert prior.p50_h(1000) == pytest.approx(np.quantile(drawn, 0.5), rel=0.01)
    assert prior.p90_h(1000) == pytest.approx(np.quantile(drawn, 0.9), rel=0.01)


def test_the_snapshot_travels_with_the_bundle(saved: Path, bundle: Bundle) -> None:
    assert isinstance(Bundle.load(saved).snapshot, Snapshot)
    assert Bundle.load(saved).snapshot.moment == bundle.snapshot.moment
