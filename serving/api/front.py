"""What a browser or a probe sees of a service first: a small page of its own, and whether it is ready."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from starlette.types import ASGIApp, Receive, Scope, Send


def page(title: str, says: str, links: Mapping[str, str]) -> str:
    """A page of links by what they lead to; it needs nothing from elsewhere.

    >>> "<a href='/docs.json'>" in page("Predictions", "What delay costs.", {"/docs.json": "OpenAPI"})
    True
    """
    items = "".join(f"<li><a href='{escape(path)}'>{escape(path)}</a> {escape(to)}</li>" for path, to in links.items())
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{escape(title)}</title>"
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:4em auto;padding:0 1em}"
        "li{margin:.3em 0}a{font-family:ui-monospace,monospace}</style></head>"
        f"<body><h1>{escape(title)}</h1><p>{escape(says)}</p><ul>{items}</ul></body></html>"
    )


class AnsweredByUs:
    """ASGI middleware: has our own application answer at some paths where BentoML would answer by itself.

    Parameters
    ----------
    ours : the application that answers there.
    paths : where it does.
    """

    def __init__(self, app: ASGIApp, ours: ASGIApp, paths: frozenset[str]) -> None:
        self._app, self._ours, self._paths = app, ours, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on to whom it is for."""
        mine = scope["type"] == "http" and scope["path"] in self._paths
        await (self._ours if mine else self._app)(scope, receive, send)
