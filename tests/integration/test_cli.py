"""The commands as a person types them: services come up together, answer, and are gone when told to end."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.servers import ROOT, eventually, free_port, is_ready, process

pytestmark = [pytest.mark.integration]

COMMAND = [sys.executable, "-m", "serving.cli"]
CAMPAIGN = {
    "account": "shoes",
    "kind": "flash_sale",
    "channel": "mail",
    "released_at": "2020-01-01T00:00:00Z",
    "ends_at": "2099-01-01T00:00:00Z",
    "work_units": 100,
    "urgency": 0.9,
    "tasks": [{"task_id": "send", "handler": "simulate", "units": 100, "payload": {"slot_hours": 0.001}}],
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {
        "PRECEDENCE_HOME": str(tmp_path_factory.mktemp("cli") / "home"),
        "PRECEDENCE_PRIORITY_PORT": str(free_port()),
        "PRECEDENCE_SCHEDULER_PORT": str(free_port()),
        "PRECEDENCE_ATTEMPTS": "1",
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture(scope="module")
def served(settings: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    log = Path(settings["PRECEDENCE_HOME"]).parent / "serve.log"
    with process([*COMMAND, "serve"], log, settings) as running:
        eventually(lambda: running.poll() is not None or "Ctrl-C ends both" in log.read_text(), "both services answer")
        assert running.poll() is None, log.read_text()
        run(settings, "submit", "-", sent=json.dumps({**CAMPAIGN, "campaign_id": "first"}))
        yield running


def run(settings: dict[str, str], *arguments: str, sent: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env={**os.environ, **settings, **more},
        input=sent,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def descendants(pid: int) -> set[int]:
    """Processes of this machine that a process started, and those that they did."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    found: set[int] = set()
    while fresh := {child for child, parent in parents.items() if parent in {pid, *found}} - found:
        found |= fresh
    return found


@pytest.mark.usefixtures("served")
def test_campaigns_are_submitted_from_a_file_and_listed(settings, tmp_path) -> None:
    lines = [json.dumps({**CAMPAIGN, "campaign_id": name}) for name in ("first", "second")]
    (tmp_path / "campaigns.jsonl").write_text("\n".join(lines))
    submitted = run(settings, "submit", str(tmp_path / "campaigns.jsonl"), "--json")
    assert submitted.returncode == 0, submitted.stderr
    assert [place["campaign_id"] for place in json.loads(submitted.stdout)["campaigns"]] == ["first", "second"]
    again = run(settings, "submit", "-", sent=json.dumps({**CAMPAIGN, "campaign_id": "first"}))
    assert again.returncode == 0, again.stderr
    assert "first" in again.stdout
    queue = run(settings, "queue", "--json")
    assert queue.returncode == 0
    assert json.loads(queue.stdout)["slots"] == 4


@pytest.mark.usefixtures("served")
def test_why_answers_in_a_sentence_or_in_json(settings) -> None:
    later = {**CAMPAIGN, "campaign_id": "later", "released_at": "2098-01-01T00:00:00Z"}
    assert run(settings, "submit", "-", sent=json.dumps(later)).returncode == 0
    told = run(settings, "why", "later")
    assert "later is waiting: its work may not start before 2098-01-01 00:00" in told.stdout
    assert json.loads(run(settings, "why", "later", "--json").stdout)["why"]["reason"] == "not_released"


@pytest.mark.usefixtures("served")
def test_where_a_campaign_would_stand_is_told_without_submitting_it(settings) -> None:
    sent = json.dumps({**CAMPAIGN, "campaign_id": "perhaps", "released_at": "2098-01-01T00:00:00Z"})
    told = run(settings, "what-if", "-", sent=sent)
    assert "perhaps would be waiting: its work may not start before 2098-01-01 00:00" in told.stdout, told.stderr
    assert "puts back 0 other campaigns" in told.stdout
    (supposed,) = json.loads(run(settings, "what-if", "-", "--json", sent=sent).stdout)["supposed"]
    assert supposed["campaigns"][0]["before"] is None
    assert run(settings, "why", "perhaps").returncode == 4


@pytest.mark.usefixtures("served")
def test_what_failed_for_good_is_listed_and_tried_again(settings, tmp_path: Path) -> None:
    effects = tmp_path / "not there yet" / "effects"
    task = {**CAMPAIGN["tasks"][0], "payload": {"slot_hours": 1e-6, "effects": str(effects)}}
    sent = json.dumps({**CAMPAIGN, "campaign_id": "fails", "tasks": [task, {**task, "task_id": "other"}]})
    assert run(settings, "submit", "-", sent=sent).returncode == 0
    watched = run(settings, "why", "fails", "--watch", "--every", "0.1", "--json")
    assert watched.returncode == 0, watched.stderr
    last = json.loads(watched.stdout.splitlines()[-1])
    assert (last["state"], last["progress"]["dead"]) == ("failed", 2)
    assert "fails is failed: 2 of its 2 tasks failed for good" in run(settings, "why", "fails").stdout
    listed = json.loads(run(settings, "dead-letters", "--campaign", "fails", "--json").stdout)
    assert listed["total"] == 2
    assert "No such file" in listed["dead_letters"][0]["error"]
    assert "other" in run(settings, "dead-letters").stdout
    refused = run(settings, "redrive", "fails", "--task", "nothing")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "nothing" in refused.stderr
    effects.parent.mkdir()
    again = run(settings, "redrive", "fails", "--task", "send")
    assert again.stdout == "1 task of fails queued again, from the last checkpoint\n", again.stderr
    assert json.loads(run(settings, "redrive", "fails", "--json").stdout) == {"campaign_id": "fails", "redriven": 1}
    assert "fails is done" in run(settings, "why", "fails", "--watch", "--every", "0.1").stdout
    assert run(settings, "redrive", "fails").returncode == 5


@pytest.mark.usefixtures("served")
def test_a_live_view_ends_on_an_interrupt(settings, tmp_path: Path) -> None:
    log = tmp_path / "watch.log"
    with process([*COMMAND, "queue", "--watch", "--every", "0.1", "--json"], log, settings) as running:
        eventually(lambda: log.read_text().count("\n") >= 2, "two looks")
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0
    assert all("slots" in json.loads(line) for line in log.read_text().splitlines())


@pytest.mark.usefixtures("served")
def test_predictions_are_shown_with_and_without_reasons(settings) -> None:
    sent = json.dumps([{**CAMPAIGN, "campaign_id": "asked"}])
    answer = run(settings, "predict", "-", "--at", "2026-01-05T00:00:00Z", "--json", sent=sent)
    [prediction] = json.loads(answer.stdout)["predictions"]
    assert prediction["campaign_id"] == "asked"
    assert "no champion" in prediction["fallback"]
    assert "urgency" in run(settings, "predict", "-", "--explain", sent=sent).stdout


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("arguments", "sent", "code", "says"),
    [
        (["why", "nobody"], "", 4, "no campaign 'nobody' was submitted"),
        (["submit", "-"], "{", 3, "FILE is '-': must be JSON"),
        (["submit", "-"], " \n", 3, "FILE is '-': must hold campaigns as JSON, and is empty"),
        (["submit", "-"], '{"campaign_id": "x"}', 3, "account is None: is required"),
        (["submit", "-"], '{"campaign_id": "x"}\n{"campaign_id": 3}\n', 3, "- line 2: campaign_id is 3"),
        (["submit", "nowhere.json"], "", 3, "FILE is 'nowhere.json': must be a file that can be read"),
        (["submit", "-"], json.dumps({**CAMPAIGN, "campaign_id": "first", "work_units": 7}), 5, "other content"),
        (["predict", "-", "--at", "2026-01-05"], "[]", 3, "at is '2026-01-05': must be a time with an offset"),
        (["queue", "--watch", "--state", "asleep"], "", 3, "state is 'asleep'"),
        (["redrive", "nobody"], "", 4, "no campaign 'nobody' was submitted"),
        (["redrive", "first"], "", 5, "has no dead letters"),
        (["dead-letters", "--campaign", "nobody"], "", 4, "no campaign 'nobody' was submitted"),
        (["queue", "--state", "asleep"], "", 3, "state is 'asleep'"),
        (["serve", "--host", "192.0.2.7"], "", 9, "must be a loopback address"),
        (["serve"], "", 9, "must be a port that is free"),
    ],
)
def test_a_failing_command_says_one_sentence_and_ends_with_its_code(
    settings, arguments: list[str], sent: str, code: int, says: str
) -> None:
    ended = run(settings, *arguments, sent=sent)
    assert ended.returncode == code, ended.stderr
    assert ended.stderr.startswith("precedence: ")
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_without_services_a_command_says_how_to_start_them(settings) -> None:
    ended = run(settings, "queue", PRECEDENCE_SCHEDULER_PORT=str(free_port()))
    assert ended.returncode == 6
    assert "start it with 'precedence serve'" in ended.stderr


def test_wrong_settings_of_a_service_end_the_command_with_their_code(settings) -> None:
    ports = {"PRECEDENCE_PRIORITY_PORT": str(free_port()), "PRECEDENCE_SCHEDULER_PORT": str(free_port())}
    ended = run(settings, "serve", **ports, PRECEDENCE_HANDLERS="mail=shop.nowhere:send")
    assert ended.returncode == 9
    assert "setting handlers.mail is 'shop.nowhere:send': cannot be imported" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_the_command_ends(settings, tmp_path: Path, number: signal.Signals) -> None:
    ports = {"PRECEDENCE_PRIORITY_PORT": str(free_port()), "PRECEDENCE_SCHEDULER_PORT": str(free_port())}
    log = tmp_path / "serve.log"
    with process([*COMMAND, "serve"], log, {**settings, **ports, "PRECEDENCE_HOME": str(tmp_path)}) as running:
        eventually(lambda: "Ctrl-C ends both" in log.read_text(), "both services answer")
        children = descendants(running.pid)
        assert len(children) >= 2, "the services, and what looks ahead for one of them once it does"
        running.send_signal(number)
        assert running.wait(60) == (0 if number is not signal.SIGKILL else -signal.SIGKILL)
        eventually(lambda: not any(Path(f"/proc/{child}").exists() for child in children), "the children are gone", 30)
    assert "Traceback" not in log.read_text()


def test_killing_one_service_ends_the_other_and_says_what_to_do(settings, tmp_path: Path) -> None:
    ports = {"PRECEDENCE_PRIORITY_PORT": str(free_port()), "PRECEDENCE_SCHEDULER_PORT": str(free_port())}
    log = tmp_path / "serve.log"
    with process([*COMMAND, "serve"], log, {**settings, **ports, "PRECEDENCE_HOME": str(tmp_path)}) as running:
        eventually(lambda: "Ctrl-C ends both" in log.read_text(), "both services answer")
        children = descendants(running.pid)
        os.kill(min(children), signal.SIGKILL)  # a service: what looks ahead was started after it
        assert running.wait(60) == 1
        eventually(lambda: not any(Path(f"/proc/{child}").exists() for child in children), "the other is gone", 30)
    last = log.read_text().splitlines()[-1]
    assert "service was killed by SIGKILL" in last
    assert "nothing is lost, start both again with 'precedence serve'" in last


def test_a_service_that_cannot_start_says_so_in_one_sentence(settings, tmp_path: Path) -> None:
    ports = {"PRECEDENCE_PRIORITY_PORT": str(free_port()), "PRECEDENCE_SCHEDULER_PORT": str(free_port())}
    with closing(sqlite3.connect(tmp_path / "queue.db")) as database:
        database.executescript(
            "create table meta(key text primary key, value text); insert into meta values ('schema', '99')"
        )
    ended = run(settings, "serve", **ports, PRECEDENCE_HOME=str(tmp_path))
    said = [line for line in ended.stderr.splitlines() if line.startswith("precedence: ")]
    assert ended.returncode == 9
    assert "Traceback" not in ended.stderr
    assert len(said) == 1
    assert "setting store_url is" in said[0]


def test_several_workers_answer_the_prediction_api(settings, tmp_path: Path) -> None:
    port = free_port()
    more = {"PRECEDENCE_PRIORITY_PORT": str(port), "PRECEDENCE_PRIORITY_WORKERS": "2", "PRECEDENCE_HOME": str(tmp_path)}
    with process([*COMMAND, "serve", "--only", "priority"], tmp_path / "log", {**settings, **more}) as running:
        eventually(lambda: is_ready(f"http://127.0.0.1:{port}"), "the prediction API answers")
        children = descendants(running.pid)
        running.terminate()
        assert running.wait(60) == 0
        eventually(lambda: not any(Path(f"/proc/{child}").exists() for child in children), "the workers are gone", 30)
