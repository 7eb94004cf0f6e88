"""What campaigns really earned, hour by hour: the truth that a backtest pays out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.asof import hours_of
from features.curves import Floats, Indices
from features.ledgers import accrues_from, window_ends
from features.records import Metric, ValueLabel
from features.schema import History


@dataclass(frozen=True)
class HourlyValue:
    """Cumulative revenue of campaigns that were live for their whole window.

    A campaign that goes live late is paid what was observed from then on. That a late launch forfeits
    exactly what was observed before it is an assumption, not a causal estimate.

    Attributes
    ----------
    campaign_ids : one a row.
    starts_h, ends_h : the window, hours since the epoch.
    cumulative : dollars earned by the end of each hour of the window, shape (campaigns, hours + 1); column 0 is 0. NaN
        where it is not known.
    label : what these dollars are.
    """

    campaign_ids: pd.Index
    starts_h: Floats
    ends_h: Floats
    cumulative: Floats
    label: ValueLabel = ValueLabel.GROSS

    @classmethod
    def of(cls, history: History) -> Self:
        """Add up the revenue of a history; what falls outside a campaign's window is nobody's."""
        campaigns = history.campaigns
        ids = pd.Index(campaigns.campaign_id)
        starts, ends = hours_of(accrues_from(campaigns)), hours_of(window_ends(campaigns))
        revenue = history.kpis[(history.kpis.metric == Metric.REVENUE) & history.kpis.campaign_id.isin(ids)]
        row = ids.get_indexer(pd.Index(revenue.campaign_id))
        at = hours_of(revenue["at"])
        inside = (at >= starts[row]) & (at < ends[row])
        row, at = row[inside], at[inside]
        columns = int(np.ceil((ends - starts).max(initial=0.0))) + 1
        earned = np.zeros((len(ids), columns))
        np.add.at(earned, (row, np.floor(at - starts[row]).astype(np.intp) + 1), revenue.value.to_numpy()[inside])
        return cls(ids, starts, ends, np.cumsum(earned, axis=1))

    def above(self, baseline: Floats) -> Self:
        """What of it is incremental: above what the targets would have earned anyway in the same time.

        That accrues hour by hour as what all campaigns of the same window earned together; evenly if they earned
        nothing.

        Parameters
        ----------
        baseline : dollars over the whole window, one entry a campaign; NaN where it is not known.
        """
        windows = pd.MultiIndex.from_arrays([self.starts_h, self.ends_h])
        codes, kinds = pd.factorize(windows)
        earned = np.zeros((len(kinds), self.cumulative.shape[1]))
        np.add.at(earned, codes, self.cumulative)
        first = np.unique(codes, return_index=True)[1]
        passed = np.arange(earned.shape[1]) / (self.ends_h - self.starts_h)[first, None]
        total = earned[:, -1:]
        shape = np.divide(earned, total, out=np.minimum(passed, 1.0), where=total > 0)
        return replace(
            self, cumulative=self.cumulative - baseline[:, None] * shape[codes], label=ValueLabel.INCREMENTAL
        )

    def in_time(self, live_h: Floats, share: Floats) -> Self:
        """With what late launches forfeited: as much an hour from the start on as labels take them to be worth.

        Parameters
        ----------
        live_h : when each went live, hours since the epoch.
        share : of its value that was left then, above 0.
        """
        missing = self.total * (1 - share) / share
        late_h = np.maximum(live_h - self.starts_h, 0.0)[:, None]
        hour = np.arange(self.cumulative.shape[1])
        passed = np.divide(hour, late_h, out=np.ones_like(self.cumulative), where=late_h > 0)
        return replace(self, cumulative=self.cumulative + missing[:, None] * np.minimum(passed, 1.0))

    def joined(self, other: Self) -> Self:
        """These campaigns and others, none of them in both."""
        columns = max(self.cumulative.shape[1], other.cumulative.shape[1])
        # A window that is over goes on with what it came to.
        rows = [np.pad(e.cumulative, ((0, 0), (0, columns - e.cumulative.shape[1])), "edge") for e in (self, other)]
        return replace(
            self,
            campaign_ids=self.campaign_ids.append(other.campaign_ids),
            starts_h=np.concatenate([self.starts_h, other.starts_h]),
            ends_h=np.concatenate([self.ends_h, other.ends_h]),
            cumulative=np.concatenate(rows),
        )

    @property
    def total(self) -> Floats:
        """Dollars of the whole window, one entry a campaign."""
        return self.cumulative[:, -1]

    def rows(self, campaign_ids: Sequence[str] | pd.Index) -> Indices:
        """Positions of campaigns.

        Raises
        ------
        KeyError
            When a campaign is not among them.
        """
        found = self.campaign_ids.get_indexer(pd.Index(campaign_ids)).astype(np.intp)
        if (found < 0).any():
            raise KeyError(f"no hourly value of campaign {campaign_ids[int(np.argmin(found))]!r}")
        return found

    def left(self, rows: npt.ArrayLike, hours_since_start: npt.ArrayLike) -> Floats:
        """Dollars earned from an hour of the window on; all of it before the start, 0 from the end on.

        Parameters
        ----------
        rows : positions of campaigns.
        hours_since_start : when each goes live, in hours after its own start; an hour begun counts in proportion.
        """
        row = np.asarray(rows, dtype=np.intp)
        last = self.cumulative.shape[1] - 1
        hour = np.clip(np.asarray(hours_since_start, dtype=float), 0.0, last)
        begun = np.minimum(np.floor(hour), max(last - 1, 0)).astype(np.intp)
        before, after = self.cumulative[row, begun], self.cumulative[row, np.minimum(begun + 1, last)]
        earned: Floats = before + (hour - begun) * (after - before)
        return self.total[row] - earned
