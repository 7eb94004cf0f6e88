"""What the pyfunc takes and gives, as MLflow checks and documents it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.registry.frames import COLUMNS, NUMBERS, REQUIRED

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

OUTPUT = (
    "campaign_id",
    "score",
    "index",
    "value",
    "loss_per_hour",
    "processing_p50_s",
    "processing_p90_s",
    "fallback",
)
"""Columns of an answer."""
TEXT = ("campaign_id", "fallback")
"""Those that are text; the rest are numbers."""


def signature() -> ModelSignature:
    """Input: the columns of `frames`, of which only `REQUIRED` must be there. Parameter `at`: ISO 8601, or empty.

    Numbers are left to the model to check, which names row, field and what is allowed: MLflow would refuse whole ones,
    since not every int64 fits into a double.
    """
    from mlflow.models import ModelSignature  # noqa: PLC0415 - takes seconds, and only training needs it
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema  # noqa: PLC0415 - as above
    from mlflow.types.schema import AnyType  # noqa: PLC0415 - as above

    asked = [
        ColSpec(AnyType() if name in NUMBERS else "string", name, required=name in REQUIRED)
        for name in (*COLUMNS, "at")
    ]
    answered = [ColSpec("string" if name in TEXT else "double", name) for name in OUTPUT]
    return ModelSignature(Schema(asked), Schema(answered), ParamSchema([ParamSpec("at", "string", default="")]))
