"""Commands that serve: start the services, submit campaigns, ask about them.

A command imports what it needs when it runs, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)

PANEL = "Serve"


class Only(StrEnum):
    """The services by name."""

    PRIORITY = "priority"
    SCHEDULER = "scheduler"


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document to standard output.")]
Watched = Annotated[bool, typer.Option("--watch", help="Ask again and again and redraw, until Ctrl-C.")]
Every = Annotated[float, typer.Option(min=0.1, help="Seconds between two looks of --watch.")]
CampaignId = Annotated[str, typer.Argument(metavar="ID", help="The campaign.")]
File = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="Campaigns as a JSON object, an array, or one a line; - for standard input."),
]


@app.command(rich_help_panel=PANEL)
def serve(
    only: Annotated[Only | None, typer.Option(help="Serve this one alone, in this process.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to bind to; beyond loopback only with tokens.")] = None,
    priority_port: Annotated[int | None, typer.Option(help="Port of the prediction API.")] = None,
    scheduler_port: Annotated[int | None, typer.Option(help="Port of the queue API.")] = None,
    workers: Annotated[int | None, typer.Option(help="Tasks run at once.")] = None,
    tied: Annotated[bool, typer.Option(hidden=True, help="End when standard input does.")] = False,
) -> None:
    """Serve predictions and the queue with its workers, until interrupted."""
    from serving.serve import Service, serve_both, serve_one, url_of
    from serving.settings import Settings

    settings = Settings.read(host=host, priority_port=priority_port, scheduler_port=scheduler_port, workers=workers)
    if only is not None:
        serve_one(Service(only), settings, tied=tied)
        return

    def tell() -> None:
        typer.echo(f"Predictions: {url_of(Service.PRIORITY, settings)}  (documentation at /docs.json)")
        typer.echo(f"Queue:       {url_of(Service.SCHEDULER, settings)}  (documentation at /openapi.json)")
        typer.echo("Ctrl-C ends both.")

    serve_both(settings, tell)


@app.command(rich_help_panel=PANEL)
def worker(
    name: Annotated[str | None, typer.Option(help="One that no other worker bears; made up by default.")] = None,
    workers: Annotated[int | None, typer.Option(help="Tasks run at once.")] = None,
) -> None:
    """Run tasks that the scheduler hands over through the broker, until interrupted; see PRECEDENCE_EXECUTOR."""
    from serving.settings import Settings
    from serving.working import work

    work(Settings.read(workers=workers), name)


@app.command(rich_help_panel=PANEL)
def submit(file: File, as_json: AsJson = False) -> None:
    """Submit campaigns with their tasks; submitting the same again changes nothing."""
    from serving.client.ours import queue_client
    from serving.files import campaign_of, submissions_of
    from serving.settings import Settings
    from serving.terminal import document, places_table, show

    submissions = submissions_of(file)
    with queue_client(Settings.read()) as client:
        places = [client.submit(campaign_of(each), each.tasks) for each in submissions]
    show(document({"campaigns": places}) if as_json else places_table(places))


@app.command(rich_help_panel=PANEL)
def queue(
    limit: Annotated[int, typer.Option(help="How many campaigns to show.")] = 30,
    account: Annotated[str | None, typer.Option(help="Only this account's.")] = None,
    state: Annotated[str | None, typer.Option(help="Only those in this state.")] = None,
    watch: Watched = False,
    every: Every = 1.0,
    as_json: AsJson = False,
) -> None:
    """Show waiting and running campaigns in the order work would start."""
    from serving.client.ours import queue_client
    from serving.settings import Settings
    from serving.terminal import console, queue_table
    from serving.watching import tell

    out = console()
    # A live view that is longer than the terminal could not be redrawn in place.
    shown = min(limit, max(out.height - 6, 1)) if watch and out.is_terminal and not as_json else limit
    with queue_client(Settings.read()) as client:
        tell(
            lambda: client.queue(limit=shown, account=account, state=state),
            lambda found: queue_table(found, out.width),
            out,
            as_json=as_json,
            every_s=every if watch else None,
        )


@app.command(rich_help_panel=PANEL)
def why(
    campaign_id: CampaignId,
    watch: Watched = False,
    every: Every = 1.0,
    as_json: AsJson = False,
) -> None:
    """Say why a campaign is not running, its position, and when it will be done."""
    from serving.client.ours import queue_client
    from serving.scheduling.states import LIVE
    from serving.settings import Settings
    from serving.telling import why_told
    from serving.terminal import console
    from serving.watching import tell

    with queue_client(Settings.read()) as client:
        tell(
            lambda: client.why(campaign_id),
            why_told,
            console(),
            as_json=as_json,
            every_s=every if watch else None,
            over=lambda place: place.state not in LIVE,
        )


@app.command("what-if", rich_help_panel=PANEL)
def what_if(file: File, as_json: AsJson = False) -> None:
    """Say where campaigns would stand, each by itself, and when they would be done, without submitting them."""
    from serving.client.ours import queue_client
    from serving.files import campaign_of, submissions_of
    from serving.settings import Settings
    from serving.telling import supposed_told
    from serving.terminal import document, show

    campaigns = [campaign_of(each) for each in submissions_of(file)]
    with queue_client(Settings.read()) as client:
        answers = [client.what_if(campaign) for campaign in campaigns]
    show(document({"supposed": answers}) if as_json else "\n".join(supposed_told(answer) for answer in answers))


@app.command("dead-letters", rich_help_panel=PANEL)
def dead_letters(
    campaign_id: Annotated[str | None, typer.Option("--campaign", help="Only this campaign's.")] = None,
    limit: Annotated[int, typer.Option(help="How many to show.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Show tasks that failed for good, and what they failed of."""
    from serving.client.ours import queue_client
    from serving.settings import Settings
    from serving.terminal import dead_letters_table, document, show

    with queue_client(Settings.read()) as client:
        letters = client.dead_letters(campaign_id, limit=limit)
    show(document(letters) if as_json else dead_letters_table(letters))


@app.command(rich_help_panel=PANEL)
def redrive(
    campaign_id: CampaignId,
    task: Annotated[list[str] | None, typer.Option(help="Only this task; may be given again for further ones.")] = None,
    as_json: AsJson = False,
) -> None:
    """Queue tasks again that failed for good: all of the campaign's, or those named."""
    from serving.client.ours import queue_client
    from serving.settings import Settings
    from serving.telling import counted
    from serving.terminal import document, show

    with queue_client(Settings.read()) as client:
        redriven = client.redrive(campaign_id, task or None)
    told = {"campaign_id": campaign_id, "redriven": redriven}
    show(
        document(told)
        if as_json
        else f"{counted(redriven, 'task')} of {campaign_id} queued again, from the last checkpoint"
    )


@app.command(rich_help_panel=PANEL)
def predict(
    file: File,
    at: Annotated[
        str | None, typer.Option(help="The moment asked about, ISO 8601 with offset; now by default.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show what each feature adds.")] = False,
    as_json: AsJson = False,
) -> None:
    """Score campaigns, whether submitted or not."""
    import asyncio

    from serving.api.answers import Explanations, Predictions
    from serving.api.bodies import moment_of
    from serving.client.ours import priority_client
    from serving.files import campaign_of, submissions_of
    from serving.settings import Settings
    from serving.terminal import because, console, document, predictions_table, show

    campaigns = [campaign_of(each) for each in submissions_of(file)]
    moment = None if at is None else moment_of(at)

    async def ask() -> Predictions | Explanations:
        async with priority_client(Settings.read()) as client:
            return await (client.explain(campaigns, moment) if explain else client.predict(campaigns, moment))

    answers = asyncio.run(ask())
    show(document(answers) if as_json else predictions_table(answers))
    if isinstance(answers, Explanations) and not as_json:
        show(because(answers, console().width))


def run() -> None:
    """Run a command by itself; a failure is one sentence on standard error and a named exit code."""
    from serving.errors import PrecedenceError

    try:
        app()
    except PrecedenceError as error:
        typer.echo(f"precedence: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    run()
