"""Why a service did not start, told in one sentence instead of a stack of calls."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import PrecedenceError


class Starting:
    """ASGI middleware around a whole service: keeps the error of ours that its start failed of.

    Attributes
    ----------
    failure : None when it started, or failed of anything else, which the log then has in full.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.failure: PrecedenceError | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on but what was said of a start that failed."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        failed: list[Message] = []

        async def held_back(message: Message) -> None:
            # The application says what it failed of, as a stack of calls, before it raises it.
            if message["type"] == "lifespan.startup.failed":
                failed.append(message)
            else:
                await send(message)

        try:
            await self._app(scope, receive, held_back)
        except PrecedenceError as error:
            self.failure = error
            failed = [{"type": "lifespan.startup.failed", "message": ""}]
        finally:
            for message in failed:
                await send(message)
