"""Tokens: made once, shown once, and kept only as a digest."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import sha256
from hmac import compare_digest
from typing import Annotated

from annotated_types import MaxLen, MinLen
from pydantic import AwareDatetime, ConfigDict, TypeAdapter, ValidationError

from features.records import Identifier
from serving.api.faults import faults_of
from serving.auth.scopes import Scope, covered
from serving.errors import BadInput

PREFIX = "prec"
"""Begins every token, so that people and scanners of source code know what they found."""

_ID_BYTES, _SECRET_BYTES = 4, 32


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and all that they may."""

    token_id: str
    name: str
    may: frozenset[Scope]


@dataclass(frozen=True, kw_only=True)
class Token:
    """A token as it is kept: nothing here opens anything.

    Attributes
    ----------
    token_id : the part that says which token it is; no secret.
    name : who uses it, for people.
    sha256 : hexadecimal digest of the whole token.
    """

    token_id: Annotated[str, MinLen(1)]
    name: Identifier
    scopes: Annotated[frozenset[Scope], MinLen(1)]
    sha256: Annotated[str, MinLen(64), MaxLen(64)]
    created_at: AwareDatetime
    revoked_at: AwareDatetime | None = None

    __pydantic_config__ = ConfigDict(extra="forbid")

    @cached_property
    def caller(self) -> Caller:
        """Who sends it."""
        return Caller(self.token_id, self.name, covered(self.scopes))

    def is_of(self, secret: bytes) -> bool:
        """Whether a secret is this token; takes as long whichever part of it is wrong."""
        return compare_digest(digest(secret), self.sha256)


TOKEN: TypeAdapter[Token] = TypeAdapter(Token)


def mint(name: str, scopes: frozenset[Scope], at: AwareDatetime) -> tuple[str, Token]:
    """A new token: its secret, to be shown once, and what is kept of it.

    Raises
    ------
    BadInput
        When the name is none.
    """
    token_id = secrets.token_hex(_ID_BYTES)
    secret = f"{PREFIX}_{token_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    token = Token(token_id=token_id, name=name, scopes=scopes, sha256=digest(secret.encode()), created_at=at)
    try:
        return secret, TOKEN.validate_python(asdict(token))
    except ValidationError as error:
        raise BadInput.of(faults_of(error)) from error


def digest(secret: bytes) -> str:
    """What is kept of a secret.

    One round of SHA-256, not argon2 or scrypt: those make guessing of passwords dear, and a secret of 256 random bits
    cannot be guessed at any price, while every request would pay for them.
    """
    return sha256(secret).hexdigest()


def id_of(secret: bytes) -> str:
    """Which token a secret says that it is; empty for what is none of ours."""
    prefix, _, rest = secret.partition(b"_")
    return rest.partition(b"_")[0].decode("latin-1") if prefix == PREFIX.encode() else ""
