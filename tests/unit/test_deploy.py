"""What deploys it says nothing that is not so: settings, commands, ports and files exist, and no secret is in it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest
import typer.main
import yaml

from serving.settings import Settings
from tests.deployment import DEPLOY, KUBERNETES, containers, document, expressions, manifests, own_services
from training.cli import app

ROOT = DEPLOY.parents[1]
PORTS = {name: Settings.model_fields[f"{name}_port"].default for name in ("priority", "scheduler")}


def understood(command: list[str]) -> None:
    """Have our command line read a command, as far as to its options."""
    program, *arguments = command
    assert program == "precedence"
    found: click.Command = typer.main.get_command(app)
    while isinstance(found, click.Group):
        found = found.commands[arguments.pop(0)]
    found.make_context(found.name, arguments).close()


@pytest.mark.parametrize("name", own_services())
def test_each_service_of_the_compose_file_is_a_command_with_known_settings(name: str) -> None:
    service = own_services()[name]
    understood(service["command"])
    assert {key.removeprefix("PRECEDENCE_").lower() for key in service["environment"]} <= set(Settings.model_fields)
    assert set(service["depends_on"]) <= set(document(DEPLOY / "compose.yaml")["services"])


def test_each_container_of_the_manifests_is_a_command_with_known_settings() -> None:
    for container in containers():
        understood(container["command"])
    (known,) = [each["data"] for each in manifests() if each["kind"] == "ConfigMap"]
    assert {key.removeprefix("PRECEDENCE_").lower() for key in known} <= set(Settings.model_fields)


def test_settings_of_the_manifests_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    (known,) = [each["data"] for each in manifests() if each["kind"] == "ConfigMap"]
    for name, value in known.items():
        monkeypatch.setenv(name, value)
    settings = Settings.read()
    assert settings.priority_url == f"http://priority:{PORTS['priority']}"
    assert settings.scheduler_url == f"http://scheduler:{PORTS['scheduler']}"


def test_ports_are_those_the_services_listen_on() -> None:
    services = document(DEPLOY / "compose.yaml")["services"]
    scraped = {
        job["job_name"]: job["static_configs"][0]["targets"]
        for job in document(DEPLOY / "prometheus.yaml")["scrape_configs"]
    }
    for name, port in PORTS.items():
        assert services[name]["ports"] == [f"127.0.0.1:{port}:{port}"]
        assert f":{port}/readyz" in services[name]["healthcheck"]["test"][-1]
        assert scraped[name] == [f"{name}:{port}"]
        (container,) = [each for each in containers() if each["name"] == name]
        assert container["ports"] == [{"name": "http", "containerPort": port}]
        (service,) = [each for each in manifests() if (each["kind"], each["metadata"]["name"]) == ("Service", name)]
        assert service["spec"]["ports"] == [{"port": port, "targetPort": "http"}]


def test_only_loopback_is_published_and_no_secret_written_down() -> None:
    compose = document(DEPLOY / "compose.yaml")
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        for name, value in service.get("environment", {}).items():
            assert not re.search(r"://[^/:]*:(?!\$\{)[^/]*@", value), name
            if re.search(r"PASS|TOKEN$|KEY", name):
                assert re.fullmatch(r"\$\{\w+:[?-].*\}", value), name
    assert [each for each in manifests() if each["kind"] == "Secret"] == []
    for path in KUBERNETES.glob("*.yaml"):
        assert not re.search(r"://[^\s/]+@", path.read_text()), path


def test_files_that_are_named_are_there_or_never_committed() -> None:
    compose = document(DEPLOY / "compose.yaml")
    mounted = [volume.split(":")[0] for volume in compose["services"]["prometheus"]["volumes"]]
    assert all((DEPLOY / name).is_file() for name in mounted)
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    for secret in compose["secrets"].values():
        assert (Path("serving/deploy") / secret["file"]).as_posix() in ignored
    build = own_services()["scheduler"]["build"]
    assert (DEPLOY / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).is_file()
    copied = re.findall(r"^COPY (.*) \S+$", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    let_in = set(re.findall(r"^!(.*)$", (DEPLOY / "Dockerfile.dockerignore").read_text(), flags=re.MULTILINE))
    assert {name for names in copied for name in names.split()} == let_in
    assert all((ROOT / name).exists() for name in let_in)


def test_what_is_scaled_exists_and_sets_no_number_of_its_own() -> None:
    deployments = {each["metadata"]["name"]: each["spec"] for each in manifests() if each["kind"] == "Deployment"}
    scaled = [each["spec"]["scaleTargetRef"]["name"] for each in manifests() if each["kind"] == "ScaledObject"]
    assert sorted(scaled) == ["priority", "worker"]
    assert not any("replicas" in deployments[name] for name in scaled)


def test_the_manifests_come_together() -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("NOT CHECKED by kubectl, which is not installed: the kustomization's own rules")
    done = subprocess.run([kubectl, "kustomize", KUBERNETES], check=True, capture_output=True, text=True)
    made = list(yaml.safe_load_all(done.stdout))
    assert len(made) == len(manifests())
    assert {each["metadata"]["namespace"] for each in made} == {"precedence"}


def test_prometheus_reads_its_rules() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        assert all(one.count("(") == one.count(")") for one in expressions())
        pytest.skip("NOT CHECKED by promtool, which is not installed: the grammar of the alerts")
    subprocess.run([promtool, "check", "rules", DEPLOY / "alerts.yaml"], check=True)
