"""Reads the body of a prediction by msgspec, or says that it is in doubt; a refusal is never worded here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, cast

import msgspec

from features.records import Campaign
from serving.api.bodies import MOST_CAMPAIGNS, Asked
from serving.hot.schema import struct_of
from serving.prediction import NOBODY_BEGAN, Headway

_FINER = re.compile(rb":\d\d\.\d{7}")
"""Seconds with more digits than a microsecond has: one reader rounds them, the other cuts them off."""

_HIDDEN = (b"\\u002", b"\\u003")
"""Digits, points and colons as escapes, which would hide such seconds."""

PART = 1_000
"""Campaigns of a batch that are in memory as records at once."""


@dataclass(frozen=True)
class Batch:
    """A body that is read part by part; `count` campaigns in all."""

    count: int
    at: datetime | None
    progress: Mapping[str, Headway]
    parts: Iterator[Sequence[Campaign] | None]
    """Campaigns in their order; None instead of a part that is in doubt."""


class Reader:
    """Reads what the ordinary reader reads, to equal values, or nothing."""

    def __init__(self) -> None:
        asked = struct_of(Asked)
        types = {field.name: field.type for field in msgspec.structs.fields(asked)}
        raw = Annotated[tuple[msgspec.Raw, ...], msgspec.Meta(max_length=MOST_CAMPAIGNS)]
        outer: list[Any] = [("campaigns", raw), ("at", types["at"], None), ("progress", types["progress"], None)]
        self._decode = msgspec.json.Decoder(asked).decode
        self._decode_outer = msgspec.json.Decoder(
            msgspec.defstruct("Outer", outer, frozen=True, forbid_unknown_fields=True)
        ).decode
        self._decode_part = msgspec.json.Decoder(types["campaigns"]).decode

    def read(self, body: bytes) -> Asked | None:
        """The campaigns asked about; None in any doubt, and the ordinary route then answers or refuses."""
        return cast("Asked | None", self._decoded(self._decode, body))

    def batch(self, body: bytes) -> Batch | None:
        """The same for a body of many campaigns, of which few shall be in memory at once."""
        outer = self._decoded(self._decode_outer, body)
        if outer is None:
            return None
        if outer.progress:  # which has to be compared with all ids
            asked = self.read(body)
            if asked is None:
                return None
            whole = asked.campaigns
            parts: Iterator[Sequence[Campaign] | None] = (whole[n : n + PART] for n in range(0, len(whole), PART))
            return Batch(len(whole), asked.at, asked.progress or NOBODY_BEGAN, parts)
        return Batch(len(outer.campaigns), outer.at, NOBODY_BEGAN, self._parts(outer.campaigns))

    def _parts(self, campaigns: Sequence[msgspec.Raw]) -> Iterator[Sequence[Campaign] | None]:
        for first in range(0, len(campaigns), PART):
            joined = b",".join(campaigns[first : first + PART])
            try:
                yield self._decode_part(b"[" + joined + b"]")
            except (msgspec.DecodeError, ValueError, RecursionError):
                yield None

    @staticmethod
    def _decoded(decode: Any, body: bytes) -> Any:
        if _FINER.search(body) or any(escape in body for escape in _HIDDEN):
            return None
        try:
            return decode(body)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None
