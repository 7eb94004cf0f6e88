"""What a model may learn from and what it is judged on, apart in time.

The embargo is the label horizon itself: a campaign teaches only once its label had matured before the
first test moment. Splitting by launch alone would leak the results of windows still open then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.asof import known_by
from features.builder import features_of_tables
from features.curves import Floats
from features.schema import History


@dataclass(frozen=True)
class Examples:
    """Campaigns with the features they had when their work was released, and how they turned out.

    Attributes
    ----------
    features : one row a campaign, indexed by `campaign_id`, columns in contract order.
    value : dollars observed; share : of the value curve left at launch; both one entry a row.
    moments : when each row's features were taken.
    matured_at : when each row's label was complete.
    """

    features: pd.DataFrame
    value: Floats
    share: Floats
    moments: pd.DatetimeIndex
    matured_at: pd.DatetimeIndex

    @classmethod
    def of(cls, history: History, labelled: pd.DataFrame) -> Self:
        """Features for a frame of labels, in its order, from what was known when each campaign was released."""
        released = history.campaigns.set_index("campaign_id").released_at.loc[labelled.campaign_id]
        return cls(
            features_of_tables(history, labelled.campaign_id),
            labelled["value"].to_numpy(dtype=float),
            labelled["share"].to_numpy(dtype=float),
            pd.DatetimeIndex(released),
            pd.DatetimeIndex(labelled.matured_at),
        )

    def __len__(self) -> int:
        return len(self.value)

    def where(self, chosen: npt.ArrayLike) -> Self:
        """The examples under a boolean mask or at some positions."""
        rows = np.asarray(chosen)
        return type(self)(
            self.features.iloc[rows], self.value[rows], self.share[rows], self.moments[rows], self.matured_at[rows]
        )

    def matured_by(self, moment: datetime, embargo: timedelta = timedelta(0)) -> Self:
        """What may teach a model that is first asked about `moment`.

        Parameters
        ----------
        embargo : a further gap before `moment`, for results that are corrected after they came in.
        """
        labels = self.matured_at.to_frame(index=False, name="matured_at")
        return self.where(known_by(labels, moment - embargo, "matured_at").index.to_numpy())
