"""Aggregates of one moment, kept so that looking them up takes the same few steps however many there are.

Each table has a row a label, a column an aggregate, and a last row for what was never seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Any, Self

import numpy as np

from features.aggregates import OF_TARGETS, TARGET_ENTITIES
from features.curves import Floats
from features.ledgers import Entity


@dataclass(frozen=True, eq=False)
class Kept:
    """What is known of one entity that campaigns have in common: a kind, a channel, the market."""

    rows: Mapping[str, int]
    values: Floats

    @classmethod
    def of(cls, labels: Sequence[str], known: Floats) -> Self:
        """As declared, shape (aggregates, labels and a last one for those never seen)."""
        return cls({label: row for row, label in enumerate(labels)}, np.ascontiguousarray(known.T))

    def one(self, label: str) -> list[float]:
        """Its aggregates, as plain numbers."""
        return self._plain[self.rows.get(label, -1)]

    def many(self, labels: Sequence[str]) -> Floats:
        """Their aggregates, shape (aggregates, labels)."""
        return self.values.take(list(map(self.rows.get, labels, repeat(len(self.rows)))), axis=0).T

    def table(self) -> tuple[Sequence[str], Floats]:
        """What it was made of: labels, and a row each and one more."""
        return list(self.rows), self.values

    @cached_property
    def _plain(self) -> list[list[float]]:
        plain: list[list[float]] = self.values.tolist()
        return plain


@dataclass(frozen=True, eq=False)
class KeptTargets:
    """What is known of targets, by channel: all there is about one in a channel as the bytes of its numbers.

    Of a million targets each lies elsewhere in memory, and fetching is what takes time: from a text to its numbers it
    is the fewest steps this way. What did nothing in the channel asked about is found `elsewhere`.
    """

    in_channel: Mapping[str, Mapping[str, bytes]]
    elsewhere: Mapping[str, bytes]
    unseen: bytes

    @classmethod
    def of(cls, labels: Mapping[Entity, Sequence[str]], known: Mapping[Entity, Floats]) -> Self:
        """By entity as declared, shape (aggregates, labels and a last one for those never seen)."""
        of_channel, of_target = (np.ascontiguousarray(known[entity].T) for entity in TARGET_ENTITIES)
        idle = of_channel[-1].tobytes()
        own = {target: (target, row.tobytes()) for target, row in zip(labels[Entity.TARGET], of_target, strict=False)}
        never = of_target[-1].tobytes()
        in_channel: dict[str, dict[str, bytes]] = {}
        for text, row in zip(labels[Entity.TARGET_IN_CHANNEL], of_channel, strict=False):
            did = row.tobytes()
            # A channel may hold a slash as well: wherever one stands, it may end.
            for ends in (place for place, letter in enumerate(text) if letter == "/"):
                # The text of the target is the same object in both tables: it is fetched once.
                target, earns = own.get(text[ends + 1 :], (text[ends + 1 :], never))
                in_channel.setdefault(text[:ends], {})[target] = did + earns
        return cls(in_channel, {target: idle + earns for target, earns in own.values()}, idle + never)

    def many(self, channels: Sequence[str], targets: Sequence[str]) -> Floats:
        """Aggregates of targets, each in a channel, shape (`OF_TARGETS`, targets)."""
        rows: list[bytes | None]
        if len(set(channels)) == 1:  # of one campaign, or several of a channel
            rows = list(map(self.in_channel.get(channels[0], _NOBODY).get, targets))
        else:
            there = self.in_channel.get
            rows = [there(channel, _NOBODY).get(target) for channel, target in zip(channels, targets, strict=True)]
        if None in rows:
            other, unseen = self.elsewhere.get, self.unseen
            rows = [row or other(target, unseen) for row, target in zip(rows, targets, strict=True)]
        return np.ascontiguousarray(_numbers(rows).T)

    def tables(self) -> Iterator[tuple[Entity, Sequence[str], Floats]]:
        """What it was made of: labels, and a row each and one more."""
        there = {
            f"{channel}/{target}": row for channel, all_ in self.in_channel.items() for target, row in all_.items()
        }
        for entity, rows, columns in zip(TARGET_ENTITIES, (there, self.elsewhere), (_DID, _EARNS), strict=True):
            yield entity, list(rows), _numbers([*rows.values(), self.unseen])[:, columns]


_NOBODY: Mapping[str, bytes] = {}
_DID = slice(sum(aggregate.entity == Entity.TARGET_IN_CHANNEL for aggregate in OF_TARGETS))
_EARNS = slice(_DID.stop, None)


def _numbers(rows: Iterable[Any]) -> Floats:
    """The numbers of rows of bytes, shape (rows, `OF_TARGETS`)."""
    return np.frombuffer(b"".join(rows)).reshape(-1, len(OF_TARGETS))
