"""RabbitMQ, Redis and PostgreSQL: those that run here, else private ones from the installed binaries, else none.

`BENCH_RABBITMQ_URL`, `BENCH_REDIS_URL` and `BENCH_POSTGRES_URL` name others than the usual ones on this machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
from kombu import Connection
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

from tests.bench.peers.load import alive, until
from tests.integration.servers import free_port

RABBITMQ = "amqp://guest:guest@127.0.0.1:5672//"
REDIS = "redis://127.0.0.1:6379/0"
POSTGRES = "postgresql://127.0.0.1:5432/test"


def rabbitmq_version(url: str) -> str | None:
    """The version of the broker at an address, None where none answers."""
    try:
        with Connection(url, connect_timeout=2) as connection:
            connection.connect()
            said = connection.connection.server_properties["version"]
            return str(said)
    except (OSError, OperationalError):
        return None


def postgres_version(url: str) -> str | None:
    """The version of the database server at an address and how it commits, None where none answers."""
    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            names = ("server_version", "fsync", "synchronous_commit")
            version, fsync, commit = (shown(connection, name) for name in names)
            return f"{version} (fsync {fsync}, synchronous_commit {commit})"
    except psycopg.OperationalError:
        return None


def shown(connection: psycopg.Connection, name: str) -> str:
    """What a setting of the database server is set to."""
    row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
    return str(row[0]) if row else ""


@contextmanager
def rabbitmq() -> Iterator[str | None]:
    """The address of a broker, None if there is none to be had."""
    url = os.environ.get("BENCH_RABBITMQ_URL", RABBITMQ)
    # Debian's wrapper of that name in /usr/sbin writes where only the service's own log may go.
    binary = shutil.which("rabbitmq-server", path=f"/usr/lib/rabbitmq/bin:{os.environ.get('PATH', '')}")
    if rabbitmq_version(url) or not binary:
        yield url if rabbitmq_version(url) else None
        return
    port, distribution = free_port(), free_port()
    with private_directory() as directory:
        (directory / "rabbitmq.conf").write_text(f"listeners.tcp.local = 127.0.0.1:{port}\n")
        variables = {
            "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
            "RABBITMQ_NODENAME": f"bench{port}@localhost",
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_MNESIA_BASE": str(directory / "state"),
            "RABBITMQ_LOG_BASE": str(directory / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
            "HOME": str(directory),
        }
        url = f"amqp://guest:guest@127.0.0.1:{port}//"
        with server([binary], directory, variables, user=unprivileged("rabbitmq")) as running:
            until(
                lambda: alive([running], log_of(directory)) and rabbitmq_version(url) is not None,
                "a private RabbitMQ answers",
                0.5,
            )
            yield url


def postgresql_binaries() -> Path | None:
    """Where the programs of an installed PostgreSQL are, None where there is none."""
    places = ":".join(str(each / "bin") for each in sorted(Path("/usr/lib/postgresql").glob("*")))
    binary = shutil.which("postgres", path=f"{places}:{os.environ.get('PATH', '')}")
    return None if binary is None else Path(binary).parent


@contextmanager
def postgres() -> Iterator[str | None]:
    """The address of a database, None if there is none to be had."""
    url = os.environ.get("BENCH_POSTGRES_URL", POSTGRES)
    binaries = postgresql_binaries()
    if postgres_version(url) or not binaries:
        yield url if postgres_version(url) else None
        return
    port = free_port()
    with private_directory() as directory:
        data = directory / "data"
        initdb = [str(binaries / "initdb"), "-D", str(data), "-U", "bench", "-A", "trust"]
        subprocess.run(initdb, check=True, capture_output=True, user=unprivileged("postgres"))
        command = [
            str(binaries / "postgres"),
            "-D",
            str(data),
            "-p",
            str(port),
            "-h",
            "127.0.0.1",
            "-k",
            str(directory),
        ]
        url = f"postgresql://bench@127.0.0.1:{port}/postgres"
        with server(command, directory, {}, user=unprivileged("postgres")) as running:
            until(
                lambda: alive([running], log_of(directory)) and postgres_version(url) is not None,
                "a private PostgreSQL answers",
                0.2,
            )
            yield url


def redis_answers(url: str) -> bool:
    """Whether a Redis answers at an address."""
    try:
        return bool(Redis.from_url(url, socket_connect_timeout=2).ping())
    except RedisError:
        return False


@contextmanager
def redis() -> Iterator[str | None]:
    """The address of a Redis, None if there is none to be had."""
    url = os.environ.get("BENCH_REDIS_URL", REDIS)
    binary = shutil.which("redis-server")
    if redis_answers(url) or not binary:
        yield url if redis_answers(url) else None
        return
    port = free_port()
    with private_directory() as directory:
        command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(directory)]
        with server(command, directory, {}, user=unprivileged("redis")) as running:
            url = f"redis://127.0.0.1:{port}/0"
            until(lambda: alive([running], log_of(directory)) and redis_answers(url), "a private Redis answers", 0.1)
            yield url


@contextmanager
def private_directory() -> Iterator[Path]:
    """A directory that a server may use whoever it runs as, gone with the context."""
    with tempfile.TemporaryDirectory(prefix="precedence-bench-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o777)
        yield Path(name)


@contextmanager
def server(
    command: list[str], directory: Path, variables: Mapping[str, str], user: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A server's process, asked to end with the context."""
    with log_of(directory).open("wb") as output:
        running = subprocess.Popen(
            command, env={**os.environ, **variables}, cwd=directory, stdout=output, stderr=output, user=user
        )
        try:
            yield running
        finally:
            running.terminate()
            running.wait()


def log_of(directory: Path) -> Path:
    """Where a private server's output goes."""
    return directory / "server.log"


def unprivileged(name: str) -> str | None:
    """The account to run as where we are root, as whom the server would not start."""
    return name if os.geteuid() == 0 else None
