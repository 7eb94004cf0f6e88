"""A backtest from the settings to the record: read the year, play, draw, and log it all to MLflow."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from serving.settings import Settings
from training.backtest import PolicyResult, report
from training.backtest.study import Plan, Study, studied
from training.datasets.complete_journey import complete_journey
from training.incremental import valued
from training.learning import Lessons
from training.progress import Progress, part, silent
from training.tracking import Registry, nested_runs

_FEW_FIGURES = ("index", "planner", "expert", "fifo", "clairvoyant")
"""Policies whose figures the run itself shows; those of all are in its children."""


@dataclass(frozen=True)
class Recorded:
    """A study, its run in MLflow, and its pictures by name."""

    study: Study
    run_id: str
    pictures: dict[str, Path]

    def document(self) -> dict[str, Any]:
        """The machine-readable result."""
        return {"run_id": self.run_id, **self.study.document()}


def backtest(settings: Settings, plan: Plan, progress: Progress = silent) -> Recorded:
    """Play a plan, judging by the value that the settings name, and keep what came of it.

    Raises
    ------
    RegistryUnreachable
        When MLflow does not answer; nothing has been played yet then.
    """
    registry = Registry.of(settings)
    registry.check()
    journey = valued(complete_journey(progress=part(progress, 0.0, 0.1)), settings.label)
    progress("computing features", 0.1)
    study = studied(journey, Lessons.of(journey.history), plan, part(progress, 0.12, 0.96))
    pictures = report.pictures(study, settings.home / "pictures" / "backtest")
    progress("logging to MLflow", 0.97)
    return Recorded(study, _logged(registry, study, settings.home / "backtest.json", list(pictures.values())), pictures)


def _logged(registry: Registry, study: Study, document: Path, pictures: list[Path]) -> str:
    """One run, with a child for each setting; its id."""
    document.write_text(json.dumps(study.document(), default=float))
    chosen = {
        (c.setting.release.value, c.setting.load, c.setting.preemptive): {
            "index_h": c.learned_h,
            "expert_h": c.expert_h,
        }
        for c in study.chosen
    }
    tags = {
        "weeks": f"{min(study.weeks)}-{max(study.weeks)}",
        "label": study.results[0].label,
        "simulated": "workers, processing times, releases",
    }
    leading: dict[str, float] = {}
    untouched = {setting: list(results) for setting, results in groupby(study.held_out, _setting)}
    with nested_runs(registry, "backtest", tags) as runs:
        for setting, results in groupby(study.results, _setting):
            release, load, preemptive = setting
            name = f"{release} {load:g}{' preemptive' if preemptive else ''}"
            figures = report.metrics(results)
            held_out = report.metrics(untouched.get(setting, []))
            parameters = {"release": release, "load": load, "preemptive": preemptive, **chosen[setting]}
            parameters["label"] = tags["label"]
            runs.child(name, parameters, figures | {f"held_out.{n}": value for n, value in held_out.items()}, tags)
            leading |= {
                f"{name.replace(' ', '.')}.{policy}.share_of_gap": figures[f"{policy}.share_of_gap"]
                for policy in _FEW_FIGURES
                if f"{policy}.share_of_gap" in figures
            }
        runs.log(leading, [*pictures, document])
        return runs.run_id


def _setting(result: PolicyResult) -> tuple[str, float, bool]:
    return result.release, result.load, result.preemptive
