"""The model registry's side of serving: the champion, and the wrapper MLflow runs it in."""

from pathlib import Path

from serving.registry.alias import ALIAS, MODEL_NAME, Named
from serving.registry.champion import champion, teach_mlflow_manners
from serving.registry.fetching import champion_named, fetched
from serving.registry.frames import campaigns_of_frame, frame_of
from serving.registry.signature import signature

PYFUNC = Path(__file__).parent / "pyfunc.py"
"""The models-from-code file to log a bundle with."""

__all__ = [
    "ALIAS",
    "MODEL_NAME",
    "PYFUNC",
    "Named",
    "campaigns_of_frame",
    "champion",
    "champion_named",
    "fetched",
    "frame_of",
    "signature",
    "teach_mlflow_manners",
]
