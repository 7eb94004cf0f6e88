"""How long work will take, learned from logged runs: quantiles of slot-hours, of all of it or of what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import lightgbm
import numpy as np
import numpy.typing as npt
from pydantic import FiniteFloat, NonNegativeFloat, PositiveFloat

from features.curves import Floats
from features.records import Campaign
from serving.model.intervals import STRICT
from serving.model.trees import Trees

LABELS = ("account", "kind", "channel")
"""Facts of a campaign that tell who and what works on it, as categories."""

TRAITS = (*LABELS, "work_units", "targets", "done", "pace")
"""What trees read: `done` is a share of the work, `pace` the logarithm of the hours spent over the usual so far."""


@dataclass(frozen=True, kw_only=True)
class Usual:
    """What work takes on the whole: slot-hours in proportion to setting up and units, of which trees learn factors.

    Work that was begun has been set up.
    """

    setup_units: NonNegativeFloat
    slot_hours_per_unit: PositiveFloat

    __pydantic_config__ = STRICT

    def spent_h(self, work_units: Floats, done: Floats) -> Floats:
        """Slot-hours until a share of the work was done."""
        hours: Floats = self.slot_hours_per_unit * (self.setup_units + work_units * done)
        return hours

    def left_h(self, work_units: Floats, done: Floats) -> Floats:
        """Slot-hours from there to its end; of all of it where nothing was done."""
        hours: Floats = self.slot_hours_per_unit * (work_units * (1 - done) + self.setup_units * (done <= 0))
        return hours


@dataclass(frozen=True, kw_only=True)
class ProcessingTimes:
    """Quantiles of processing time as factors of the usual, by trees; shifted until they held for unseen campaigns.

    Attributes
    ----------
    levels : rising, 0-1; `trees` are LightGBM models of the logarithm of the factor, one a level.
    from_start, from_checkpoint : what is added to that logarithm for all of the work, and for what is left of it.
    labels : categories known, by fact, in the order of their codes.
    """

    usual: Usual
    levels: tuple[PositiveFloat, ...]
    trees: tuple[str, ...]
    from_start: tuple[FiniteFloat, ...]
    from_checkpoint: tuple[FiniteFloat, ...]
    labels: dict[str, tuple[str, ...]]

    __pydantic_config__ = STRICT

    def __post_init__(self) -> None:
        parts = (self.trees, self.from_start, self.from_checkpoint)
        if not self.levels or any(len(part) != len(self.levels) for part in parts):
            raise ValueError("processing times need a model and two shifts for each level, one at least")
        if set(self.labels) != set(LABELS):
            raise ValueError(f"processing times need the labels of {', '.join(LABELS)}")

    def left_h(
        self,
        campaigns: Sequence[Campaign],
        levels: Sequence[float],
        done: npt.ArrayLike = 0.0,
        spent_h: npt.ArrayLike = 0.0,
    ) -> Floats:
        """Quantiles of the slot-hours that campaigns still need, shape (campaigns, levels), rising along levels.

        Parameters
        ----------
        levels : of those there are.
        done : share of each campaign's work that is done, 0-1.
        spent_h : slot-hours that took.

        Raises
        ------
        ValueError
            When there is no model of a level.
        """
        n = len(campaigns)
        share, spent = (np.broadcast_to(np.asarray(a, dtype=float), n) for a in (done, spent_h))
        facts = {name: [getattr(c, name) for c in campaigns] for name in LABELS}
        units = np.array([c.work_units for c in campaigns], dtype=float)
        rows = traits(
            self.usual, self._codes, facts, units, np.array([len(c.targets) for c in campaigns], float), share, spent
        )
        factors = np.empty((n, len(levels)))
        for column, level in enumerate(levels):
            factors[:, column] = self._factor(level, rows, share)
        # Trees of neighbouring levels may cross where data are thin; quantiles do not.
        hours: Floats = self.usual.left_h(units, share)[:, None] * np.exp(np.maximum.accumulate(factors, axis=1))
        return hours

    def _factor(self, level: float, rows: Floats, done: Floats) -> Floats:
        if level not in self.levels:
            raise ValueError(f"level {level:g} is not one of {', '.join(f'{known:g}' for known in self.levels)}")
        at = self.levels.index(level)
        shifted: Floats = self._models[at].predict(rows) + np.where(
            done > 0, self.from_checkpoint[at], self.from_start[at]
        )
        return shifted

    @cached_property
    def _models(self) -> tuple[Trees, ...]:
        return tuple(Trees(lightgbm.Booster(model_str=text)) for text in self.trees)

    @cached_property
    def _codes(self) -> dict[str, dict[str, int]]:
        return {name: {label: code for code, label in enumerate(known)} for name, known in self.labels.items()}


def traits(
    usual: Usual,
    codes: Mapping[str, Mapping[str, int]],
    facts: Mapping[str, Sequence[str]],
    work_units: Floats,
    targets: Floats,
    done: Floats,
    spent_h: Floats,
) -> Floats:
    """What the trees read, shape (campaigns, `TRAITS`); NaN for a label never seen and the pace of what has not begun.

    Parameters
    ----------
    codes : of known labels, by fact; facts : the label of each campaign, by fact.
    """
    columns = [[codes[name].get(label, np.nan) for label in facts[name]] for name in LABELS]
    begun = (done > 0) & (spent_h > 0)
    pace = np.full(len(work_units), np.nan)
    pace[begun] = np.log(spent_h[begun] / usual.spent_h(work_units, done)[begun])
    return np.column_stack([*(np.array(column, dtype=float) for column in columns), work_units, targets, done, pace])
