"""Search for a better recipe: what counts is what the schedule earns on weeks 24-43, not how small the errors are.

Each trial fits a recipe anew before every block of four weeks, to what was known by then, and plays the block. A trial
that then trails the median of the earlier ones by more than chance is given up. The study is kept in a file: an
interrupted search goes on where it stopped. The best of many trials flatters itself; whether its recipe is worth having
is for the promotion gate to say, on weeks that the search never sees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from features.contract import fingerprint
from features.curves import Floats
from serving.scheduling import policies
from serving.settings import Settings
from training import plots
from training.backtest import Contender, Outcomes, PlayedWeek, Setting, clairvoyant, play_weeks, played_weeks
from training.datasets.complete_journey import CompleteJourney, complete_journey, week_start
from training.estimators import Recipe
from training.incremental import valued
from training.learning import Learned, Lessons
from training.progress import Progress, part, silent
from training.recipes import best_file, fingerprint_of, written
from training.tracking import Registry, nested_runs

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

WEEKS = range(24, 44)
"""What tuning may see."""

BLOCK = 4
"""Weeks that one fit plays."""

HORIZON_H = 6.0
"""Lookahead of the index while recipes are compared; each model's own is chosen when it is trained."""

REPLICATES = 4
"""Plays of each week: all trials see the same chance."""

TRAILING = 0.002
"""Share of the gap by which a trial may lie below the median of the earlier ones: about the chance of a difference."""

LEAST_EARLIER = 4
"""Trials that must have played a block before anyone is compared in it."""


@dataclass(frozen=True)
class Ground:
    """The validation weeks, ready to be played by any recipe."""

    lessons: Lessons
    weeks: Sequence[PlayedWeek]
    setting: Setting
    bounds: Outcomes

    @classmethod
    def of(
        cls, journey: CompleteJourney, lessons: Lessons, weeks: range = WEEKS, progress: Progress = silent
    ) -> Ground:
        """Play what does not depend on the recipe: first come, first served, and the bound."""
        setting = Setting(replicates=REPLICATES)
        ready = played_weeks(journey, lessons.features, weeks, setting)
        bound = clairvoyant(ready, setting, part(progress, 0.0, 0.7))
        fifo = Contender("fifo", bound.values, policies.fifo)
        return cls(lessons, ready, setting, play_weeks(ready, [fifo, bound], setting, part(progress, 0.7, 1.0)))

    def worth(self, recipe: Recipe, told: Callable[[int, float], None] | None = None) -> float:
        """Share of the gap between first come, first served and the bound that a recipe captures.

        Parameters
        ----------
        told : after each block its number and the share so far; may raise to give the recipe up.
        """
        fifo, bound = self.bounds.of["fifo"].value, self.bounds.of["clairvoyant"].value
        earned: list[Floats] = []
        share = np.nan
        for block, start in enumerate(range(0, len(self.weeks), BLOCK)):
            weeks = self.weeks[start : start + BLOCK]
            learned = Learned.of(self.lessons.until(week_start(weeks[0].week)), recipe)
            index = Contender("index", learned.believed, policies.index(HORIZON_H))
            earned.append(play_weeks(weeks, [index], self.setting).of["index"].value)
            so_far = slice(0, start + len(weeks))
            share = float((np.concatenate(earned) - fifo[so_far]).sum() / (bound[so_far] - fifo[so_far]).sum())
            if told is not None:
                told(block, share)
        return share


@dataclass(frozen=True)
class TuneResult:
    """What the search found.

    Attributes
    ----------
    worth, usual : share of the gap on the validation weeks, of the best recipe and of the usual one.
    importance : share of the spread in worth that each parameter explains; empty with too few trials.
    """

    study: str
    trials: int
    pruned: int
    best: Recipe
    worth: float
    usual: float
    importance: dict[str, float]
    recipe_file: Path
    run_id: str
    pictures: dict[str, Path]

    def document(self) -> dict[str, Any]:
        """The machine-readable result."""
        return {
            "study": self.study,
            "run_id": self.run_id,
            "trials": self.trials,
            "pruned": self.pruned,
            "best": {"share_of_gap": self.worth, "recipe": asdict(self.best)},
            "usual": {"share_of_gap": self.usual},
            "importance": self.importance,
            "recipe_file": str(self.recipe_file),
            "pictures": {name: str(path) for name, path in self.pictures.items()},
        }


def tune(
    settings: Settings,
    trials: int,
    timeout_s: float | None = None,
    progress: Progress = silent,
    journey: CompleteJourney | None = None,
    weeks: range = WEEKS,
) -> TuneResult:
    """Go on with the study of this home for some trials, and keep the best recipe found so far.

    Schedules are worth what they earn of the value that the settings name.

    Parameters
    ----------
    trials : how many more; at least 1. timeout_s : wall-clock seconds after which no other is begun.
    """
    import optuna  # noqa: PLC0415 - only this command needs it

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    registry = Registry.of(settings)
    registry.check()
    journey = valued(journey or complete_journey(progress=part(progress, 0.0, 0.1)), settings.label)
    usual = Recipe(label=settings.label.value)
    progress("computing features", 0.1)
    ground = Ground.of(journey, Lessons.of(journey.history), weeks, part(progress, 0.15, 0.2))
    study = _study(settings.home, weeks, usual)
    begun_with = len(study.trials)
    searching = part(progress, 0.2, 0.97)

    with nested_runs(registry, "tune", {"study": study.study_name, "label": usual.label}) as run:

        def finished(study: Study, trial: FrozenTrial) -> None:
            states = {"share_of_gap": trial.value} if trial.value is not None else {}
            run.child(f"trial {trial.number}", trial.params, states, {"state": trial.state.name.lower()})
            done = len(study.trials) - begun_with
            best = f", best {study.best_value:.4f}" if _complete(study) else ""
            searching(f"trial {done} of {trials}{best}", done / trials)

        study.optimize(lambda t: _tried(t, ground, usual), n_trials=trials, timeout=timeout_s, callbacks=[finished])
        result = _result(study, settings.home, run.run_id)
        run.log({"share_of_gap": result.worth, "usual": result.usual}, [*result.pictures.values(), result.recipe_file])
    progress("done", 1.0)
    return result


def suggested(trial: Trial, usual: Recipe) -> Recipe:
    """A recipe from the space that is searched, in all else as usual."""
    objective = trial.suggest_categorical("objective", ["tweedie", "poisson"])
    return replace(
        usual,
        objective=objective,
        variance_power=trial.suggest_float("variance_power", 1.1, 1.9) if objective == "tweedie" else 1.5,
        leaves=trial.suggest_int("leaves", 4, 63, log=True),
        rounds=trial.suggest_int("rounds", 100, 800, step=50),
        learning_rate=trial.suggest_float("learning_rate", 0.01, 0.12, log=True),
        rows=trial.suggest_float("rows", 0.5, 1.0),
        features=trial.suggest_float("features", 0.3, 1.0),
        least_in_leaf=trial.suggest_int("least_in_leaf", 5, 100, log=True),
        l2=trial.suggest_float("l2", 0.1, 50.0, log=True),
    )


def trailing(share: float, block: int, earlier: Sequence[Mapping[int, float]]) -> bool:
    """Whether a trial's share up to a block lies below what half of the earlier trials had by then, beyond chance."""
    theirs = [values[block] for values in earlier if block in values]
    return len(theirs) >= LEAST_EARLIER and share < float(np.median(theirs)) - TRAILING


def _tried(trial: Trial, ground: Ground, usual: Recipe) -> float:
    import optuna  # noqa: PLC0415 - as above

    recipe = suggested(trial, usual)
    trial.set_user_attr("recipe", asdict(recipe))

    def told(block: int, share: float) -> None:
        trial.report(share, block)
        # Optuna's own median rule looks at the best share of all blocks, and the first weeks are the easiest.
        if block and trailing(share, block, [t.intermediate_values for t in trial.study.trials[: trial.number]]):
            raise optuna.TrialPruned

    return ground.worth(recipe, told)


def _study(home: Path, weeks: range, usual: Recipe) -> Study:
    """The home's study of these weeks and features; the usual recipe comes first, so that the best is never worse."""
    import optuna  # noqa: PLC0415 - as above

    home.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.RDBStorage(f"sqlite:///{home / 'tuning.db'}")
    name = f"value-{weeks[0]}-{weeks[-1]}-{fingerprint_of(asdict(usual), fingerprint())}"
    study = optuna.create_study(
        storage=storage, study_name=name, direction="maximize", load_if_exists=True, pruner=optuna.pruners.NopPruner()
    )
    # Going on with the same seed would try the same recipes again.
    study.sampler = optuna.samplers.TPESampler(seed=len(study.trials))
    for left in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(left.number, state=optuna.trial.TrialState.FAIL)
    if not study.trials:
        study.enqueue_trial(_usual())
    return study


def _usual() -> dict[str, Any]:
    asked = (
        "objective",
        "variance_power",
        "leaves",
        "rounds",
        "learning_rate",
        "rows",
        "features",
        "least_in_leaf",
        "l2",
    )
    return {name: getattr(Recipe(), name) for name in asked}


def _complete(study: Study) -> list[FrozenTrial]:
    return [trial for trial in study.trials if trial.value is not None and trial.state.name == "COMPLETE"]


def _result(study: Study, home: Path, run_id: str) -> TuneResult:
    complete = _complete(study)
    best = Recipe(**study.best_trial.user_attrs["recipe"])
    importance = _importance(study) if len(complete) >= 4 else {}
    pictures = {"history": plots.history_picture(_history(complete), home / "pictures" / "tuning_history.png")}
    if importance:
        pictures["importance"] = plots.importance_picture(
            list(importance),
            np.array(list(importance.values())),
            home / "pictures" / "tuning_importance.png",
            title="Which parameters matter",
            label="share of the spread in worth, %",
        )
    return TuneResult(
        study=study.study_name,
        trials=len(study.trials),
        pruned=sum(trial.state.name == "PRUNED" for trial in study.trials),
        best=best,
        worth=float(study.best_value),
        usual=float(complete[0].value or 0.0),
        importance=importance,
        recipe_file=written(best, best_file(home)),
        run_id=run_id,
        pictures=pictures,
    )


def _importance(study: Study) -> dict[str, float]:
    from optuna.importance import get_param_importances  # noqa: PLC0415 - as above

    found: Mapping[str, float] = get_param_importances(study)
    return dict(found)


def _history(complete: Sequence[FrozenTrial]) -> dict[int, float]:
    return {trial.number: float(trial.value or 0.0) for trial in complete}
