"""The routes of the prediction API that schedulers call, over any model and without its service."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json

from serving.api.bodies import ASKED
from serving.model import Model

AT = datetime(2026, 3, 2, 5, tzinfo=UTC)
"""What time it is for those who do not say."""


class PredictionApi:
    """Answers, or refuses with a status; counts the calls."""

    def __init__(self, model: Model, refuses: int | None = None) -> None:
        self.model, self.refuses, self.calls = model, refuses, 0
        self.tokens: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for stage in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{stage}.complete"})
            return
        self.calls += 1
        self.tokens.append(dict(scope["headers"]).get(b"authorization", b"").decode())
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        if self.refuses:
            answer = json.dumps({"status": self.refuses, "detail": "refused"}).encode()
        else:
            answer = to_json(self.model.card()) if scope["path"] == "/model" else self._predicted(body)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": self.refuses or 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def _predicted(self, body: bytes) -> bytes:
        asked = ASKED.validate_json(body)
        predictions = self.model.predict(asked.campaigns, asked.at or AT)
        return to_json({"model": self.model.identity, "predictions": predictions})
