"""The services of the demonstration: started as a user would start them, killed as nobody wants it, gone at the end."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from serving.errors import ServiceUnreachable
from serving.serve import START_S, STOP_S, Service, answers, tied_command, url_of
from serving.settings import Settings

_PAUSE_S = 0.1


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Running:
    """One service in a process of its own, which ends with this process whatever happens to it.

    Parameters
    ----------
    log : file its output is appended to.
    wait : called with seconds to let pass.
    """

    def __init__(self, service: Service, settings: Settings, log: Path, wait: Callable[[float], None]) -> None:
        self.service, self.url = service, url_of(service, settings)
        self._settings, self._log, self._wait = settings, log, wait
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; `until_ready` waits until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                tied_command(self.service),
                env={**os.environ, **self._settings.environment()},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )

    def until_ready(self) -> None:
        """Wait until it answers.

        Raises
        ------
        ServiceUnreachable
            When it does not in time, or its process ends.
        """
        for _ in range(int(START_S / _PAUSE_S)):
            if self._process is not None and self._process.poll() is not None:
                raise ServiceUnreachable(self.url, f"the {self.service} service ended at start, see {self._log}")
            if answers(self.url):
                return
            self._wait(_PAUSE_S)
        raise ServiceUnreachable(self.url, f"the {self.service} service did not answer within {START_S:g} s")

    def kill(self) -> None:
        """`kill -9`: at once and unwarned."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def stop(self) -> None:
        """Ask it to end, and kill it if it has not within a grace period."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.communicate(timeout=STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()


@contextmanager
def running(settings: Settings, logs: Path, wait: Callable[[float], None]) -> Iterator[dict[Service, Running]]:
    """Both services, answering, and gone when the context ends, however it ends.

    Parameters
    ----------
    logs : directory their output goes to.
    wait : called with seconds to let pass.
    """
    services = {service: Running(service, settings, logs / f"{service}.log", wait) for service in Service}
    try:
        for service in services.values():
            service.start()
        for service in services.values():
            service.until_ready()
        yield services
    finally:
        for service in services.values():
            service.stop()
