"""Decides whether a request may pass, from its headers and where it came in; answers, never raises."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from serving.addresses import is_loopback
from serving.auth.keyring import Keyring
from serving.auth.scopes import Scope, covered
from serving.auth.throttle import PerMinute
from serving.auth.tokens import id_of
from serving.errors import AskedFromElsewhere, AskedTooFast, NobodyMayAsk, NotAllowed, PrecedenceError, TokenRefused

Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and all that they may."""

    token_id: str
    name: str
    may: frozenset[Scope]


ANYBODY = Caller("", "anybody", frozenset(Scope))
"""Who asks where there are no tokens."""
NOBODY = Caller("", "nobody", frozenset())
"""Who asks for what is open, without a good token."""


class Gate:
    """The one place that lets requests in.

    Parameters
    ----------
    per_min : requests of one token a minute of the wall clock; None for any number.
    anybody : whether those from other machines may ask while there are no tokens.
    now_s : seconds that only ever grow.
    """

    def __init__(
        self,
        keyring: Keyring,
        per_min: float | None = None,
        *,
        anybody: bool = False,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keyring, self._anybody, self._now_s = keyring, anybody, now_s
        self._pace = None if per_min is None else PerMinute(per_min)

    def admit(self, asked: Mapping[str, Any], needs: Scope | None) -> Caller | PrecedenceError:
        """Who asks, or why they may not.

        Parameters
        ----------
        asked : an ASGI scope, of which `headers` and `server` are read (the address it came in at).
        needs : the scope of the route, None for an open one: whoever asks there is anybody at most.
        """
        caller = self._who(asked)
        if needs is None:
            return caller if isinstance(caller, Caller) else NOBODY
        if isinstance(caller, PrecedenceError):
            return caller
        if needs not in caller.may:
            return NotAllowed(caller.name, needs, sorted(caller.may))
        return self._too_fast(caller) or caller

    def _who(self, asked: Mapping[str, Any]) -> Caller | PrecedenceError:
        headers = asked["headers"]
        if not self._keyring.is_there:
            return ANYBODY if self._anybody else _without_tokens(asked)
        secret = _bearer(headers)
        token = None if secret is None else self._keyring.good(id_of(secret))
        if secret is None or token is None or not token.is_of(secret):
            return TokenRefused(given=secret is not None)
        return Caller(token.token_id, token.name, covered(token.scopes))

    def _too_fast(self, caller: Caller) -> AskedTooFast | None:
        if self._pace is None:
            return None
        now_s = self._now_s()
        over_s = self._pace.over_s(caller.token_id, now_s)
        if over_s > 0:
            return AskedTooFast(caller.name, self._pace.per_min, over_s)
        self._pace.count(caller.token_id, now_s)
        return None


def _bearer(headers: Headers) -> bytes | None:
    kind, _, secret = _header(headers, b"authorization").partition(b" ")
    return secret.strip() or None if kind.lower() == b"bearer" else None


def _header(headers: Headers, wanted: bytes) -> bytes:
    return next((value for name, value in headers if name == wanted), b"")


def _without_tokens(asked: Mapping[str, Any]) -> Caller | PrecedenceError:
    """Anybody, if the request came in at loopback, under its name, and not on behalf of a page from elsewhere.

    Such a page reaches loopback too, since it is the user's own browser that asks: it then says whose page that is in
    `Origin`, or, if the page had a name of its own point here, says that name in `Host`.
    """
    server, headers = asked.get("server"), asked["headers"]
    host = _header(headers, b"host").decode("latin-1")
    if server is None or not is_loopback(server[0]) or not is_loopback(_without_port(host)):
        return NobodyMayAsk()
    origin = _header(headers, b"origin").decode("latin-1")
    if origin and origin.partition("://")[2] != host:
        return AskedFromElsewhere(origin)
    return ANYBODY


def _without_port(host: str) -> str:
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
