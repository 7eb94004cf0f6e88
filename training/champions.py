"""Who was champion when: written on the pages of the registry's versions, as tags that anybody can read.

`status` is `champion`, `retired`, `refused` or `rolled back to version N`; `replaced` names the champion before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serving.registry import ALIAS, MODEL_NAME
from training.promotion import Verdict


@dataclass(frozen=True)
class Rollback:
    """Who was champion, and who is again."""

    fallen: str
    restored: str


def champion_of(client: Any) -> str | None:
    """The version under the champion's alias; `client` is MLflow's."""
    found = client.search_registered_models(f"name = '{MODEL_NAME}'")
    version = dict(found[0].aliases).get(ALIAS) if found else None
    return None if version is None else str(version)


@contextmanager
def unless_made_meanwhile() -> Iterator[None]:
    """Let be what another machine made in the registry between our look and our making."""
    try:
        yield
    except Exception as error:
        if getattr(error, "error_code", None) != "RESOURCE_ALREADY_EXISTS":
            raise


def noted(client: Any, version: str, verdict: Verdict, at: datetime) -> None:
    """Say how a version was judged, and when; make it the champion if it was promoted."""
    _tag(client, version, verdict=verdict.reason, judged_at=at.isoformat())
    current = champion_of(client)
    if verdict.promoted:
        _crown(client, version, at, current)
    elif version != current:
        _tag(client, version, status="refused")


def replaced_by(client: Any, version: str) -> str | None:
    """The champion that a version replaced, if it did."""
    replaced: str | None = client.get_model_version(MODEL_NAME, version).tags.get("replaced")
    return replaced


def restore(client: Any, fallen: str, restored: str, at: datetime) -> None:
    """Make an earlier version the champion again; whom it replaced in its time stays as it was."""
    if fallen == restored:
        return
    _crown(client, restored, at, None)
    _tag(client, fallen, status=f"rolled back to version {restored}", rolled_back_at=at.isoformat())


def _crown(client: Any, version: str, at: datetime, replaced: str | None) -> None:
    current = champion_of(client)
    if current is not None and current != version:
        _tag(client, current, status="retired", retired_at=at.isoformat())
    if replaced is not None and replaced != version:
        _tag(client, version, replaced=replaced)
    _tag(client, version, status="champion", champion_since=at.isoformat())
    client.set_registered_model_alias(MODEL_NAME, ALIAS, version)


def _tag(client: Any, version: str, **tags: str) -> None:
    for name, value in tags.items():
        client.set_model_version_tag(MODEL_NAME, version, name, value)
