"""The hot path answers as the ordinary route does, or not at all."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from features.records import Campaign
from features.rhythm import WEEK_H
from serving.api.answers import Predictions
from serving.api.bodies import ASKED, Asked, read
from serving.clock import SystemClock
from serving.errors import BadInput
from serving.hot import Answering
from serving.hot.reading import Reader
from serving.model import Bundle, MatrixModel
from serving.prediction import NOBODY_BEGAN, Headway, Model, Prediction
from tests.bundles import TRAINED_AT, tiny_bundle
from tests.worlds import small_world

READER = Reader()
PREDICTIONS = TypeAdapter(Predictions)

names = st.one_of(
    st.sampled_from(["mail", "push", "kind1", "p3", "", "Zoë", "a\x7fb", "£5", "new\nline", "x" * 200, "x" * 201, "…"]),
    st.text(max_size=12),
)
ids = st.one_of(st.sampled_from(["a", "b:1", "a b", "a\n", "", "-a", "ä"]), st.from_regex(r"[A-Za-z0-9_.:-]{1,9}"))
numbers = st.one_of(
    st.sampled_from([0, 1, -1, 0.5, 1e15, 1e16, 2**63, 2**70, True, None, "1", 1e-320]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(0, 1),
    st.integers(0, 10**6),
)
moments = st.builds(
    lambda days, micro, suffix: (
        (TRAINED_AT.replace(tzinfo=None) + timedelta(days, microseconds=micro)).isoformat() + suffix
    ),
    st.integers(-20, 20),
    st.sampled_from([0, 0, 0, 500_000, 999_999]),
    st.sampled_from(["Z", "Z", "Z", "+00:00", "+02:00", "-05:30", "+0200", "", "z", "5Z", ".1234567Z", ".9999999Z"]),
)
texts = st.lists(names, max_size=3)

FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "campaign_id": ids,
    "account": names,
    "kind": names,
    "channel": names,
    "released_at": moments,
    "work_units": numbers,
    "launch_by": moments,
    "starts_at": moments,
    "ends_at": moments,
    "targets": st.dictionaries(names, numbers, max_size=4),
    "planned_revenue": numbers,
    "urgency": numbers,
    "brand": numbers,
    "tags": texts,
    "value_shape": st.sampled_from(["window", "deadline", "half_life", "Window", "", None]),
    "late_fraction": numbers,
    "half_life_h": numbers,
    "delivers": st.sampled_from(["at_end", "as_done", "never"]),
    "exclusive": texts,
    "after": st.lists(ids, max_size=2),
    "on_failure": st.sampled_from(["hold", "cancel", 1]),
    "holdout": numbers,
    "unheard_of": numbers,
}
PLAIN: dict[str, Any] = {
    "account": "shoes",
    "kind": "kind1",
    "channel": "mail",
    "released_at": "2026-03-02T00:00:00Z",
    "ends_at": "2026-03-09T00:00:00Z",
    "work_units": 100.0,
    "targets": {"p3": 4.0, "p7": 2},
}

campaigns = st.builds(
    lambda own_id, changes: {"campaign_id": own_id, **PLAIN, **changes},
    st.sampled_from(["a", "b", "c"]),
    st.lists(st.sampled_from(sorted(FIELDS)), max_size=3, unique=True).flatmap(
        lambda chosen: st.fixed_dictionaries({name: FIELDS[name] for name in chosen})
    ),
)
bodies = st.fixed_dictionaries(
    {"campaigns": st.lists(campaigns, max_size=3)},
    optional={
        "at": moments,
        "progress": st.one_of(
            st.none(),
            st.dictionaries(
                st.sampled_from(["a", "b", "z"]),
                st.fixed_dictionaries({"done": numbers}, optional={"spent_h": numbers}),
            ),
        ),
    },
)


def ordinary(body: bytes) -> Asked | None:
    try:
        return read(ASKED, body)
    except BadInput:
        return None


def same(found: object, expected: object) -> bool:
    return all(getattr(found, f.name) == getattr(expected, f.name) for f in fields(Campaign))


@cache
def models() -> tuple[Model, ...]:
    bundle: Bundle = tiny_bundle(small_world())
    return bundle, MatrixModel("none was trained", bundle.matrix)


@given(bodies, st.booleans(), st.booleans())
def test_what_the_hot_path_reads_the_ordinary_reader_reads_alike(body: dict[str, Any], ascii_only: bool, spaced: bool):
    text = json.dumps(body, ensure_ascii=ascii_only, separators=None if spaced else (",", ":"))
    data = text.encode(errors="surrogatepass")
    found, expected = READER.read(data), ordinary(data)
    if found is None:
        return
    assert expected is not None, "it reads what is to be refused"
    assert found.at == expected.at
    assert len(found.campaigns) == len(expected.campaigns)
    assert all(same(f, e) for f, e in zip(found.campaigns, expected.campaigns, strict=True))
    assert {k: (h.done, h.spent_h) for k, h in (found.progress or {}).items()} == {
        k: (h.done, h.spent_h) for k, h in (expected.progress or {}).items()
    }
    at = expected.at or datetime(2026, 3, 3, tzinfo=UTC)
    for model in models():
        hot = Answering(lambda model=model: model, SystemClock())
        answer = hot.encoded(hot.predicted(msgspec.structs.replace(found, at=at)))
        plain = model.predict(expected.campaigns, at, expected.progress or NOBODY_BEGAN)
        whole = Predictions(model=model.identity, predictions=tuple(plain))
        assert json.loads(answer) == json.loads(PREDICTIONS.dump_json(whole))


RHYTHM = tuple(1 + 0.5 * (-1) ** (hour % 2) for hour in range(WEEK_H))


@cache
def bundles() -> tuple[Bundle, ...]:
    """Of an even market, and of one with a rhythm."""
    bundle = tiny_bundle(small_world())
    return bundle, replace(bundle, meta=replace(bundle.meta, rhythm=RHYTHM))


@given(st.lists(campaigns, min_size=2, max_size=3), st.integers(0, 9 * 24), st.floats(0, 1))
def test_a_campaign_alone_is_answered_as_it_is_among_others(asked: list[dict[str, Any]], later_h: int, done: float):
    found = READER.read(json.dumps({"campaigns": asked}).encode())
    if found is None:
        return
    at = TRAINED_AT + timedelta(hours=later_h / 4)
    progress = {found.campaigns[0].campaign_id: Headway(done=done)}
    for bundle in bundles():
        rows = bundle.snapshot.features(found.campaigns, at)
        answers = bundle.predict(found.campaigns, at, progress)
        for campaign, row, answer in zip(found.campaigns, rows, answers, strict=True):
            np.testing.assert_allclose(bundle.snapshot.features([campaign], at), row[None], rtol=1e-9)
            [alone] = bundle.predict([campaign], at, progress)
            assert told(alone) == pytest.approx(told(answer), rel=1e-9, abs=1e-9, nan_ok=True)
            assert (alone.curve, alone.fallback) == (answer.curve, answer.fallback)


def told(answer: Prediction) -> tuple[float | None, ...]:
    times = (answer.processing_s, answer.left_s)
    quantiles = [quantile for time in times for quantile in (time.p50, time.p90)]
    return (answer.score, answer.index, answer.value, answer.loss_per_hour, *quantiles)


@given(bodies, st.data())
def test_what_is_broken_is_never_read(body: dict[str, Any], data: st.DataObject):
    text = json.dumps(body)
    at = data.draw(st.integers(0, len(text) - 1))
    broken = (
        text[:at] + data.draw(st.sampled_from(["", ",", '"', "NaN", "1e999", "\\", "\x00", "{", "é"])) + text[at + 1 :]
    )
    if READER.read(broken.encode()) is not None:
        assert ordinary(broken.encode()) is not None


@pytest.mark.parametrize("changes", [{}, {"tags": ["a", "b"], "after": ["x"], "urgency": 0.5, "value_shape": "window"}])
def test_plain_campaigns_are_beyond_doubt(changes: dict[str, Any]):
    body = json.dumps({"campaigns": [{"campaign_id": "a", **PLAIN, **changes}], "progress": {"a": {"done": 0.5}}})
    assert READER.read(body.encode()) is not None


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"null", b"{}", b'{"campaigns": 1}', b'{"campaigns": [null]}', b"\xff\xfe", b"[" * 100_000,
        b'{"campaigns": []} x', b'{"campaigns": [], "at": "2026-03-02"}', b'{"campaigns": [], "at": 1772409600}',
        b'{"campaigns": [], "more": 1}', b'{"campaigns": [], "progress": {"a": {"done": 0.5}}}',
        b'{"campaigns": [], "at": "2026-03-02T00:00:00.12345\\u00367Z"}',
    ],
)  # fmt: skip
def test_whatever_else_comes_is_left_to_the_ordinary_route(body: bytes):
    assert READER.read(body) is None


def test_the_very_fields_of_the_record_are_read():
    found = READER.read(json.dumps({"campaigns": [{"campaign_id": "a", **PLAIN}]}).encode())
    expected = ordinary(json.dumps({"campaigns": [{"campaign_id": "a", **PLAIN}]}).encode())
    assert found is not None
    assert expected is not None
    assert msgspec.structs.asdict(found.campaigns[0]) == asdict(expected.campaigns[0])
