"""Celery over RabbitMQ: publisher confirms, persistent messages, late acknowledgement, 16 messages ahead, no results.

`python -m tests.bench.peers.celery_peer URL QUEUE POOL SLOTS FILE` is its worker.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

from celery import Celery, Task
from kombu import Connection, Queue

from tests.bench.peers.load import Load, Ran, alive, processes, until

AHEAD = 16
"""Messages that one worker process is handed before it acknowledged them."""


def app_of(url: str, queue: str) -> Celery:
    """An app with one queue, and nothing switched on that a no-op task does not need."""
    app = Celery("bench", broker=url, set_as_current=True)
    app.conf.update(
        task_default_queue=queue,
        task_queues=[Queue(queue, durable=True)],
        task_acks_late=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=AHEAD,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        broker_transport_options={"confirm_publish": True},
        broker_connection_retry_on_startup=True,
        broker_pool_limit=None,
    )
    return app


def task_of(app: Celery, ran: int) -> Task:
    """The task that does nothing but be counted: each adds a byte to an open file, in whatever process it ran."""

    @app.task(name="bench.nothing")
    def nothing(campaign: str, number: int) -> None:
        os.write(ran, b".")

    return nothing


def worker(url: str, queue: str, pool: str, slots: int, counted: Path) -> None:
    """Work until killed."""
    app = app_of(url, queue)
    task_of(app, os.open(counted, os.O_WRONLY | os.O_CREAT | os.O_APPEND))
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=WARNING"]
    app.worker_main(["worker", f"--pool={pool}", f"--concurrency={slots}", *quiet])


def measured(url: str, load: Load, directory: Path, *, pool: str, slots: int, publishers: int) -> Ran:
    """Submit a load from several threads while a worker runs it, until the last task ran."""
    queue = f"precedence-bench-{uuid4().hex[:12]}"
    task = task_of(app_of(url, queue), -1)
    log, counted = directory / "celery.log", directory / "celery.ran"
    counted.touch()
    command = ["tests.bench.peers.celery_peer", url, queue, pool, str(slots), str(counted)]
    with Connection(url) as connection, closing(connection.channel()) as channel:
        channel.queue_declare(queue, durable=True, auto_delete=False)
        try:
            with processes(command, 1, log) as running, ThreadPoolExecutor(publishers) as threads:
                until(lambda: alive(running, log) and listening(channel, queue), "Celery's worker is ready")
                began = time.perf_counter()
                shares = [range(nth, load.campaigns, publishers) for nth in range(publishers)]
                list(threads.map(lambda campaigns: submit(task, load, campaigns), shares))
                submitted_s = time.perf_counter() - began
                until(lambda: alive(running, log) and counted.stat().st_size >= load.tasks, "Celery ran all", 0.01)
                finished_s = time.perf_counter() - began
        finally:
            channel.queue_delete(queue)
            channel.exchange_delete(queue)
    return Ran(f"Celery, {pool} x {slots}, {publishers} publishers", load, submitted_s, finished_s)


def submit(task: Task, load: Load, campaigns: Iterable[int]) -> None:
    """Send the tasks of some campaigns, over one connection."""
    with task.app.producer_pool.acquire(block=True) as producer:
        for campaign in campaigns:
            for number in range(load.tasks_each):
                task.apply_async((f"c{campaign}", number), producer=producer)


def listening(channel: Any, queue: str) -> bool:
    """Whether a worker takes messages from the queue."""
    declared = channel.queue_declare(queue, passive=True)
    return bool(declared.consumer_count)


if __name__ == "__main__":
    worker(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), Path(sys.argv[5]))
