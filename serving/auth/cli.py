"""Commands about tokens. A secret is shown once, on standard output; everything else goes to standard error."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from serving.auth.scopes import Scope

app = typer.Typer(help="Make, list and revoke the tokens that callers need.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document to standard output.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who will use it, such as a system or a person.")],
    scope: Annotated[list[Scope], typer.Option(help="What it is good for; may be given again for further scopes.")],
    as_json: AsJson = False,
) -> None:
    """Make a token and show it, this once: only its digest is kept."""
    from serving.auth.keyring import Keyring
    from serving.auth.tokens import mint
    from serving.clock import SystemClock
    from serving.settings import Settings
    from serving.terminal import document, show

    secret, token = mint(name, frozenset(scope), SystemClock().now())
    Keyring(Path(Settings.read().tokens_file)).add(token)
    told = {"token": secret, "token_id": token.token_id, "name": name, "scopes": sorted(token.scopes)}
    show(document(told) if as_json else secret)
    typer.echo(f"Keep it: it is not shown again. Revoke it with: precedence token revoke {token.token_id}", err=True)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List tokens without their secrets, oldest first."""
    from serving.auth.keyring import Keyring
    from serving.settings import Settings
    from serving.terminal import document, show, tokens_table

    tokens = tuple((Keyring(Path(Settings.read().tokens_file)).tokens() or {}).values())
    kept = [
        {
            "token_id": token.token_id,
            "name": token.name,
            "scopes": sorted(token.scopes),
            "created_at": token.created_at,
            "revoked_at": token.revoked_at,
        }
        for token in tokens
    ]
    show(document({"tokens": kept}) if as_json else tokens_table(tokens))


@app.command()
def revoke(token_id: Annotated[str, typer.Argument(metavar="ID", help="As 'token list' shows it.")]) -> None:
    """Let a token open nothing from now on; running services know it with their next request."""
    from serving.auth.keyring import Keyring
    from serving.clock import SystemClock
    from serving.settings import Settings

    token = Keyring(Path(Settings.read().tokens_file)).revoke(token_id, SystemClock().now())
    typer.echo(f"{token.token_id} of {token.name} opens nothing any more")
