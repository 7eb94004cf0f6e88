"""Registers a bundle in a real MLflow registry, as training does."""

from __future__ import annotations

from pathlib import Path

import mlflow

from serving.model import Bundle
from serving.registry import ALIAS, MODEL_NAME, PYFUNC, frame_of, signature
from tests.worlds import campaign


def registered(uri: str, bundle: Bundle, directory: Path) -> str:
    """Log and register a bundle, and make it champion; returns its version."""
    bundle.save(directory)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)  # another test of this process may have set another
    client = mlflow.MlflowClient(tracking_uri=uri)
    if client.get_experiment_by_name("tests") is None:
        client.create_experiment("tests", artifact_location=(directory.parent / "artifacts").as_uri())
    mlflow.set_experiment("tests")
    with mlflow.start_run():
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(PYFUNC),
            artifacts={"bundle": str(directory)},
            code_paths=[str(PYFUNC.parents[1]), str(PYFUNC.parents[2] / "features")],
            registered_model_name=MODEL_NAME,
            signature=signature(),
            input_example=frame_of([campaign()]),
            pip_requirements=["lightgbm"],
        )
    version = str(logged.registered_model_version)
    client.set_registered_model_alias(MODEL_NAME, ALIAS, version)
    return version
