"""Sending work to addresses of the web: to those allowed, and to nothing they only pretend to be."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import httpcore
import httpx

from serving.errors import shown_url
from serving.handlers.allowed import Allowed
from serving.handlers.contract import GiveUp

MOST_BYTES = 1_000_000
"""Of an answer: it says how far the work came, and holds none of it."""

_KEPT_OPEN_S = 5.0
"""Wall-clock seconds a connection without work is kept: many servers close theirs not much later."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses that a host name stands for."""


@dataclass(frozen=True)
class Answer:
    """What came back; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def resolved(host: str, port: int) -> list[str]:
    """The addresses that the system knows for a host name."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class Web:
    """Posts to allowed addresses.

    Whether an address may be reached is judged when it is connected to, on what its name stands for at that moment: a
    name that pointed elsewhere when the work was submitted helps nobody in. The certificate is still that of the name.
    Redirects are not followed, and proxies of the environment not used.

    Parameters
    ----------
    timeout_s : wall-clock seconds an answer may take in all.
    """

    def __init__(self, allowed: Allowed, *, timeout_s: float = 30.0, resolve: Resolve = resolved) -> None:
        self.allowed, self._timeout_s, self._resolve = allowed, timeout_s, resolve
        self._pool: httpcore.AsyncConnectionPool | None = None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post to a URL and return the answer, whatever it is.

        Raises
        ------
        ValueError
            When the URL is not allowed.
        GiveUp
            When its host stands for an address that is not.
        httpcore.NetworkError, httpcore.ProtocolError, TimeoutError, OSError
            When there is no answer in time, or too long a one.
        """
        scheme, host, port = self.allowed.origin_of(url)
        target = httpcore.URL(scheme=scheme, host=host, port=port, target=httpx.URL(url).raw_path)
        if self._pool is None:
            guard = _Guard(self.allowed, self._resolve)
            context = httpx.create_ssl_context()
            self._pool = httpcore.AsyncConnectionPool(
                context, max_connections=None, keepalive_expiry=_KEPT_OPEN_S, network_backend=guard
            )
        sent = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "precedence", **headers}
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._pool.stream("POST", target, headers=list(sent.items()), content=body) as answer,
            ):
                told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
                return Answer(answer.status, told, await _body(answer))
        except TimeoutError as error:
            raise TimeoutError(f"{shown_url(url)} did not answer within {self._timeout_s:g} s") from error

    async def close(self) -> None:
        """Close what is open."""
        if self._pool is not None:
            await self._pool.aclose()


async def _body(answer: httpcore.Response) -> bytes:
    received = bytearray()
    async for part in answer.aiter_stream():
        received += part
        if len(received) > MOST_BYTES:
            raise OSError(f"an answer must be at most {MOST_BYTES:,} bytes long")
    return bytes(received)


class _Guard(httpcore.AsyncNetworkBackend):
    """Connects to the address that was judged, and to no other that the name may stand for a moment later."""

    def __init__(self, allowed: Allowed, resolve: Resolve) -> None:
        self._allowed, self._resolve = allowed, resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await self._resolve(host, port)
        reached = [address for address in addresses if self._allowed.reaches(address, host)]
        if not reached:
            meant = ", ".join(addresses) or "nothing"
            raise GiveUp(f"{host} stands for {meant}: no address that is public or listed in http_allow")
        for address in reached[:-1]:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError:
                continue
        return await self._network.connect_tcp(reached[-1], port, timeout, local_address, socket_options)
