"""Planned campaigns as columns, from records or straight from history tables.

Serving is asked about a few records; training about every campaign of a history, and a million records with a
dictionary of targets each would take gigabytes. Both constructors give the same columns, held equal by a test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from math import nan
from operator import attrgetter
from typing import Any, Self

import numpy as np
import pandas as pd

from features.asof import hours_of
from features.columns import Column
from features.curves import Floats, Indices, hours
from features.ledgers import THE_MARKET, Entity, accrues_from
from features.records import Campaign

DECLARED = ("work_units", "planned_revenue", "urgency", "brand")
FACTS = (*DECLARED, "window_h")

_declared = attrgetter(*DECLARED)


def declared(campaigns: Sequence[Campaign], name: str) -> Floats:
    """A number that campaigns declare, NaN where one does not."""
    return np.array([np.nan if (v := getattr(c, name)) is None else v for c in campaigns], dtype=float)


@dataclass(frozen=True)
class Plans:
    """What campaigns declare, as columns.

    Attributes
    ----------
    facts : declared numbers, NaN where not declared.
    row : position of its campaign, one entry a planned target.
    exposures : planned exposures, one entry a planned target.
    targets, channels : lists or columns of text, one a planned target: which it is, and its campaign's channel.
    labels : by entity that campaigns have in common lists or columns of text, one a campaign.
    """

    facts: Mapping[str, Column]
    row: Indices
    exposures: Floats
    targets: Any = field(repr=False)
    channels: Any = field(repr=False)
    labels: Mapping[Entity, Any] = field(repr=False)

    @classmethod
    def of_records(cls, campaigns: Sequence[Campaign]) -> Self:
        """Columns of records, in their order."""
        targets = [c.targets for c in campaigns]
        counts = list(map(len, targets))
        return cls(
            facts=dict(zip(FACTS, _facts(campaigns), strict=True)),
            row=np.zeros(counts[0], dtype=np.intp) if len(counts) == 1 else np.repeat(np.arange(len(counts)), counts),
            exposures=np.array(list(chain.from_iterable(map(dict.values, targets))), dtype=float),
            targets=list(chain.from_iterable(targets)),
            channels=list(chain.from_iterable(map(repeat, [c.channel for c in campaigns], counts))),
            labels={
                Entity.CHANNEL: [c.channel for c in campaigns],
                Entity.KIND: [c.kind for c in campaigns],
                Entity.KIND_IN_CHANNEL: [f"{c.channel}/{c.kind}" for c in campaigns],
                Entity.MARKET: [THE_MARKET] * len(campaigns),
            },
        )

    @classmethod
    def of_tables(cls, campaigns: pd.DataFrame, targets: pd.DataFrame) -> Self:
        """Columns of rows of a campaigns table, in their order, with what a targets table plans for them."""
        facts: dict[str, Column] = {n: campaigns[n].to_numpy(dtype=float, na_value=np.nan) for n in DECLARED}
        facts["window_h"] = hours_of(campaigns.ends_at) - hours_of(accrues_from(campaigns))
        row = pd.Index(campaigns.campaign_id).get_indexer(pd.Index(targets.campaign_id))
        order = np.argsort(row, kind="stable")
        order = order[row[order] >= 0]
        row, planned = row[order].astype(np.intp), targets.iloc[order]
        # A target planned twice is planned as said last, as in a record.
        last = ~planned.duplicated(["campaign_id", "target_id"], keep="last").to_numpy()
        row, planned = row[last], planned[last]
        channel, kind = campaigns.channel.reset_index(drop=True), campaigns.kind.reset_index(drop=True)
        return cls(
            facts,
            row=row,
            exposures=planned.planned_exposures.to_numpy(dtype=float),
            targets=planned.target_id.reset_index(drop=True),
            channels=channel.take(row).reset_index(drop=True),
            labels={
                Entity.CHANNEL: channel,
                Entity.KIND: kind,
                Entity.KIND_IN_CHANNEL: channel + "/" + kind,
                Entity.MARKET: pd.Series(THE_MARKET, index=channel.index, dtype="str"),
            },
        )


def _facts(campaigns: Sequence[Campaign]) -> Sequence[Column]:
    """Facts in their order, numbers of a single campaign."""
    told = [(*_declared(c), hours(c.ends_at, nan) - hours(c.accrues_from)) for c in campaigns]
    if len(told) == 1:
        return [nan if fact is None else float(fact) for fact in told[0]]
    return list(np.array(told, dtype=float).reshape(-1, len(FACTS)).T)  # None becomes NaN
