"""The model that answers: a trained bundle, or the hand-weighted matrix in its place."""

from serving.model.bundle import Bundle
from serving.model.dollars import MatrixInDollars
from serving.model.intervals import ValueIntervals
from serving.model.matrix import MatrixModel
from serving.model.meta import MatrixDollars, Meta, ProcessingPrior
from serving.model.processing import ProcessingTimes
from serving.prediction import (
    Card,
    CurveParameters,
    Explanation,
    Model,
    ModelIdentity,
    Prediction,
    ProcessingTime,
    Reason,
)

__all__ = [
    "Bundle",
    "Card",
    "CurveParameters",
    "Explanation",
    "MatrixDollars",
    "MatrixInDollars",
    "MatrixModel",
    "Meta",
    "Model",
    "ModelIdentity",
    "Prediction",
    "ProcessingPrior",
    "ProcessingTime",
    "ProcessingTimes",
    "Reason",
    "ValueIntervals",
]
