"""Pictures of a training run, as PNG files; what is simulated says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features.curves import Floats
from training.backtest import PolicyResult
from training.console import POLICIES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# From Okabe and Ito's palette, told apart by every kind of eye.
OURS, THEIRS, BOUND, INK, FAINT = "#0072B2", "#999999", "#E69F00", "#222222", "#DDDDDD"

_SIMULATED = "real campaigns and revenue of The Complete Journey; workers and processing times are simulated"


def backtest_picture(results: Sequence[PolicyResult], weeks: Sequence[int], path: Path) -> Path:
    """What each policy captures, and how long its most valuable campaigns wait, side by side."""
    figure = _figure(11, 4.4)
    captured, waiting = figure.subplots(1, 2, sharey=True)
    ordered = sorted(results, key=lambda result: result.value_usd)
    height = np.arange(len(ordered))
    colours = [_colour(result.policy) for result in ordered]

    shares = np.array([result.share_of_gap for result in ordered])
    spread = np.array([[r.share_of_gap - r.ci95[0], r.ci95[1] - r.share_of_gap] for r in ordered]).T
    captured.barh(height, shares, color=colours, height=0.62)
    captured.errorbar(shares, height, xerr=np.maximum(spread, 0), fmt="none", ecolor=INK, elinewidth=1.2, capsize=3)
    for y, result in zip(height, ordered, strict=True):
        end = max(result.ci95[1], result.share_of_gap, 0)
        captured.text(end + 0.02, y, f"${result.value_usd:,.0f}", va="center", fontsize=9, color=INK)
    captured.set_yticks(height, [POLICIES.get(result.policy, result.policy) for result in ordered])
    captured.set_xlim(min(0.0, shares.min() - 0.05), max(1.25, shares.max() + 0.25))
    captured.set_xlabel("share of the gap from first come to the bound (95 % interval)")
    captured.set_title("Value captured", loc="left", fontsize=11)

    hours = np.array([result.top_tenth_latency_h for result in ordered])
    waiting.barh(height, hours, color=colours, height=0.62)
    for y, value in zip(height, hours, strict=True):
        waiting.text(value + hours.max() * 0.015, y, f"{value:.1f} h", va="center", fontsize=9, color=INK)
    waiting.set_xlim(0, hours.max() * 1.15)
    waiting.set_xlabel("hours from release to completion, mean")
    waiting.set_title("Wait of the most valuable tenth", loc="left", fontsize=11)

    for axes in (captured, waiting):
        _tidy(axes, grid="x")
        axes.tick_params(axis="y", length=0)
    span = f"weeks {min(weeks)}-{max(weeks)}" if len(weeks) > 1 else f"week {weeks[0]}"
    return _saved(figure, path, f"Backtest on {span}, load {results[0].load:g}", _SIMULATED)


def prediction_picture(predicted: Floats, actual: Floats, path: Path) -> Path:
    """Each held-out campaign's predicted and actual value, on logarithmic axes that keep the zeros."""
    figure = _figure(5.6, 5.2)
    axes = figure.subplots()
    top = 1.5 * max(predicted.max(), actual.max())
    axes.plot([0, top], [0, top], color=INK, linewidth=1, linestyle="--", label="as predicted")
    axes.scatter(predicted, actual, s=12, color=OURS, alpha=0.45, linewidths=0)
    for scale, limit in ((axes.set_xscale, axes.set_xlim), (axes.set_yscale, axes.set_ylim)):
        scale("symlog", linthresh=1)
        limit(-0.2, top)
    axes.set_xlabel("predicted, $")
    axes.set_ylabel("actual, $")
    axes.legend(frameon=False, loc="upper left")
    _tidy(axes, grid="both")
    return _saved(figure, path, "Value of held-out campaigns", f"{len(actual):,} campaigns, real revenue")


def calibration_picture(parts: pd.DataFrame, path: Path) -> Path:
    """Mean predicted and observed value of equal parts of the campaigns; see `training.metrics.calibration`."""
    figure = _figure(6.4, 4.2)
    axes = figure.subplots()
    position = np.arange(1, len(parts) + 1)
    axes.vlines(position, parts.predicted, parts.observed, color=THEIRS, linewidth=1.5, zorder=1)
    axes.scatter(position, parts.predicted, s=55, color=OURS, label="predicted")
    axes.scatter(position, parts.observed, s=55, color=BOUND, marker="D", label="observed")
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(bottom=-0.1)
    axes.set_xticks(position)
    axes.set_xlabel(f"campaigns in {len(parts)} equal parts, by predicted value")
    axes.set_ylabel("mean value, $")
    axes.legend(frameon=False, loc="upper left")
    _tidy(axes, grid="y")
    return _saved(figure, path, "Calibration", f"{parts.campaigns.sum():,} held-out campaigns, real revenue")


def importance_picture(
    names: Sequence[str],
    gain: Floats,
    path: Path,
    most: int = 15,
    *,
    title: str = "What the value model looks at",
    label: str = "share of the trees' gain, %",
) -> Path:
    """What matters most, as shares of the whole: the features that trees gain from, or whatever `label` says."""
    share = 100 * gain / max(gain.sum(), 1e-12)
    chosen = np.argsort(share)[-most:]
    figure = _figure(6.8, 0.9 + 0.29 * len(chosen))
    axes = figure.subplots()
    axes.barh(np.arange(len(chosen)), share[chosen], color=OURS, height=0.62)
    for y, value in enumerate(share[chosen]):
        axes.text(value + share.max() * 0.01, y, f"{value:.1f}", va="center", fontsize=8, color=INK)
    axes.set_yticks(np.arange(len(chosen)), [names[i] for i in chosen])
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, share.max() * 1.1)
    axes.set_xlabel(label)
    _tidy(axes, grid="x")
    return _saved(figure, path, title)


def history_picture(worth: Mapping[int, float], path: Path) -> Path:
    """What each finished trial of a search was worth, by its number, and the best so far."""
    figure = _figure(6.8, 3.8)
    axes = figure.subplots()
    numbers, shares = np.array(list(worth)), np.array(list(worth.values()))
    axes.scatter(numbers, shares, s=26, color=THEIRS, label="trial")
    axes.step(numbers, np.maximum.accumulate(shares), where="post", color=OURS, linewidth=1.8, label="best so far")
    axes.set_xlabel("trial")
    axes.set_ylabel("share of the gap, validation weeks")
    axes.legend(frameon=False, loc="lower right")
    _tidy(axes, grid="y")
    return _saved(figure, path, "Search for a recipe", _SIMULATED)


def dependence_picture(curves: Mapping[str, tuple[Floats, Floats]], path: Path) -> Path:
    """How the predicted value moves with one feature while the others stay: by feature, its values and mean dollars."""
    figure = _figure(9.6, 2.7 * ((len(curves) + 2) // 3))
    panels = figure.subplots((len(curves) + 2) // 3, 3, squeeze=False).ravel()
    for axes, (name, (at, dollars)) in zip(panels, curves.items(), strict=False):
        axes.plot(at, dollars, color=OURS, linewidth=1.8)
        axes.set_xscale("symlog", linthresh=1)
        axes.set_title(name, loc="left", fontsize=10)
        axes.set_ylabel("mean value, $", fontsize=8)
        _tidy(axes, grid="both")
    for axes in panels[len(curves) :]:
        axes.set_visible(False)
    return _saved(
        figure, path, "Partial dependence", "all other features as they are; held-out campaigns, real revenue"
    )


@dataclass(frozen=True)
class Line:
    """A line of a picture, and named points beside it."""

    name: str
    across: Sequence[float]
    up: Sequence[float]
    marked: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def lines_picture(lines: Sequence[Line], across: str, up: str, title: str, path: Path) -> Path:
    """Lines over one pair of axes, each with its named points in the same colour."""
    figure = _figure(7.6, 4.8)
    axes = figure.subplots()
    for line, colour in zip(lines, (OURS, BOUND, "#009E73", "#CC79A7"), strict=False):
        axes.plot(line.across, line.up, color=colour, marker=".", linewidth=1.6, label=line.name)
        for (name, (x, y)), marker in zip(line.marked.items(), "D^sv", strict=False):
            axes.scatter([x], [y], s=55, color=colour, marker=marker, edgecolors=INK, zorder=3)
            if line is lines[0]:  # the same names for all
                axes.annotate(name, (x, y), textcoords="offset points", xytext=(7, -13), fontsize=9, color=INK)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.legend(frameon=False, loc="best")
    _tidy(axes, grid="both")
    return _saved(figure, path, title, _SIMULATED)


def settings_picture(results: Sequence[PolicyResult], weeks: Sequence[int], path: Path) -> Path:
    """Shares of the gap of the leading policies in every setting without preemption, with their intervals."""
    shown = {"index": OURS, "planner": "#009E73", "expert": BOUND, "expert_vp": "#CC79A7", "matrix": THEIRS}
    by_setting: dict[str, dict[str, PolicyResult]] = {}
    for result in results:
        if not result.preemptive:
            name = f"{result.release.replace('_', chr(10))}\n{result.load:g}"
            by_setting.setdefault(name, {})[result.policy] = result
    figure = _figure(max(6.0, 1.9 + 0.85 * len(by_setting)), 4.8)
    axes = figure.subplots()
    for n, (policy, colour) in enumerate(shown.items()):
        there = [(at, played[policy]) for at, played in enumerate(by_setting.values()) if policy in played]
        if not there:
            continue
        position = np.array([at for at, _ in there]) + 0.13 * (n - (len(shown) - 1) / 2)
        share = np.array([result.share_of_gap for _, result in there])
        spread = np.abs(np.array([result.ci95 for _, result in there]).T - share)
        axes.errorbar(position, share, yerr=spread, fmt="o", color=colour, ms=5, elinewidth=1.2, label=policy)
    axes.set_xticks(np.arange(len(by_setting)), list(by_setting), fontsize=8)
    axes.set_ylim(0.2, 1.05)
    axes.set_ylabel("share of the gap (95 % interval)")
    axes.legend(frameon=False, loc="lower right", ncols=len(shown), fontsize=8)
    _tidy(axes, grid="y")
    return _saved(figure, path, f"Policies in every setting, weeks {min(weeks)}-{max(weeks)}", _SIMULATED)


def _colour(policy: str) -> str:
    return {"index": OURS, "clairvoyant": BOUND}.get(policy, THEIRS)


def _figure(width: float, height: float) -> Figure:
    # Without pyplot there is no window, no global state, and nothing to close.
    from matplotlib.figure import Figure as Sheet  # noqa: PLC0415 - takes a second, and only pictures need it

    return Sheet(figsize=(width, height), layout="constrained", facecolor="white")


def _tidy(axes: Axes, grid: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(THEIRS)
    axes.grid(axis=grid, color=FAINT, linewidth=0.7)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


def _saved(figure: Figure, path: Path, title: str, note: str = "") -> Path:
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold", color=INK)
    if note:
        figure.supxlabel(note, x=0.01, ha="left", fontsize=8.5, color="#555555")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    return path
