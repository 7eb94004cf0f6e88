"""Who asks may not: no token, no good one, or one for other things."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from serving.errors.base import ExitCode, PrecedenceError
from serving.errors.overload import TooMuch


class TokenRefused(PrecedenceError):
    """A request without a token, or with one that opens nothing. Which part of it is wrong is not told."""

    status = HTTPStatus.UNAUTHORIZED
    exit_code = ExitCode.REFUSED
    title = "A token is needed"

    def __init__(self, *, given: bool) -> None:
        self.given = given
        reason = "the token is unknown or revoked" if given else "no token was sent"
        super().__init__(f"{reason}: send one as 'Authorization: Bearer TOKEN'; 'precedence token create' makes one")

    @property
    def headers(self) -> Mapping[str, str]:
        """The challenge, as RFC 6750 spells it."""
        why = ', error="invalid_token"' if self.given else ""
        return {"www-authenticate": f'Bearer realm="precedence"{why}'}


class NotAllowed(PrecedenceError):
    """A good token, for other things than what was asked."""

    status = HTTPStatus.FORBIDDEN
    exit_code = ExitCode.REFUSED
    title = "The token is not good for this"

    def __init__(self, name: str, needed: str, may: Sequence[str]) -> None:
        self.needed = needed
        super().__init__(
            f"this needs a token for {needed}: that of {name!r} is for {', '.join(may)}", needed=needed, may=list(may)
        )

    @property
    def headers(self) -> Mapping[str, str]:
        """The challenge, as RFC 6750 spells it."""
        challenge = f'Bearer realm="precedence", error="insufficient_scope", scope="{self.needed}"'
        return {"www-authenticate": challenge}


class NobodyMayAsk(PrecedenceError):
    """A request from elsewhere while there are no tokens yet."""

    status = HTTPStatus.FORBIDDEN
    exit_code = ExitCode.REFUSED
    title = "Only this machine may ask"

    def __init__(self) -> None:
        super().__init__(
            "there are no tokens yet, so only this machine may ask, by a loopback address or 'localhost':"
            " make one with 'precedence token create', or set PRECEDENCE_ALLOW_ANYBODY"
        )

    @property
    def headers(self) -> Mapping[str, str]:
        """That it is tokens which are lacking."""
        return {"www-authenticate": 'Bearer realm="precedence"'}


class AskedFromElsewhere(PrecedenceError):
    """A web page of somebody else has a browser ask."""

    status = HTTPStatus.FORBIDDEN
    exit_code = ExitCode.REFUSED
    title = "Asked from another page"

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"a page of {origin} may not ask: only pages of this service, and whatever is no browser", origin=origin
        )


class AskedTooFast(TooMuch):
    """A token is used more often a minute than it may be."""

    title = "Too many requests"

    def __init__(self, name: str, per_min: float, retry_after_s: float) -> None:
        super().__init__(
            f"{name!r} may ask {per_min:g} times a minute (requests_per_min)",
            retry_after_s,
            bound="requests_per_min",
            most=per_min,
        )


class TokenUnknown(PrecedenceError):
    """There is no token of this id."""

    exit_code = ExitCode.UNKNOWN
    title = "Unknown token"

    def __init__(self, token_id: str, known: Sequence[str]) -> None:
        super().__init__(f"there is no token {token_id!r}: known are {', '.join(known) or 'none'}", token_id=token_id)
