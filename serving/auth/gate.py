"""Decides whether a request may pass, from its headers and where it came in; answers, never raises."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from serving.addresses import is_loopback
from serving.auth.keyring import Keyring
from serving.auth.scopes import Scope
from serving.auth.throttle import PerMinute
from serving.auth.tokens import Caller, id_of
from serving.errors import AskedFromElsewhere, AskedTooFast, NobodyMayAsk, NotAllowed, PrecedenceError, TokenRefused

_PASSED_ON = frozenset({b"forwarded", b"x-forwarded-for"})
READ = frozenset({b"authorization", b"host", b"origin"}) | _PASSED_ON
"""The headers that are looked at."""

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

    def admit(
        self, headers: Mapping[bytes, bytes], server: tuple[str, int | None] | None, needs: Scope | None
    ) -> Caller | PrecedenceError:
        """Who asks, or why they may not.

        Parameters
        ----------
        headers : by lower-case name; those of `READ` are read.
        server : the address that the request came in at, as ASGI tells it.
        needs : the scope of the route, None for an open one: whoever asks there is anybody at most.
        """
        caller = self._who(headers, server)
        if needs is None:
            return caller if isinstance(caller, Caller) else NOBODY
        if isinstance(caller, PrecedenceError):
            return caller
        if needs not in caller.may:
            return NotAllowed(caller.name, needs, sorted(caller.may))
        return caller if self._pace is None else self._too_fast(caller, self._pace) or caller

    def _who(self, headers: Mapping[bytes, bytes], server: tuple[str, int | None] | None) -> Caller | PrecedenceError:
        tokens = self._keyring.tokens()
        if tokens is None:
            return ANYBODY if self._anybody else _without_tokens(headers, server)
        secret = _bearer(headers)
        token = None if secret is None else tokens.get(id_of(secret))
        if secret is None or token is None or token.revoked_at is not None or not token.is_of(secret):
            return TokenRefused(given=secret is not None)
        return token.caller

    def _too_fast(self, caller: Caller, pace: PerMinute) -> AskedTooFast | None:
        now_s = self._now_s()
        over_s = pace.over_s(caller.token_id, now_s)
        if over_s > 0:
            return AskedTooFast(caller.name, pace.per_min, over_s)
        pace.count(caller.token_id, now_s)
        return None


def _bearer(headers: Mapping[bytes, bytes]) -> bytes | None:
    kind, _, secret = headers.get(b"authorization", b"").partition(b" ")
    return secret.strip() or None if kind.lower() == b"bearer" else None


def _without_tokens(headers: Mapping[bytes, bytes], server: tuple[str, int | None] | None) -> Caller | PrecedenceError:
    """Anybody, if the request came in at loopback, under its name, by no proxy, and for no page from elsewhere.

    Such a page reaches loopback too, since it is the user's own browser that asks: it then says whose page that is in
    `Origin`, or, if the page had a name of its own point here, says that name in `Host`.
    """
    host = headers.get(b"host", b"").decode("latin-1")
    local = server is not None and is_loopback(server[0]) and is_loopback(_without_port(host))
    if not local or not _PASSED_ON.isdisjoint(headers):
        return NobodyMayAsk()
    origin = headers.get(b"origin", b"").decode("latin-1")
    if origin and origin.partition("://")[2] != host:
        return AskedFromElsewhere(origin)
    return ANYBODY


def _without_port(host: str) -> str:
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
