"""Who becomes champion: a pure rule over what two orders of work earned in the same played weeks.

A newcomer is promoted when it is no worse than who it would replace: with 95 % confidence it loses less than a
hundredth of the gap between FIFO and the clairvoyant bound. The first champion is held against the expert rule.
"""

from __future__ import annotations

from dataclasses import dataclass

from features.curves import Floats
from training.backtest.intervals import share_of_gap

MARGIN = 0.01
"""Share of the gap that a newcomer may lose at most, at the lower end of its interval."""


@dataclass(frozen=True)
class Verdict:
    """Whether a newcomer is promoted, why in one sentence, and the figures it rests on.

    Figures are shares of the gap between FIFO and the bound, but for the counts of `weeks` and `replicates`.
    """

    promoted: bool
    reason: str
    figures: dict[str, float]


def judged(
    newcomer: Floats,
    incumbent: Floats,
    fifo: Floats,
    clairvoyant: Floats,
    *,
    incumbent_name: str,
    margin: float = MARGIN,
) -> Verdict:
    """Hold a newcomer against who it would replace.

    Parameters
    ----------
    newcomer, incumbent, fifo, clairvoyant : dollars earned, shape (weeks, replicates), under the same chance.
    incumbent_name : for the reason, such as "the expert rule".
    margin : share of the gap; at least 0.
    """
    gap = clairvoyant - fifo
    weeks, replicates = gap.shape
    if not weeks or gap.sum() <= 0:
        nothing = "no weeks were left" if not weeks else "nothing was to be gained over FIFO in the weeks there were"
        return Verdict(False, f"refused: {nothing} to judge by", {"weeks": weeks, "replicates": replicates})
    lead = share_of_gap(newcomer - incumbent, gap)
    figures = {
        "lead": lead.estimate,
        "lead_low": lead.low,
        "lead_high": lead.high,
        "newcomer_share_of_gap": share_of_gap(newcomer - fifo, gap).estimate,
        "incumbent_share_of_gap": share_of_gap(incumbent - fifo, gap).estimate,
        "margin": margin,
        "weeks": weeks,
        "replicates": replicates,
    }
    promoted = lead.low > -margin
    reason = (
        f"{'promoted' if promoted else 'refused'}: it captures {abs(lead.estimate):.3f}"
        f" {'more' if lead.estimate >= 0 else 'less'} of the gap from FIFO to the bound than {incumbent_name}"
        f" (95 % interval {lead.low:+.3f} to {lead.high:+.3f}, {weeks} weeks x {replicates} replicates);"
        f" it may lose {margin:g} at most, even at the lower end"
    )
    return Verdict(promoted, reason, figures)
