"""The model registry's side of serving: the champion, and the wrapper MLflow runs it in."""

from pathlib import Path

from serving.registry.champion import ALIAS, MODEL_NAME, champion, teach_mlflow_manners
from serving.registry.frames import campaigns_of_frame, frame_of
from serving.registry.signature import signature

PYFUNC = Path(__file__).parent / "pyfunc.py"
"""The models-from-code file to log a bundle with."""

__all__ = [
    "ALIAS",
    "MODEL_NAME",
    "PYFUNC",
    "campaigns_of_frame",
    "champion",
    "frame_of",
    "signature",
    "teach_mlflow_manners",
]
