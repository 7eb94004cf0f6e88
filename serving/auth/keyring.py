"""The file that tokens are kept in: read anew whenever it changed, so that tokens come and go without a restart."""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from serving.auth.tokens import Token
from serving.errors import SettingInvalid, TokenUnknown

log = logging.getLogger(__name__)

_TOKENS: TypeAdapter[tuple[Token, ...]] = TypeAdapter(tuple[Token, ...])
_Stamp = tuple[int, int, int]


class Keyring:
    """The tokens of an installation.

    A file that once was there and is gone, or cannot be read any more, changes nothing: who was refused before must not
    be let in by a disk that is full.

    Raises
    ------
    SettingInvalid
        When the file is no list of tokens; later on that only lets nobody else in.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stamp: _Stamp | None = None
        self._tokens: dict[str, Token] | None = None
        if file.exists():
            self._read()

    def tokens(self) -> Mapping[str, Token] | None:
        """Every token by its id, oldest first, those revoked included; None as long as none was ever made."""
        try:
            found = os.stat(self._file)  # noqa: PTH116 - every request asks, and a path takes longer
        except OSError:
            return self._tokens
        stamp = found.st_mtime_ns, found.st_size, found.st_ino
        if stamp != self._stamp:
            try:
                self._tokens = self._read()
            except SettingInvalid as error:
                self._tokens = self._tokens or {}
                log.error("tokens_unreadable", extra={"reason": str(error)})  # noqa: TRY400 - the sentence says it
            self._stamp = stamp
        return self._tokens

    def add(self, token: Token) -> None:
        """Keep a token more."""
        with self._locked():
            self._write({**self._read(), token.token_id: token})

    def revoke(self, token_id: str, at: datetime) -> Token:
        """Let a token open nothing from now on; one that is revoked stays so.

        Raises
        ------
        TokenUnknown
        """
        with self._locked():
            tokens = self._read()
            if token_id not in tokens:
                raise TokenUnknown(token_id, sorted(tokens))
            token = tokens[token_id]
            tokens[token_id] = token if token.revoked_at else replace(token, revoked_at=at)
            self._write(tokens)
            return tokens[token_id]

    def _read(self) -> dict[str, Token]:
        try:
            document = json.loads(self._file.read_bytes())
            tokens = _TOKENS.validate_python(document["tokens"])
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError) as error:
            # What stands in the file stays in it: the error may quote it.
            why = f"{error.error_count()} faults" if isinstance(error, ValidationError) else type(error).__name__
            allowed = f"must be readable, as 'precedence token' wrote it ({why})"
            raise SettingInvalid("tokens_file", str(self._file), allowed) from None
        return {token.token_id: token for token in tokens}

    def _write(self, tokens: Mapping[str, Token]) -> None:
        """Replace the file at once: whoever reads it meanwhile finds the old one or the new one."""
        document = {"tokens": _TOKENS.dump_python(tuple(tokens.values()), mode="json")}
        new = self._file.with_suffix(".new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
        new.replace(self._file)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time: two that read the same file would each forget the other's token."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._file.with_suffix(".lock"), os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)
