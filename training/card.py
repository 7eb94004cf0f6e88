"""The model card: what a version learned from, how good it is, where it fails, and what about it is simulated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from features.curves import Floats
from features.records import ValueLabel
from serving.model import Bundle
from training.backtest import PolicyResult
from training.console import MODELS, POLICIES
from training.promotion import Verdict
from training.recipes import fingerprint_of

OFF = 0.15
"""Weeks whose predictions are off by more than this share of the dollars are named as failures."""

_BLIND = {
    ValueLabel.GROSS: (
        "Incremental value.** It predicts revenue, not what the revenue would have been without the campaign."
    ),
    ValueLabel.INCREMENTAL: (
        "What would have happened.** Targets are taken to earn without the campaign what they earn in places and weeks"
        " without one; value is what exceeds that, read from the eight weeks after."
    ),
}
"""What values leave out, by what they are; in bold up to the asterisks."""

_LIMITS = """\
## What it does not know
- **Holidays.** One year cannot teach seasons: Thanksgiving (week 48) and the days before Christmas come once.
- **Campaigns like none before** get a pooled rate at best; with no past of kind or targets, the matrix answers.
- **What a delay does.** That a late launch forfeits the revenue observed before it is assumed, not estimated.
- **{blind}

## What is simulated
Campaigns and revenue are those of The Complete Journey, which its authors call simulated from real shopping patterns.
Workers, processing times, the order of arrival and due times are made up for the play.
"""


def model_card(
    bundle: Bundle,
    judged: Bundle,
    verdict: Verdict,
    rows: int,
    metrics: Mapping[str, Mapping[str, float]],
    weeks: pd.DataFrame,
    results: Sequence[PolicyResult] = (),
) -> str:
    """A version's card, as markdown.

    Parameters
    ----------
    bundle : what serves; judged : what was judged, which may have learned from less.
    rows : campaigns that `bundle` learned from.
    metrics : by model, of `judged`, on weeks that it had not seen.
    weeks : those weeks, from `by_week`.
    results : of the backtest on them.
    """
    meta = bundle.meta
    first, last = (f"{moment:%Y-%m-%d}" for moment in meta.training_window)
    parts = [
        f"# {meta.name}: what a marketing campaign is worth, and what delay costs it",
        f"| | |\n|---|---|\n"
        f"| learned from | {rows:,} campaigns, {first} to {last} |\n"
        f"| judged when it had learned until | {judged.meta.training_window[1]:%Y-%m-%d} |\n"
        f"| trained at | {meta.trained_at:%Y-%m-%d %H:%M} UTC |\n"
        f"| value | {meta.label} |\n"
        f"| objective | {meta.objective}, {len(meta.features)} features, contract {meta.contract} |\n"
        f"| recipe | {fingerprint_of(meta.recipe, meta.contract)}: {_listed(meta.recipe)} |\n"
        f"| lookahead of the index | {meta.horizon_h:g} h |",
        f"## Verdict\nIt was {verdict.reason}.",
        _figures(verdict),
        _metrics(metrics, weeks),
        _results(results),
        _failures(weeks),
        _LIMITS.format(blind=_BLIND[meta.label]),
    ]
    return "\n\n".join(text for text in parts if text)


def by_week(weeks: Sequence[int], predicted: Floats, actual: Floats) -> pd.DataFrame:
    """Dollars predicted and actual by week: `campaigns`, `predicted`, `actual` and `off`, a share; indexed by week."""
    rows = pd.DataFrame({"week": weeks, "predicted": predicted, "actual": actual})
    table = rows.groupby("week").agg(
        campaigns=("actual", "size"), predicted=("predicted", "sum"), actual=("actual", "sum")
    )
    return table.assign(off=table.predicted / table.actual - 1)


def _figures(verdict: Verdict) -> str:
    lines = [f"| {name.replace('_', ' ')} | {value:.4g} |" for name, value in verdict.figures.items()]
    return "\n".join(["| figure | |", "|---|---|", *lines])


def _metrics(metrics: Mapping[str, Mapping[str, float]], weeks: pd.DataFrame) -> str:
    if not metrics:
        return ""
    lines = [
        f"| {MODELS.get(name, name)} | {row['spearman']:.3f} | {row['ndcg_at_10']:.3f} | {row['r2']:.3f} |"
        f" ${row['mae']:.1f} |"
        for name, row in metrics.items()
    ]
    head = f"## Values of campaigns it had not seen, weeks {weeks.index.min()}-{weeks.index.max()}"
    return "\n".join([head, "| model | Spearman | NDCG@10 | R2 | mean error |", "|---|---|---|---|---|", *lines])


def _results(results: Sequence[PolicyResult]) -> str:
    if not results:
        return ""
    lines = [
        f"| {POLICIES.get(r.policy, r.policy)} | ${r.value_usd:,.0f} |"
        f" {r.share_of_gap:.3f} ({r.ci95[0]:.3f} to {r.ci95[1]:.3f}) |"
        for r in results
    ]
    head = f"## What its order of work was worth in the same weeks, load {results[0].load:g}"
    return "\n".join([head, "| order | value | share of the gap (95 %) |", "|---|---|---|", *lines])


def _failures(weeks: pd.DataFrame) -> str:
    if weeks.empty:
        return ""
    failed = weeks[weeks.off.abs() > OFF]
    lines = [
        f"- week {week}: predicted ${row.predicted:,.0f}, came ${row.actual:,.0f} ({100 * row.off:+.0f} %)"
        for week, row in failed.iterrows()
    ]
    if not lines:
        worst = weeks.iloc[int(weeks.off.abs().to_numpy().argmax())]
        lines = [f"- none by more than {100 * OFF:.0f} %; the worst is week {worst.name}, {100 * worst.off:+.0f} %"]
    return "\n".join(["## Weeks it got wrong", *lines])


def _listed(recipe: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in recipe.items())
