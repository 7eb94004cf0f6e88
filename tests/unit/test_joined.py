"""An answer leaves in one piece."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from serving.joined import JoinedTransport


class Wire(asyncio.Transport):
    """A transport that keeps what is sent, piece by piece."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        assert not self.closed
        self.sent.append(data)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def wire() -> Wire:
    return Wire()


def test_what_is_written_in_one_turn_is_sent_in_one_piece(wire: Wire) -> None:
    async def answered() -> None:
        joined = JoinedTransport(wire, asyncio.get_running_loop())
        joined.write(b"head ")
        joined.write(b"body")
        await asyncio.sleep(0)
        joined.write(b"later")
        await asyncio.sleep(0)

    asyncio.run(answered())
    assert wire.sent == [b"head body", b"later"]


def test_what_was_written_is_sent_before_the_connection_closes(wire: Wire) -> None:
    async def answered() -> None:
        joined = JoinedTransport(wire, asyncio.get_running_loop())
        joined.write(b"last words")
        joined.close()
        await asyncio.sleep(0)

    asyncio.run(answered())
    assert (wire.sent, wire.closed) == ([b"last words"], True)


def test_all_else_is_the_transport_s_own(wire: Wire) -> None:
    async def asked() -> Any:
        return JoinedTransport(wire, asyncio.get_running_loop()).get_extra_info("peername")

    assert asyncio.run(asked()) == ("127.0.0.1", 1)
