"""The model that serves, watched against the registry's alias and replaced in one assignment."""

from __future__ import annotations

import logging
import shutil
import threading
from dataclasses import replace
from pathlib import Path

from serving.errors import PrecedenceError, RegistryUnreachable
from serving.model import Bundle, Card, Model
from serving.registry import champion_named, fetched, shelf
from serving.registry.alias import Named
from serving.succession.line import Line
from serving.succession.meters import Meters
from serving.succession.trial import example_of, tried

log = logging.getLogger(__name__)

_AGAIN = 12
"""After so many looks a champion that was refused is tried anew: what was broken may have been the way here."""


class Reign:
    """Holds the model that answers; whoever asks for it keeps it for the whole of a request.

    `look` asks the registry once and installs what it names, if that proves sound. `begin` looks first, then again
    and again in a thread, which `end` stops. Only one thread looks; any may read.
    """

    def __init__(self, line: Line, meters: Meters, poll_s: float) -> None:
        self._line, self._meters, self._poll_s = line, meters, poll_s
        self._model: Model | None = None
        self._named: Named | None = None
        self._refused: tuple[Named, str] | None = None
        self._looks_since = 0
        self._unreachable: str | None = None
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def model(self) -> Model:
        """The model that serves now."""
        if self._model is None:
            self.look()
        model = self._model
        assert model is not None  # noqa: S101 - `look` leaves one
        return model

    def card(self) -> Card:
        """What the model says of itself, and what keeps a newer one from serving."""
        refused = self._refused
        told = None if refused is None else f"version {refused[0].version}: {refused[1]}"
        return replace(self.model().card(), refused=told, registry=self._unreachable)

    def begin(self) -> None:
        """Install whoever can answer, and go on looking."""
        self.look()
        self._thread = threading.Thread(target=self._watch, name="succession", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Look no more."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(timeout=1.0)

    def look(self) -> None:
        """Ask the registry who is champion, and install it unless it serves already or is refused. Never raises."""
        try:
            named = champion_named(self._line.uri)
        except PrecedenceError as error:
            self._lost(str(error))
            return
        self._unreachable = None
        self._meters.reachable.set(1)
        if named == self._named:
            self._refused = None
            return
        if self._refused is not None and self._refused[0] == named:
            self._looks_since += 1
            if self._looks_since % _AGAIN:
                return
            shutil.rmtree(shelf.place(self._line.cache_dir, named), ignore_errors=True)
        self._install(named)

    def _watch(self) -> None:
        while not self._ending.wait(self._poll_s):
            try:
                self.look()
            except Exception:  # whatever it is, the model that serves goes on
                log.exception("look_failed")

    def _lost(self, reason: str) -> None:
        if self._unreachable != reason:
            log.warning("registry_lost", extra={"reason": reason})
        self._unreachable = reason
        self._meters.reachable.set(0)
        if self._model is None:
            self._crown(self._line.next(reason))

    def _install(self, named: Named) -> None:
        directory: Path | None = None
        try:
            directory = fetched(self._line.uri, named, self._line.cache_dir)
            bundle = self._line.fitted(Bundle.load(directory).versioned(named.version))
            passed = tried(bundle, self._model, example_of(directory))
        except RegistryUnreachable as error:
            self._lost(str(error))
            return
        except Exception as error:  # noqa: BLE001 - a bundle that is broken can raise anything
            self._refuse(named, directory, error)
            return
        self._named, self._refused = named, None
        self._crown(bundle)
        self._line.good(named)
        log.info(
            "champion_installed",
            extra={"version": named.version, "tried_on": passed.campaigns, "values_moved": passed.moved},
        )

    def _refuse(self, named: Named, directory: Path | None, error: Exception) -> None:
        reason = str(error) if isinstance(error, PrecedenceError) else f"{type(error).__name__}: {error}"
        log.warning("champion_refused", extra={"version": named.version, "reason": reason})
        self._meters.refused.inc()
        self._refused, self._looks_since = (named, reason), 0
        if self._model is None:
            self._crown(self._line.next(reason, champion=directory))

    def _crown(self, model: Model) -> None:
        self._model = model
        self._meters.installed(model.identity)
