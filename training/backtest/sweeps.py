"""One axis each: how good predictions must be, and what it costs to hurry the most valuable campaigns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from features.curves import Floats
from serving.scheduling import policies
from training.backtest.intervals import share_of_gap
from training.backtest.playing import Contender, Outcomes, Values, play_weeks
from training.backtest.setting import PlayedWeek, Setting
from training.metrics import spearman

if TYPE_CHECKING:
    from training.backtest.rolling import Believed

SIGMAS = (0.0, 0.15, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
"""Standard deviations of the logarithm of the noise on true values."""

EMPHASES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)


@dataclass(frozen=True)
class Noise:
    """What values of a certain quality capture.

    Attributes
    ----------
    values : `noise`: true values times lognormal noise of deviation `sigma`; else whose they are.
    spearman : rank correlation with the true values, all campaigns pooled.
    """

    load: float
    release: str
    values: str
    sigma: float | None
    spearman: float
    share_of_gap: float

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class TradeOff:
    """What an emphasis on large campaigns captures, and what it saves them.

    Attributes
    ----------
    emphasis : see `policies.Index`.
    below_fifo : share of first come, first served's wait that the most valuable tenth is spared.
    """

    load: float
    release: str
    emphasis: float
    share_of_gap: float
    ci95: tuple[float, float]
    top_tenth_latency_h: float
    below_fifo: float
    latency_h: float

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def noise_sweep(
    weeks: Sequence[PlayedWeek], believed: Believed, horizon_h: float, setting: Setting, outcomes: Outcomes
) -> list[Noise]:
    """Shares of the gap by quality of the values under the index, and where model and expert stand.

    Parameters
    ----------
    outcomes : of the same weeks and setting, `fifo` and `clairvoyant` among them.
    """
    blurred = {sigma: _blurred(sigma) for sigma in SIGMAS}
    sources: dict[str, tuple[float | None, Values]] = {
        **{f"noise {sigma:g}": (sigma, values) for sigma, values in blurred.items()},
        "model": (None, believed.by_model),
        "expert": (None, believed.by_expert),
    }
    order = policies.index(horizon_h)
    played = play_weeks(weeks, [Contender(name, values, order) for name, (_, values) in sources.items()], setting)
    fifo = outcomes.of["fifo"].value
    gap = outcomes.of["clairvoyant"].value - fifo
    truth = np.concatenate([week.true_value for week in weeks])
    return [
        Noise(
            setting.load,
            setting.release.value,
            name.split()[0],
            sigma,
            spearman(truth, np.concatenate([values(week) for week in weeks])),
            share_of_gap(played.of[name].value - fifo, gap).estimate,
        )
        for name, (sigma, values) in sources.items()
    ]


def trade_off(
    weeks: Sequence[PlayedWeek], values: Values, horizon_h: float, setting: Setting, outcomes: Outcomes
) -> list[TradeOff]:
    """Value captured and the wait of the most valuable tenth, by emphasis; see `noise_sweep` for the parameters."""
    played = play_weeks(weeks, [Contender(f"{e:g}", values, policies.index(horizon_h, e)) for e in EMPHASES], setting)
    fifo = outcomes.of["fifo"]
    gap = outcomes.of["clairvoyant"].value - fifo.value
    waited = float(fifo.latency_h[outcomes.top_tenth].mean())
    points = []
    for emphasis in EMPHASES:
        outcome = played.of[f"{emphasis:g}"]
        share = share_of_gap(outcome.value - fifo.value, gap)
        top = float(outcome.latency_h[outcomes.top_tenth].mean())
        points.append(
            TradeOff(
                setting.load,
                setting.release.value,
                emphasis,
                share.estimate,
                (share.low, share.high),
                top,
                1 - top / waited,
                float(outcome.latency_h.mean()),
            )
        )
    return points


def _blurred(sigma: float) -> Values:
    """True values as someone would know them whose errors are lognormal, with mean 1."""

    def values(week: PlayedWeek) -> Floats:
        chance = np.random.default_rng([week.week, round(1000 * sigma)])
        noise = np.exp(sigma * chance.standard_normal(len(week.campaigns)) - sigma**2 / 2)
        blurred: Floats = week.true_value * noise
        return blurred

    return values
