"""What a first prediction service with BentoML looks like: pydantic in, a DataFrame into the booster, records out.

The same bundle and the same feature look-up as ours; `BENCH_BUNDLE` names its directory.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import bentoml
import pandas as pd
from pydantic import TypeAdapter

from features.contract import FEATURE_NAMES
from features.curves import Curves, hours
from features.records import Campaign
from serving import priority
from serving.model import Bundle, CurveParameters

_CURVES = TypeAdapter(CurveParameters)


@bentoml.service(name="Naive")
class Naive:
    """Scores campaigns, one DataFrame a request."""

    def __init__(self) -> None:
        self.bundle = Bundle.load(Path(os.environ["BENCH_BUNDLE"]))

    @bentoml.api
    def predict(self, campaigns: list[Campaign], at: datetime) -> list[dict[str, Any]]:
        """One record a campaign."""
        bundle, meta = self.bundle, self.bundle.meta
        frame = pd.DataFrame(bundle.snapshot.features(campaigns, at), columns=list(FEATURE_NAMES))
        frame["value"] = bundle.booster.predict(frame[list(FEATURE_NAMES)])
        needed_h = meta.seconds_per_unit_prior.left_h([c.work_units for c in campaigns], 0.0)
        curves = Curves.of(campaigns, frame["value"].to_numpy(), bundle.rhythm)
        frame["index"] = priority.index(curves, needed_h[:, 0], needed_h[:, 0], hours(at), meta.horizon_h)
        frame["score"] = priority.Scale(pd.Series(meta.index_quantiles).to_numpy()).score(frame["index"])
        frame["loss_per_hour"] = frame["index"] * needed_h[:, 0] / meta.horizon_h
        frame["p50_s"], frame["p90_s"] = (needed_h * 3600).T
        frame["campaign_id"] = [c.campaign_id for c in campaigns]
        frame["curve"] = [_CURVES.dump_python(CurveParameters.of(c), mode="json") for c in campaigns]
        answered = ["campaign_id", "score", "index", "value", "curve", "loss_per_hour", "p50_s", "p90_s"]
        return frame[answered].to_dict("records")
