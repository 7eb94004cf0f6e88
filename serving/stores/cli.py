"""Commands about the database that keeps queue and log: `precedence db`."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

app = typer.Typer(help="The database that keeps queue and log.", no_args_is_help=True)


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document to standard output.")]


@app.command()
def upgrade(as_json: AsJson = False) -> None:
    """Make the tables in PRECEDENCE_STORE_URL, or bring those of an earlier build up to date.

    A SQLite file is brought up to date whenever it is opened; on a server, whose tables others may be using, only this
    does it. End all schedulers first.
    """
    from serving.settings import Settings
    from serving.stores.database import Database
    from serving.stores.engines import shown
    from serving.stores.schema import VERSION
    from serving.terminal import document, show
    from serving.wiring import make_home

    settings = Settings.read()
    make_home(settings)
    Database(settings.store_url, upgrade=True).close()
    told = {"store_url": shown(settings.store_url), "version": VERSION}
    show(document(told) if as_json else f"{told['store_url']} holds version {VERSION} of the tables")


@app.command()
def move(
    to: Annotated[str, typer.Option(metavar="URL", help="An empty PostgreSQL database; our tables are made there.")],
    as_json: AsJson = False,
) -> None:
    """Move the queue in PRECEDENCE_STORE_URL, with all that was logged, to a PostgreSQL database.

    End its scheduler first. All of it is moved, or nothing; the old database is left as it is, and refuses to be
    scheduled from then on.
    """
    from serving.crew import clock
    from serving.settings import Settings
    from serving.stores.engines import shown
    from serving.stores.moving import move as moved_to
    from serving.stores.sql import SqlStore
    from serving.telling import counted
    from serving.terminal import document, show

    settings = Settings.read()
    with closing(SqlStore(settings.store_url)) as store:
        at = clock(settings, store).now()
    moved = moved_to(settings.store_url, to, at)
    told = f"moved to {shown(to)}: {counted(moved['campaigns'], 'campaign')}, {counted(moved['tasks'], 'task')}"
    show(document({"store_url": shown(to), "rows": moved}) if as_json else told)
