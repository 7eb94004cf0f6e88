"""Who becomes champion: a pure rule over what two orders of work earned in the same played weeks.

What a newcomer must show depends on what it is. The first champion may not be worse than the expert rule, nor a
refresh (the champion's recipe on newer data) than the champion; a new recipe must be better. All are 95 %
statements about the share of the gap between FIFO and the clairvoyant bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from features.curves import Floats
from training.backtest.intervals import Share, share_of_gap

MARGIN = 0.01
"""Share of the gap that counts as nothing."""


class Kind(StrEnum):
    """What a newcomer is to who it would replace."""

    FIRST = "first champion"
    REFRESH = "refresh"
    NEW_RECIPE = "new recipe"

    @property
    def bound(self) -> float:
        """Share of the gap that the lower end of a newcomer's lead must lie above."""
        return 0.0 if self is Kind.NEW_RECIPE else -MARGIN

    @property
    def demand(self) -> str:
        """The same in words."""
        if self is Kind.NEW_RECIPE:
            return "a new recipe must lead even at the lower end"
        return f"a {self} may lose {MARGIN:g} at most, even at the lower end"


@dataclass(frozen=True)
class Earned:
    """Dollars that two orders of work, FIFO and the bound earned under the same chance, each (weeks, replicates)."""

    newcomer: Floats
    incumbent: Floats
    fifo: Floats
    clairvoyant: Floats

    @property
    def gap(self) -> Floats:
        """What there was to be gained over FIFO."""
        return self.clairvoyant - self.fifo

    @property
    def lead(self) -> Share:
        """By which share of the gap the newcomer is ahead."""
        return share_of_gap(self.newcomer - self.incumbent, self.gap)


@dataclass(frozen=True)
class Finding:
    """One budget: what was measured, what is allowed, and whether it holds; `unit` as people read it."""

    name: str
    measured: float
    allowed: str
    holds: bool
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.measured:.3g}{self.unit} ({self.allowed})"


@dataclass(frozen=True)
class Verdict:
    """Whether a newcomer is promoted, why in one sentence, and the figures it rests on.

    Figures are shares of the gap between FIFO and the bound, but for the counts of `weeks` and `replicates`, and
    for budgets, each in its own unit.
    """

    promoted: bool
    reason: str
    figures: dict[str, float]

    def within(self, findings: Sequence[Finding]) -> Verdict:
        """The verdict with budgets held against it: one that does not hold refuses whom the rule would promote."""
        figures = {**self.figures, **{f"budget.{each.name.replace(' ', '_')}": each.measured for each in findings}}
        broken = [str(each) for each in findings if not each.holds]
        if not broken:
            return replace(self, figures=figures)
        earned = self.reason.split(": ", 1)[1]
        return Verdict(False, f"refused: over budget in {'; '.join(broken)}; as for value, {earned}", figures)


def judged(earned: Earned, kind: Kind, *, incumbent_name: str, themselves: Earned | None = None) -> Verdict:
    """Hold a newcomer against who it would replace.

    Parameters
    ----------
    earned : over all weeks, those included that models of the two recipes played for them, each fitted before.
    incumbent_name : for the reason, such as "the expert rule".
    themselves : the part of `earned` that the two models played themselves, where that is not all. A fault of this
        very model, such as a broken log, drowns among the others' weeks: its own lead may not lie below the margin.
    """
    weeks, replicates = earned.gap.shape
    if not weeks or earned.gap.sum() <= 0:
        nothing = "no weeks were left" if not weeks else "nothing was to be gained over FIFO in the weeks there were"
        return Verdict(False, f"refused: {nothing} to judge by", {"weeks": weeks, "replicates": replicates})
    lead = earned.lead
    figures = {
        "lead": lead.estimate,
        "lead_low": lead.low,
        "lead_high": lead.high,
        "newcomer_share_of_gap": share_of_gap(earned.newcomer - earned.fifo, earned.gap).estimate,
        "incumbent_share_of_gap": share_of_gap(earned.incumbent - earned.fifo, earned.gap).estimate,
        "bound": kind.bound,
        "weeks": weeks,
        "replicates": replicates,
    }
    promoted = lead.low > kind.bound
    demand = kind.demand
    if themselves is not None:
        own = themselves.lead
        figures |= {"own_lead": own.estimate, "own_lead_low": own.low, "own_lead_high": own.high}
        figures["own_weeks"] = len(themselves.gap)
        if not own.estimate > -MARGIN:
            promoted = False
            demand = f"in the {len(themselves.gap)} weeks played by itself it loses {-own.estimate:.3f}"
    reason = (
        f"{'promoted' if promoted else 'refused'}: it captures {abs(lead.estimate):.3f}"
        f" {'more' if lead.estimate >= 0 else 'less'} of the gap from FIFO to the bound than {incumbent_name}"
        f" (95 % interval {lead.low:+.3f} to {lead.high:+.3f}, {weeks} weeks x {replicates} replicates);"
        f" {demand}"
    )
    return Verdict(promoted, reason, figures)
