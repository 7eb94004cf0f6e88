"""A load generator that costs a server's core next to nothing: raw HTTP/1.1 over kept connections, one process.

Run as a process of its own, given a JSON document on standard input, it prints what it measured as one.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[3])

_TOP = Path(__file__).parents[3]


@dataclass(frozen=True)
class Asked:
    """What is asked: bodies one after the other, over so many connections, for so many seconds or requests."""

    port: int
    path: str
    bodies: Sequence[str]
    connections: int = 8
    seconds: float | None = None
    requests: int | None = None


@dataclass(frozen=True)
class Answered:
    """What came of it; latencies in milliseconds."""

    requests: int
    failed: int
    per_second: float
    p50_ms: float
    p99_ms: float
    most_ms: float


def measured(asked: Asked) -> Answered:
    """Ask from another process."""
    command = [sys.executable, str(Path(__file__))]
    told = subprocess.run(
        command, input=json.dumps(asdict(asked)), capture_output=True, text=True, check=True, cwd=_TOP
    ).stdout
    return Answered(**json.loads(told))


class _Connection(asyncio.Protocol):
    """Asks again as soon as it was answered."""

    def __init__(self, load: _Load) -> None:
        self.load = load
        self.buffer = b""
        self.awaited = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        if self.load.over():
            self.transport.close()
            return
        self.sent = time.perf_counter()
        self.transport.write(next(self.load.messages))  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.buffer = self.buffer + data if self.buffer else data
        if self.awaited < 0:
            ends = self.buffer.find(b"\r\n\r\n")
            if ends < 0:
                return
            head = self.buffer[:ends].lower()
            at = head.find(b"content-length:")
            self.awaited = ends + 4 + int(head[at + 15 :].split(b"\r", 1)[0])
            self.load.failed += self.buffer[9:12] != b"200"
        if len(self.buffer) < self.awaited:
            return
        self.load.took.append(time.perf_counter() - self.sent)
        self.buffer, self.awaited = b"", -1
        self.ask()

    def connection_lost(self, _: Exception | None) -> None:
        self.load.open -= 1
        if not self.load.over():
            self.load.failed += 1
        if not self.load.open:
            self.load.done.set_result(None)


class _Load:
    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        head = f"POST {asked.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        self.messages = cycle(
            [f"{head}Content-Length: {len(body.encode())}\r\n\r\n{body}".encode() for body in asked.bodies]
        )
        self.took: list[float] = []
        self.failed = 0
        self.open = asked.connections
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.begun = time.perf_counter()

    def over(self) -> bool:
        asked = self.asked
        if asked.requests is not None:
            return len(self.took) + self.asked.connections > asked.requests + self.open
        return time.perf_counter() - self.begun > (asked.seconds or 1.0)


async def _asked(asked: Asked) -> Answered:
    load = _Load(asked)
    loop = asyncio.get_running_loop()
    await asyncio.gather(
        *(loop.create_connection(lambda: _Connection(load), "127.0.0.1", asked.port) for _ in range(asked.connections))
    )
    await load.done
    lasted = time.perf_counter() - load.begun
    took = sorted(load.took)

    def quantile(share: float) -> float:
        return 1e3 * took[min(int(share * len(took)), len(took) - 1)]

    return Answered(len(took), load.failed, len(took) / lasted, quantile(0.5), quantile(0.99), quantile(1.0))


if __name__ == "__main__":
    import uvloop

    print(json.dumps(asdict(uvloop.run(_asked(Asked(**json.load(sys.stdin)))))))
