"""The line of succession at a start: who answers when the champion cannot be had, and what the answers say of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from features.matrix import Matrix
from serving.errors import PrecedenceError
from serving.model import Bundle, MatrixInDollars, MatrixModel, Model
from serving.model.storage import META
from serving.registry import shelf
from serving.registry.alias import Named

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Line:
    """Whoever can answer without a registry, best first.

    Attributes
    ----------
    uri : of the registry, whose bundles alone stand in for its champion.
    cache_dir : where bundles that served well are kept.
    packed : the directory of a bundle that came with this installation; None where none did.
    fitted : a loaded bundle as this service wants it: its matrix, how old its snapshot may be.
    """

    uri: str
    cache_dir: Path
    packed: Path | None
    matrix: Matrix
    fitted: Callable[[Bundle], Bundle]

    def next(self, reason: str, champion: Path | None = None) -> Model:
        """The first who can answer in the champion's place, which cannot for a `reason`.

        Parameters
        ----------
        champion : the directory of the champion's bundle, if it is here but cannot be used.
        """
        for directory, version in self._bundles():
            try:
                bundle = self.fitted(_versioned(Bundle.load(directory), version))
            except PrecedenceError as error:
                log.warning("bundle_passed_over", extra={"directory": str(directory), "reason": str(error)})
                continue
            said = f"version {version}" if version else "the bundle packed with this service"
            return replace(bundle, stands_in=f"{reason}; answered by {said} in its place")
        maps = [directory for directory, _ in self._bundles()]
        for place in maps if champion is None else [champion, *maps]:
            try:
                return MatrixInDollars.of(place, self.matrix, reason)
            except PrecedenceError as error:
                log.warning("map_passed_over", extra={"directory": str(place), "reason": str(error)})
        return MatrixModel(reason, self.matrix)

    def good(self, named: Named) -> None:
        """Remember that a version serves well."""
        shelf.note(self.cache_dir, self.uri, named)

    def _bundles(self) -> Iterator[tuple[Path, str | None]]:
        """Directories of the bundles there are with their versions: the last good, then the one packed."""
        last = shelf.noted(self.cache_dir, self.uri)
        if last is not None:
            try:
                yield shelf.bundle_in(shelf.place(self.cache_dir, last), last), last.version
            except PrecedenceError as error:
                log.warning("bundle_passed_over", extra={"version": last.version, "reason": str(error)})
        if self.packed is not None and (self.packed / META).is_file():
            yield self.packed, None


def _versioned(bundle: Bundle, version: str | None) -> Bundle:
    return bundle if version is None else bundle.versioned(version)
