"""A newcomer answers the example it was registered with, beside the one that serves, before anybody depends on it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np
import pandas as pd

from features.records import Campaign
from serving.errors import BundleCorrupt, PrecedenceError
from serving.model import Bundle, Model, Prediction
from serving.model.storage import MODEL
from serving.registry.frames import campaigns_of_frame

EXAMPLE = "input_example.json"
"""MLflow's name for the example it stores beside a model."""

_CLOSE = 1e-9


@dataclass(frozen=True)
class Passed:
    """What came of a trial.

    Attributes
    ----------
    campaigns : how many were answered.
    moved : median factor between the old model's values and the new one's; None without an old one, or its dollars.
    """

    campaigns: int
    moved: float | None


def example_of(directory: Path) -> list[Campaign]:
    """The campaigns stored with a registered version, whose artifacts hold the bundle's directory; none if none is."""
    for place in (directory, *directory.parents[:3]):
        try:
            document = json.loads((place / EXAMPLE).read_text(encoding="utf-8"))
            frame = pd.DataFrame(document["data"], columns=document["columns"], dtype=object)
            return campaigns_of_frame(frame)
        except FileNotFoundError:
            continue
        except (ValueError, KeyError, TypeError, PrecedenceError):
            return []
    return []


def tried(newcomer: Bundle, old: Model | None, example: Sequence[Campaign]) -> Passed:
    """Have a newcomer answer, one by one and all at once.

    Raises
    ------
    BundleCorrupt
        When its answers are no answers, or a single row gets another than LightGBM gives it.
    """
    if not example:
        return Passed(0, None)
    at = newcomer.snapshot.moment
    answers = newcomer.predict(example, at)
    for answer in answers:
        if not _sound(answer):
            raise BundleCorrupt(MODEL, f"answers {answer.campaign_id!r} of its own example with {answer}")
    rows = newcomer.snapshot.features(example, at)
    whole = newcomer.values_of(rows)
    alone = np.concatenate([newcomer.values_of(np.ascontiguousarray(row[None])) for row in rows])
    if not np.allclose(whole, alone, rtol=_CLOSE, atol=_CLOSE):
        raise BundleCorrupt(MODEL, "answers a campaign alone otherwise than among others")
    return Passed(len(answers), _moved(answers, old.predict(example, at) if old is not None else None))


def _sound(answer: Prediction) -> bool:
    times = answer.processing_s
    numbers = (answer.score, answer.index, answer.value, answer.loss_per_hour or 0.0, times.p50, times.p90)
    return all(isfinite(n) and n >= 0 for n in numbers) and answer.score <= 100 and times.p50 <= times.p90


def _moved(new: Sequence[Prediction], old: Sequence[Prediction] | None) -> float | None:
    if old is None or any(answer.loss_per_hour is None for answer in old):
        return None
    factors = [n.value / o.value for n, o in zip(new, old, strict=True) if o.value > 0]
    return float(np.median(factors)) if factors else None
