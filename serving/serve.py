"""Runs the services: one in this process, or each in a process of its own under a parent that ends with them."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from enum import StrEnum

import httpx

from serving.addresses import reached_at
from serving.errors import ServiceEnded, ServiceUnreachable, SettingInvalid
from serving.logs import log_to_stderr
from serving.settings import Settings
from serving.starting import Starting

log = logging.getLogger(__name__)

START_S, STOP_S = 120.0, 20.0
"""How long services may take to answer first, and to end when asked."""


class Service(StrEnum):
    """The services by the names of the command line."""

    PRIORITY = "priority"
    SCHEDULER = "scheduler"


def port_of(service: Service, settings: Settings) -> int:
    """The port a service listens on."""
    return settings.priority_port if service is Service.PRIORITY else settings.scheduler_port


def url_of(service: Service, settings: Settings) -> str:
    """Where a service answers."""
    scheme = "http" if settings.tls_certificate is None else "https"
    return f"{scheme}://{reached_at(settings.host)}:{port_of(service, settings)}"


def tied_command(service: Service) -> list[str]:
    """The command that serves one service until its standard input ends."""
    return [sys.executable, "-m", "serving.cli", "serve", "--only", service, "--tied"]


def serve_one(service: Service, settings: Settings, *, tied: bool) -> None:
    """Serve in this process until it is told to end. A single process: killing it leaves nothing behind.

    Parameters
    ----------
    tied : end also when standard input ends, as it does when the parent is gone.

    Raises
    ------
    SettingInvalid
        When something listens on its port already.
    PrecedenceError
        What its start failed of.
    """
    os.environ.update(settings.environment())
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    if not any(name.startswith("OTEL_") or name == "BENTOML_CONFIG" for name in os.environ):
        # Nobody is named to whom traces could be sent: making them costs every request a fifth of its time.
        os.environ["OTEL_SDK_DISABLED"] = "true"
    with tempfile.TemporaryDirectory(prefix="precedence-metrics-") as metrics:
        # BentoML's services would otherwise share a directory for their metrics, and empty it at every start.
        # Set before anything is imported that counts: it looks there once.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
        _check(settings, schedules=service is Service.SCHEDULER)
        listener = _listener(service, settings)
        if service is Service.PRIORITY and settings.priority_workers > 1:
            _serve_with_workers(settings, listener, tied=tied)
        else:
            if tied:
                threading.Thread(target=_end_with_parent, daemon=True).start()
            _serve_here(service, settings, listener)


def serve_both(settings: Settings, ready: Callable[[], None]) -> None:
    """Serve each in a process of its own, call `ready` once both answer, and end both when either or this one ends.

    Raises
    ------
    SettingInvalid
        When something listens on a port already.
    ServiceEnded, ServiceUnreachable
        When one ends by itself, or does not come up in time.
    """
    _check(settings, schedules=True)
    for service in Service:
        _listener(service, settings).close()
    with _stopped_by_signals() as stopping, ExitStack() as started:
        children = {service: started.enter_context(_child(service, settings)) for service in Service}
        _wait(
            lambda: all(answers(url_of(service, settings)) for service in Service),
            children,
            settings,
            stopping,
            START_S,
        )
        if not stopping.is_set():
            ready()
        _wait(lambda: False, children, settings, stopping, None)


def _listener(service: Service, settings: Settings) -> socket.socket:
    port = port_of(service, settings)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, port))
    except OSError as error:
        listener.close()
        raise SettingInvalid(f"{service}_port", port, f"must be a port that is free ({error.strerror})") from error
    return listener


def _check(settings: Settings, *, schedules: bool) -> None:
    from serving.wiring import check  # noqa: PLC0415 - see where metrics are kept

    check(settings, schedules=schedules)


def _serve_here(service: Service, settings: Settings, listener: socket.socket) -> None:
    # Imported here: it takes seconds, and a parent process needs none of it.
    import uvicorn  # noqa: PLC0415

    from serving.joined import Joining  # noqa: PLC0415
    from serving.service import application  # noqa: PLC0415

    log_to_stderr()
    served = Starting(application(service))
    # What start-up made lives as long as the process: no collection need go over it again and hold up an answer.
    gc.collect()
    gc.freeze()
    config = uvicorn.Config(
        served,
        log_config=None,
        access_log=False,  # BentoML keeps its own
        server_header=False,
        http=Joining if service is Service.PRIORITY else "auto",
        timeout_graceful_shutdown=10,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )
    # uvicorn ends on a signal and then raises it again; what is open here is to be closed first.
    with closing(listener), _stopped_by_signals():
        try:
            uvicorn.Server(config).run(sockets=[listener])
        except SystemExit:
            if served.failure is None:
                raise
        if served.failure is not None:
            raise served.failure


def _serve_with_workers(settings: Settings, listener: socket.socket, *, tied: bool) -> None:
    """Let BentoML's own server keep several workers; it takes the port itself."""
    listener.close()
    command = [sys.executable, "-m", "bentoml", "serve", "serving.service:Priority"]
    address = ["--host", settings.host, "--port", str(settings.priority_port)]
    if settings.tls_certificate is not None:
        address += ["--ssl-certfile", str(settings.tls_certificate), "--ssl-keyfile", str(settings.tls_key)]
    with tempfile.TemporaryDirectory(prefix="precedence-bentoml-") as home:
        workers = f"services.Priority.workers={settings.priority_workers}"
        environment = {**os.environ, "BENTOML_HOME": home, "BENTOML_CONFIG_OPTIONS": workers}
        with _stopped_by_signals() as stopping, _process([*command, *address], environment) as server:
            if tied:
                threading.Thread(target=_end_with_parent, daemon=True).start()
            while server.poll() is None and not stopping.wait(0.2):
                pass


def _end_with_parent() -> None:
    """Ask this process to end when whoever holds the other end of its standard input does."""
    with suppress(OSError, ValueError):
        while os.read(sys.stdin.fileno(), 1024):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _child(service: Service, settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    with _process(tied_command(service), {**os.environ, **settings.environment()}, stdin=subprocess.PIPE) as child:
        yield child


@contextmanager
def _process(
    command: Sequence[str], environment: dict[str, str], stdin: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is gone when the context ends, killed if it does not end when asked."""
    process = subprocess.Popen(command, env=environment, stdin=stdin)  # noqa: S603 - our own command
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set, instead of ending this process half-way."""
    stopping = threading.Event()
    before = {number: signal.signal(number, lambda *_: stopping.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(
    until: Callable[[], bool],
    children: dict[Service, subprocess.Popen[bytes]],
    settings: Settings,
    stopping: threading.Event,
    deadline_s: float | None,
) -> None:
    ends = None if deadline_s is None else time.monotonic() + deadline_s
    while not stopping.wait(0.1) and not until():
        for service, child in children.items():
            if child.poll() is not None:
                raise ServiceEnded(service, child.returncode)
        if ends is not None and time.monotonic() > ends:
            raise ServiceUnreachable(settings.priority_url, f"the services did not answer within {deadline_s:g} s")


def answers(url: str) -> bool:
    """Whether a service is ready at this address."""
    try:
        # Nothing is told that others may not hear, and a certificate rarely names the address we look at.
        return httpx.get(f"{url}/readyz", timeout=2, verify=False).is_success  # noqa: S501
    except httpx.HTTPError:
        return False
