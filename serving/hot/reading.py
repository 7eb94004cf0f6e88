"""Reads the body of a prediction by msgspec, or says that it is in doubt; a refusal is never worded here."""

from __future__ import annotations

import re
from typing import cast

import msgspec

from serving.api.bodies import Asked
from serving.hot.schema import struct_of

_FINER = re.compile(rb":\d\d\.\d{7}")
"""Seconds with more digits than a microsecond has: one reader rounds them, the other cuts them off."""

_HIDDEN = (b"\\u002", b"\\u003")
"""Digits, points and colons as escapes, which would hide such seconds."""


class Reader:
    """Reads what the ordinary reader reads, to equal values, or nothing."""

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(struct_of(Asked)).decode

    def read(self, body: bytes) -> Asked | None:
        """The campaigns asked about; None in any doubt, and the ordinary route then answers or refuses."""
        if _FINER.search(body) or any(escape in body for escape in _HIDDEN):
            return None
        try:
            return cast("Asked", self._decode(body))
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None
