"""Fetching the champion from the MLflow registry, quickly or with a clear reason why not."""

from __future__ import annotations

import os
from pathlib import Path

from serving.errors import NoChampion, RegistryUnreachable
from serving.model.bundle import Bundle
from serving.registry import shelf
from serving.registry.alias import ALIAS, MODEL_NAME, Named, first_line, sqlite_file

_MANNERS = {
    # MLflow by itself waits for minutes; who starts without the registry should hear of it at once.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Standard output is for results.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def teach_mlflow_manners() -> None:
    """Defaults of MLflow's environment, to be set before it is imported; what the user set stays."""
    for variable, value in _MANNERS.items():
        os.environ.setdefault(variable, value)


def champion(uri: str, *, cache_dir: Path, name: str = MODEL_NAME, alias: str = ALIAS) -> Bundle:
    """The bundle registered under the alias, kept in `cache_dir` by its registered content.

    Raises
    ------
    RegistryUnreachable
        When nothing answers at `uri`.
    NoChampion
        When the registry has no such model or alias.
    BundleCorrupt, ContractMismatch
        When what it holds cannot be used by this build.
    """
    named = named_by_mlflow(uri, name, alias)
    kept = shelf.place(cache_dir, named)
    if not kept.is_dir():
        download(uri, named, kept)
    return Bundle.load(shelf.bundle_in(kept, named)).versioned(named.version)


def named_by_mlflow(uri: str, name: str = MODEL_NAME, alias: str = ALIAS) -> Named:
    """Which version holds the alias, as MLflow's own client says it.

    Raises
    ------
    RegistryUnreachable, NoChampion
        As `champion` does.
    """
    local = sqlite_file(uri)
    # Asking MLflow for a database that is not there would create one.
    if local is not None and not local.is_file():
        raise NoChampion(name, alias, uri)
    teach_mlflow_manners()
    try:
        import mlflow  # noqa: PLC0415 - takes seconds, and only what downloads a model needs it

        client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        registered = client.get_model_version_by_alias(name, alias)
        location = client.get_model_version_download_uri(registered.name, registered.version)
    except ImportError as error:
        raise RegistryUnreachable(uri, "mlflow is not installed here: install 'precedence[train]'") from error
    except Exception as error:  # MLflow passes on what its many stores raise: requests, SQLAlchemy, OS errors ...
        if _is_absent(error):
            raise NoChampion(name, alias, uri) from error
        raise RegistryUnreachable(uri, first_line(error)) from error
    return Named(name, str(registered.version), location)


def download(uri: str, named: Named, kept: Path) -> None:
    """Bring a version's artifacts to a directory of their own, whole or not at all.

    Raises
    ------
    RegistryUnreachable
        When they cannot be had.
    """
    teach_mlflow_manners()

    def by_mlflow(arriving: Path) -> None:
        from mlflow.artifacts import download_artifacts  # noqa: PLC0415 - as above

        download_artifacts(named.location, dst_path=str(arriving), tracking_uri=uri, registry_uri=uri)

    shelf.arrive(kept, uri, by_mlflow)


def _is_absent(error: Exception) -> bool:
    """Whether the registry answered that it has no such model, or no such alias."""
    if getattr(error, "error_code", None) == "RESOURCE_DOES_NOT_EXIST":
        return True
    return getattr(error, "error_code", None) == "INVALID_PARAMETER_VALUE" and "alias" in str(error)
