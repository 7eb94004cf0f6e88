"""Fetching the champion from the MLflow registry, quickly or with a clear reason why not."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.errors import BundleCorrupt, NoChampion, RegistryUnreachable
from serving.model.bundle import Bundle
from serving.model.storage import META

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL_NAME, ALIAS = "campaign-priority", "champion"

_MANNERS = {
    # MLflow by itself waits for minutes; who starts without the registry should hear of it at once.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
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
    local = _sqlite_file(uri)
    # Asking MLflow for a database that is not there would create one.
    if local is not None and not local.is_file():
        raise NoChampion(name, alias, uri)
    teach_mlflow_manners()

    import mlflow  # noqa: PLC0415 - takes seconds, and only a service that holds a model needs it

    try:
        client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        registered = client.get_model_version_by_alias(name, alias)
    except Exception as error:  # MLflow passes on what its many stores raise: requests, SQLAlchemy, OS errors ...
        if _is_absent(error):
            raise NoChampion(name, alias, uri) from error
        raise RegistryUnreachable(uri, _first_line(error)) from error
    return Bundle.load(_fetched(client, registered, uri, cache_dir)).versioned(str(registered.version))


def _fetched(client: MlflowClient, registered: Any, uri: str, cache_dir: Path) -> Path:
    """The bundle's directory, downloaded unless it is here already."""
    from mlflow.artifacts import download_artifacts  # noqa: PLC0415 - as above

    location = client.get_model_version_download_uri(registered.name, registered.version)
    # Versions are numbered anew when a registry is; their content's own id never recurs.
    kept = cache_dir / f"{registered.name}-{registered.version}-{location.rstrip('/').rsplit('/', 1)[-1]}"
    if not kept.is_dir():
        cache_dir.mkdir(parents=True, exist_ok=True)
        arriving = Path(tempfile.mkdtemp(dir=cache_dir, prefix=".arriving-"))
        try:
            download_artifacts(location, dst_path=str(arriving), tracking_uri=uri, registry_uri=uri)
            arriving.replace(kept)
        except Exception as error:
            # Another worker may have brought the same bundle in the meantime.
            if not kept.is_dir():
                raise RegistryUnreachable(uri, f"its artifacts: {_first_line(error)}") from error
        finally:
            shutil.rmtree(arriving, ignore_errors=True)
    found = next(kept.rglob(f"artifacts/*/{META}"), None)
    if found is None:
        raise BundleCorrupt(META, f"is missing from version {registered.version} of {registered.name}")
    return found.parent


def _sqlite_file(uri: str) -> Path | None:
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def _is_absent(error: Exception) -> bool:
    """Whether the registry answered that it has no such model, or no such alias."""
    if getattr(error, "error_code", None) == "RESOURCE_DOES_NOT_EXIST":
        return True
    return getattr(error, "error_code", None) == "INVALID_PARAMETER_VALUE" and "alias" in str(error)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
