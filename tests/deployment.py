"""The deployment files as documents, and what is said in them of settings, commands and metrics."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[1] / "serving" / "deploy"
KUBERNETES = DEPLOY / "kubernetes"


def document(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def manifests() -> list[dict[str, Any]]:
    """Every Kubernetes object, as the kustomization lists them."""
    listed = document(KUBERNETES / "kustomization.yaml")["resources"]
    return [each for name in listed for each in yaml.safe_load_all((KUBERNETES / name).read_text(encoding="utf-8"))]


def containers() -> Iterator[dict[str, Any]]:
    for each in manifests():
        yield from each.get("spec", {}).get("template", {}).get("spec", {}).get("containers", ())


def own_services() -> dict[str, dict[str, Any]]:
    """The compose file's services that run a command of ours."""
    services = document(DEPLOY / "compose.yaml")["services"]
    return {name: each for name, each in services.items() if each.get("command", [""])[0] == "precedence"}


def expressions() -> list[str]:
    """What is asked of Prometheus, by alerts and scalers."""
    rules = [rule["expr"] for group in document(DEPLOY / "alerts.yaml")["groups"] for rule in group["rules"]]
    scalers = [each["spec"]["triggers"] for each in manifests() if each["kind"] == "ScaledObject"]
    return rules + [trigger["metadata"]["query"] for triggers in scalers for trigger in triggers]


def metrics() -> set[str]:
    """The metrics of ours that deployments go by."""
    return set(re.findall(r"precedence_\w+", " ".join(expressions())))
