"""Planned campaigns as columns, from records or straight from history tables.

Serving is asked about a few records; training about every campaign of a history, and a million records with a
dictionary of targets each would take gigabytes. Both constructors give the same columns, held equal by a test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Self

import numpy as np
import pandas as pd

from features.asof import hours_of
from features.curves import Floats, Indices, hours
from features.ledgers import THE_MARKET, Entity, accrues_from
from features.records import Campaign

DECLARED = ("work_units", "planned_revenue", "urgency", "brand")


_declared = attrgetter(*DECLARED)


def declared(campaigns: Sequence[Campaign], name: str) -> Floats:
    """A number that campaigns declare, NaN where one does not."""
    return np.array([np.nan if (v := getattr(c, name)) is None else v for c in campaigns], dtype=float)


@dataclass(frozen=True)
class Plans:
    """What campaigns declare, as columns.

    Attributes
    ----------
    facts : declared numbers, one entry a campaign, NaN where not declared.
    row : position of its campaign, one entry a planned target.
    exposures : planned exposures, one entry a planned target.
    labels : lists or columns of text by entity, one a planned target for target entities, else one a campaign.
    """

    facts: Mapping[str, Floats]
    row: Indices
    exposures: Floats
    labels: Mapping[Entity, Any] = field(repr=False)

    @classmethod
    def of_records(cls, campaigns: Sequence[Campaign]) -> Self:
        """Columns of records, in their order."""
        # None becomes NaN.
        told = [(*_declared(c), hours(c.ends_at, np.nan) - hours(c.accrues_from)) for c in campaigns]
        facts = dict(
            zip((*DECLARED, "window_h"), np.array(told, dtype=float).reshape(-1, len(DECLARED) + 1).T, strict=True)
        )
        return cls(
            facts,
            row=np.repeat(np.arange(len(campaigns)), [len(c.targets) for c in campaigns]),
            exposures=np.array([e for c in campaigns for e in c.targets.values()], dtype=float),
            labels={
                Entity.TARGET: [t for c in campaigns for t in c.targets],
                Entity.TARGET_IN_CHANNEL: [f"{c.channel}/{t}" for c in campaigns for t in c.targets],
                Entity.CHANNEL: [c.channel for c in campaigns],
                Entity.KIND: [c.kind for c in campaigns],
                Entity.KIND_IN_CHANNEL: [f"{c.channel}/{c.kind}" for c in campaigns],
                Entity.MARKET: [THE_MARKET] * len(campaigns),
            },
        )

    @classmethod
    def of_tables(cls, campaigns: pd.DataFrame, targets: pd.DataFrame) -> Self:
        """Columns of rows of a campaigns table, in their order, with what a targets table plans for them."""
        facts = {name: campaigns[name].to_numpy(dtype=float, na_value=np.nan) for name in DECLARED}
        facts["window_h"] = hours_of(campaigns.ends_at) - hours_of(accrues_from(campaigns))
        row = pd.Index(campaigns.campaign_id).get_indexer(pd.Index(targets.campaign_id))
        order = np.argsort(row, kind="stable")
        order = order[row[order] >= 0]
        row, planned = row[order].astype(np.intp), targets.iloc[order]
        # A target planned twice is planned as said last, as in a record.
        last = ~planned.duplicated(["campaign_id", "target_id"], keep="last").to_numpy()
        row, planned = row[last], planned[last]
        target = planned.target_id.reset_index(drop=True)
        channel = campaigns.channel.reset_index(drop=True)
        return cls(
            facts,
            row=row,
            exposures=planned.planned_exposures.to_numpy(dtype=float),
            labels={
                Entity.TARGET: target,
                Entity.TARGET_IN_CHANNEL: channel.take(row).reset_index(drop=True) + "/" + target,
                Entity.CHANNEL: channel,
                Entity.KIND: campaigns.kind,
                Entity.KIND_IN_CHANNEL: channel + "/" + campaigns.kind.reset_index(drop=True),
                Entity.MARKET: pd.Series(THE_MARKET, index=channel.index, dtype="str"),
            },
        )
