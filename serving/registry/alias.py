"""Which version is champion, asked without MLflow: a service that only looks need not carry it.

MLflow takes seconds to import, holds up every other thread while it does, and keeps 150 MB. What is asked here is one
row of its database, or one call of its REST API; a test holds both to what MLflow's own client says.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from serving.errors import NoChampion, RegistryUnreachable

MODEL_NAME, ALIAS = "campaign-priority", "champion"

_TIMEOUT_S = 5.0

_NAMED = sa.text(
    "SELECT v.version, v.storage_location, v.source FROM registered_model_aliases a"
    " JOIN model_versions v ON v.name = a.name AND v.version = a.version"
    " WHERE a.name = :name AND a.alias = :alias"
)


@dataclass(frozen=True)
class Named:
    """A registered version, and where its artifacts are; no two contents share a location."""

    name: str
    version: str
    location: str


def named(uri: str, name: str = MODEL_NAME, alias: str = ALIAS) -> Named | None:
    """The version that holds the alias; None where only MLflow's own client can ask such a registry.

    Raises
    ------
    RegistryUnreachable
        When nothing usable answers at `uri`.
    NoChampion
        When the registry has no such model or alias.
    """
    if uri.startswith(("http://", "https://")):
        return _by_rest(uri, name, alias)
    if uri.split(":", 1)[0].split("+", 1)[0] in ("sqlite", "postgresql", "mysql", "mssql"):
        return _by_sql(uri, name, alias)
    return None


def _by_sql(uri: str, name: str, alias: str) -> Named:
    local = sqlite_file(uri)
    if local is not None and not local.is_file():
        raise NoChampion(name, alias, uri)
    engine = sa.create_engine(uri, poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            row = connection.execute(_NAMED, {"name": name, "alias": alias}).first()
    except (sa.exc.SQLAlchemyError, ImportError) as error:  # ImportError: no driver for this database
        raise RegistryUnreachable(uri, first_line(error)) from error
    finally:
        engine.dispose()
    if row is None:
        raise NoChampion(name, alias, uri)
    return Named(name, str(row.version), row.storage_location or row.source)


def _by_rest(uri: str, name: str, alias: str) -> Named:
    with httpx.Client(base_url=uri.rstrip("/"), timeout=_TIMEOUT_S, **_credentials()) as client:
        version = _asked(client, uri, "registered-models/alias", name=name, alias=alias)
        if version is None:
            raise NoChampion(name, alias, uri)
        number = str(version["model_version"]["version"])
        place = _asked(client, uri, "model-versions/get-download-uri", name=name, version=number)
    if place is None:
        raise RegistryUnreachable(uri, f"version {number} of {name} is gone")
    return Named(name, number, str(place["artifact_uri"]))


def _asked(client: httpx.Client, uri: str, path: str, **parameters: str) -> dict[str, Any] | None:
    """What MLflow's REST API answers; None when it says that there is no such thing."""
    try:
        response = client.get(f"/api/2.0/mlflow/{path}", params=parameters)
        answer: dict[str, Any] = response.json()
    except (httpx.HTTPError, ValueError) as error:
        raise RegistryUnreachable(uri, first_line(error)) from error
    if response.status_code == HTTPStatus.OK:
        return answer
    code = str(answer.get("error_code", ""))
    if code == "RESOURCE_DOES_NOT_EXIST" or (code == "INVALID_PARAMETER_VALUE" and "alias" in str(answer)):
        return None
    raise RegistryUnreachable(uri, f"it answered {response.status_code} {code}".strip())


def _credentials() -> dict[str, Any]:
    """Those that MLflow's own client would use."""
    if token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
        return {"headers": {"authorization": f"Bearer {token}"}}
    user, password = (os.environ.get(f"MLFLOW_TRACKING_{part}") for part in ("USERNAME", "PASSWORD"))
    return {"auth": (user, password)} if user and password else {}


def sqlite_file(uri: str) -> Path | None:
    """The file of a SQLite registry; None for any other."""
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def first_line(error: Exception) -> str:
    """What an error of another library says first."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
