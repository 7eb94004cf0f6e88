"""The command line of the whole project: `precedence`.

A command reads the settings, calls one function and shows what came of it. What a command needs is imported when
it runs, so that `precedence --help` answers at once.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from features.records import ValueLabel
from serving.auth.cli import app as token_commands
from serving.cli import app as serving_commands
from serving.errors import BadInput, ExitCode, PrecedenceError
from serving.stores.cli import app as database_commands

app = typer.Typer(
    name="precedence",
    help="Learns what delay costs each marketing campaign, and runs the work in that order.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    add_completion=False,
)
matrix_commands = typer.Typer(help="The hand-weighted Campaign Prioritization Matrix.", no_args_is_help=True)
app.add_typer(serving_commands)
app.add_typer(token_commands, name="token", rich_help_panel="Serve")
app.add_typer(database_commands, name="db", rich_help_panel="Serve")
app.add_typer(matrix_commands, name="matrix", rich_help_panel="Learn")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document to standard output.")]

Refit = Annotated[
    bool,
    typer.Option("--refit/--no-refit", help="Whether a promoted model learns from the weeks it was judged on too."),
]

Label = Annotated[
    ValueLabel | None,
    typer.Option(
        help="What value is: all that targets earn, or what exceeds what they would anyway. PRECEDENCE_LABEL."
    ),
]


@app.command(rich_help_panel="Start here")
def demo(
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start from nothing: forget the demo's earlier state.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The whole loop in minutes: train, serve a week of real campaigns through a crash, count, and learn again."""
    from serving.clock import SystemClock
    from serving.settings import Settings
    from training import console
    from training.demo import run_demo, told

    with console.progress_bar("Demo") as progress:
        result = run_demo(Settings.read(), SystemClock().now(), fresh=fresh, progress=progress)
    if as_json:
        console.show_document(result.document())
    else:
        console.show(*told(result))
    if not result.lived.durability.holds:
        raise typer.Exit(ExitCode.FAILED)


@app.command(rich_help_panel="Learn")
def train(
    recipe: Annotated[str | None, typer.Option(help="A JSON file, or 'best' for what 'precedence tune' found.")] = None,
    label: Label = None,
    refit: Refit = True,
    as_json: AsJson = False,
) -> None:
    """Train on a year of real campaigns, test on its last weeks, and name the champion.

    The run with its parameters, metrics, pictures, model and model card goes to MLflow (PRECEDENCE_TRACKING_URI).
    The model becomes champion if it is no worse than the expert rule, or than the champion there is; a new recipe
    must be better than the champion. Then it learns from the weeks it was tested on as well.
    """
    from serving.clock import SystemClock
    from serving.settings import Settings
    from training import console, pipeline, recipes

    settings = Settings.read(label=label)
    chosen = None if recipe is None else recipes.chosen(recipe, settings, label)
    with console.progress_bar("Training") as progress:
        result = pipeline.train(settings, SystemClock().now(), progress, recipe=chosen, refit=refit)
    if as_json:
        console.show_document(result.document())
        return
    tested = result.backtest
    console.show(
        console.metrics_table(tested.metrics, tested.weeks),
        "",
        console.results_table(tested.results, tested.weeks),
        "",
        console.verdict_line(result.registered.version, result.verdict),
        f"Pictures: {settings.home / 'pictures'}",
    )


@app.command(rich_help_panel="Learn")
def tune(
    trials: Annotated[int, typer.Option(help="How many more recipes to try.")] = 30,
    timeout: Annotated[float | None, typer.Option(help="Seconds after which no other is begun.")] = None,
    as_json: AsJson = False,
) -> None:
    """Search for a better recipe: the one whose schedule earns most on weeks 24-43. Goes on where it was left.

    Trials are nested runs in MLflow. The best recipe is kept; 'precedence train --recipe best' makes a candidate of
    it, which must prove itself on weeks that the search never saw.
    """
    if trials < 1:
        raise BadInput("trials", trials, "1 or more")
    if timeout is not None and not timeout > 0:
        raise BadInput("timeout", timeout, "seconds above 0")

    from serving.settings import Settings
    from training import console, tuning

    with console.progress_bar("Tuning") as progress:
        result = tuning.tune(Settings.read(), trials, timeout, progress)
    if as_json:
        console.show_document(result.document())
        return
    console.show(*console.tuning_lines(result))


@app.command(rich_help_panel="Learn")
def backtest(
    weeks: Annotated[
        str | None, typer.Option(help="Weeks to play, from-to, 24 to 52, the default; incremental value to 49.")
    ] = None,
    load: Annotated[
        list[float] | None, typer.Option(help="The week's work as a share of capacity; may be repeated. Default: all.")
    ] = None,
    release: Annotated[
        list[str] | None, typer.Option(help="together, staggered or mixed_windows; may be repeated. Default: all.")
    ] = None,
    preemptive: Annotated[bool, typer.Option("--preemptive", help="Let runners give way (the loads given).")] = False,
    replicates: Annotated[int, typer.Option(help="How often each week is played.")] = 8,
    label: Label = None,
    quick: Annotated[bool, typer.Option("--quick", help="Every third of weeks 24-43, the main settings.")] = False,
    as_json: AsJson = False,
) -> None:
    """Play weeks under every order of work: Precedence, planner, expert rule, matrix, FIFO, and a clairvoyant bound.

    Models learn anew before each week, from all weeks before it; lookaheads are chosen on weeks 24-43. Campaigns and
    revenue are real; workers, processing times and releases are simulated. All goes to MLflow; no model is registered.
    """
    from serving.settings import Settings
    from training import console
    from training.backtest.asked import plan_of
    from training.backtest.record import backtest as play
    from training.backtest.report import tables

    settings = Settings.read(label=label)
    plan = plan_of(settings.label, weeks, load or (), release or (), replicates, preemptive=preemptive, quick=quick)
    with console.progress_bar("Backtest") as progress:
        result = play(settings, plan, progress)
    if as_json:
        console.show_document(result.document())
        return
    for table in tables(result.study):
        console.show(table, "")
    console.show(f"Pictures: {', '.join(str(path) for path in result.pictures.values())}")


@app.command(rich_help_panel="Learn")
def retrain(refit: Refit = True, as_json: AsJson = False) -> None:
    """Refresh the champion: its recipe on the outcome log and the history before it, promoted if it is no worse.

    Challenger and champion are judged on weeks that neither of them learned from: those after the log, or its last
    ones. A challenger that is promoted learns from these as well.
    """
    from serving.clock import SystemClock
    from serving.settings import Settings
    from training import console
    from training.datasets.complete_journey import week_start
    from training.retrain import retrain as learn_again

    with console.progress_bar("Retraining") as progress:
        result = learn_again(Settings.read(), SystemClock().now(), progress, refit=refit)
    if as_json:
        console.show_document(result.document())
        return
    console.show(
        f"Learned from {result.logged} logged campaigns, {result.late} of which went live late;"
        f" judged on {len(result.weeks)} weeks from {week_start(result.weeks[0]):%Y-%m-%d} on.",
        console.verdict_line(result.registered.version, result.verdict),
    )


@app.command(rich_help_panel="Learn")
def promote(
    version: Annotated[str, typer.Argument(help="Version in the registry, such as 2.")],
    refit: Refit = True,
    as_json: AsJson = False,
) -> None:
    """Judge a registered version again, and make it the champion if it may be; a refusal prints its figures.

    A first champion may not be worse than the expert rule, a refresh of the champion's recipe not worse than the
    champion; a new recipe must be better. All keep their budgets: calibration, latency, size.
    """
    from serving.clock import SystemClock
    from serving.settings import Settings
    from training import console
    from training.candidates import promote as judge

    with console.progress_bar("Judging") as progress:
        promotion = judge(Settings.read(), version, SystemClock().now(), progress, refit=refit)
    if as_json:
        console.show_document({"model_version": version, **promotion.document()})
        return
    console.show(console.verdict_line(version, promotion.verdict), *console.figures_lines(promotion.verdict.figures))
    if promotion.served not in (None, version):
        console.show(f"Version {promotion.served}, the same recipe fitted to all weeks, is the champion.")


@app.command(rich_help_panel="Learn")
def rollback(
    to: Annotated[str | None, typer.Option(help="This version instead of the champion before.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take the champion back: the one before it serves again, and both say so in MLflow."""
    from serving.clock import SystemClock
    from serving.settings import Settings
    from training import console
    from training.tracking import Registry

    settings = Settings.read()
    registry = Registry.of(settings)
    registry.check()
    done = registry.rollback(to, SystemClock().now())
    if as_json:
        console.show_document({"champion": done.restored, "rolled_back": done.fallen})
        return
    console.show(f"Version {done.restored} is the champion again, in place of {done.fallen}.")


@matrix_commands.command("show")
def matrix_show(as_json: AsJson = False) -> None:
    """The weights of each campaign kind, as they are in force (PRECEDENCE_MATRIX_FILE, or built in)."""
    from serving.settings import Settings
    from serving.wiring import matrix
    from training import console

    weights = {kind: [float(w) for w in row] for kind, row in matrix(Settings.read()).weights.items()}
    if as_json:
        console.show_document(console.matrix_document(weights))
        return
    console.show(console.matrix_table(weights))


def run() -> None:
    """Run a command: results to standard output, one sentence to standard error when something is wrong."""
    try:
        app()
    except PrecedenceError as error:
        _end(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("features", "serving", "training"):
            raise
        _end(f"{error.name} is not installed: install precedence with its extra 'train'", ExitCode.FAILED)
    except OSError as error:  # a full disk, a file without permission: said with its name
        _end(str(error), ExitCode.FAILED)


def _end(sentence: str, code: int) -> None:
    print(f"precedence: {sentence}", file=sys.stderr)
    raise SystemExit(code)


if __name__ == "__main__":
    run()
