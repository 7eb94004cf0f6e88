"""The bundle as an MLflow pyfunc, logged as code: it brings `serving` and `features` along and pickles nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd

from features.records import Campaign
from serving.api.bodies import moment_of
from serving.model import Bundle, Prediction
from serving.registry.frames import campaigns_of_frame, moments_of_frame
from serving.registry.signature import OUTPUT, TEXT


class CampaignPriority(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Scores raw campaigns; see `serving.registry.frames` for the input table.

    The moment asked about is a row's own `at`, else the parameter `at`, else that of the snapshot.
    """

    def load_context(self, context: Any) -> None:
        """Load the bundle the model was logged with."""
        self._bundle = Bundle.load(Path(context.artifacts["bundle"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:  # noqa: ARG002 - MLflow's signature
        """One row a campaign, in the order asked: score, index and value as the prediction API answers them."""
        asked = (params or {}).get("at")
        default = moment_of(asked) if asked else self._bundle.snapshot.moment
        campaigns, moments = campaigns_of_frame(model_input), moments_of_frame(model_input, default)
        answers: dict[int, Prediction] = {}
        for moment in set(moments):
            rows = [row for row, own in enumerate(moments) if own == moment]
            asked_about: list[Campaign] = [campaigns[row] for row in rows]
            answers |= dict(zip(rows, self._bundle.predict(asked_about, moment), strict=True))
        table = pd.DataFrame([_row(answers[row]) for row in range(len(campaigns))], columns=list(OUTPUT))
        # Whatever the rows hold, a column keeps its type: a table without a fallback has text there, all missing.
        return table.astype({name: "str" if name in TEXT else "float64" for name in OUTPUT})


def _row(answer: Prediction) -> tuple[Any, ...]:
    times = answer.processing_s
    return (
        answer.campaign_id,
        answer.score,
        answer.index,
        answer.value,
        answer.loss_per_hour,
        times.p50,
        times.p90,
        answer.fallback,
    )


mlflow.models.set_model(CampaignPriority())
