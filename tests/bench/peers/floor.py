"""The least that a Python server can do for a prediction: Starlette and msgspec on uvloop, nothing else.

The same reading, look-up, prediction and encoding as ours, without metrics, log, timeout or fallback. Run as a process:
`floor.py BUNDLE PORT`.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[3])

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from serving.api.answers import Predictions
from serving.api.bodies import Asked
from serving.hot.schema import struct_of
from serving.model import Bundle


def app(directory: Path) -> Starlette:
    """Two routes: the prediction, and whether it is ready."""
    bundle = Bundle.load(directory)
    decode = msgspec.json.Decoder(struct_of(Asked)).decode
    encode = msgspec.json.Encoder().encode

    async def predict(request: Request) -> Response:
        asked = decode(await request.body())
        answers = bundle.predict(asked.campaigns, asked.at)
        answer = Predictions(model=bundle.identity, predictions=tuple(answers))
        return Response(encode(answer), media_type="application/json")

    async def ready(_: Request) -> Response:
        return PlainTextResponse("\n")

    return Starlette(routes=[Route("/predict", predict, methods=["POST"]), Route("/readyz", ready)])


if __name__ == "__main__":
    uvicorn.run(
        app(Path(sys.argv[1])),
        port=int(sys.argv[2]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
