"""The README's curl lines work as they stand."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import httpx

from tests.bundles import tiny_bundle
from tests.integration.registries import registered
from tests.integration.servers import free_port, served
from tests.worlds import small_world

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def requests_of(block: str) -> list[tuple[str, str, dict[str, str], str | None]]:
    """Method, URL, headers and body of each curl command of a block."""
    found = []
    for command in re.findall(r"^curl .*?(?=^curl |\Z)", block, flags=re.MULTILINE | re.DOTALL):
        words = iter(shlex.split(command))
        method, url, headers, sent = "GET", "", {}, None
        for word in words:
            match word:
                case "curl" | "-s":
                    pass
                case "-X":
                    method = next(words)
                case "-H":
                    name, _, value = next(words).partition(": ")
                    headers[name] = value
                case "-d":
                    sent = next(words)
                    method = "POST" if method == "GET" else method
                case _:
                    url = word
        if url:
            found.append((method, url, headers, sent))
    return found


def test_each_curl_of_the_readme_is_answered_as_it_says(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    registered(f"sqlite:///{home / 'mlflow.db'}", tiny_bundle(small_world()), home / "bundle")
    settings = {"home": home, "priority_port": free_port(), "scheduler_port": free_port()}
    asked = [r for block in re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL) for r in requests_of(block)]
    assert len(asked) >= 3
    answers = {}
    with (
        served("priority", tmp_path / "priority.log", **settings) as priority,
        served("scheduler", tmp_path / "scheduler.log", **settings) as scheduler,
    ):
        for method, url, headers, sent in asked:
            real = url.replace("http://127.0.0.1:3000", priority).replace("http://127.0.0.1:3001", scheduler)
            answer = httpx.request(method, real, headers=headers, content=sent, timeout=30)
            assert answer.is_success, f"{method} {url}: {answer.text}"
            answers.setdefault((method, url), answer.json())
    predicted = answers["POST", "http://127.0.0.1:3000/predict"]
    assert [p["campaign_id"] for p in predicted["predictions"]] == ["beef-week", "yogurt-week"]
    assert {"score", "index", "value", "curve", "loss_per_hour", "processing_s", "fallback"} <= set(
        predicted["predictions"][0]
    )
    assert "state" in answers["GET", "http://127.0.0.1:3001/campaigns/flash/why"], json.dumps(answers)
