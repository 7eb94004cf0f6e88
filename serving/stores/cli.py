"""Commands about the database that keeps queue and log: `precedence db`."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="The database that keeps queue and log.", no_args_is_help=True)


@app.command()
def upgrade(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False) -> None:
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
