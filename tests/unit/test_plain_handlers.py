"""Plain generators run in threads and in processes, and keep the promises of handlers there too."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

from serving.executors.local import LocalExecutor
from serving.executors.retry import Retry
from serving.handlers.processes import Processes
from serving.handlers.python import Handlers
from tests.contract.executor_bench import LEASE_S, Bench
from tests.floor import let_run, story, until
from tests.queueing import NOON

ANYWHERE = pytest.mark.parametrize("where", ["", "process+"], ids=["threads", "processes"])


@asynccontextmanager
async def bench_of(where: str, name: str, payload: Any = None, tasks: int = 1) -> AsyncIterator[Bench]:
    """A bench whose tasks are done by a plain generator in threads or processes."""
    handlers = Handlers.loaded({name: f"{where}tests.plain:{name}"}, {}, most=2)

    def build(store: Any, _handlers: Any, clock: Any, changed: Any) -> LocalExecutor:
        retry = Retry(attempts=2, first_s=1.0)
        return LocalExecutor(
            store, handlers, clock, slots=2, lease_s=LEASE_S, retry=retry, chance=Random(3), changed=changed
        )

    bench = Bench(build, tasks, handler=name, payload=payload)
    try:
        yield bench
    finally:
        await bench.executor.stop(grace_s=0)
        await handlers.close()


def lines(notes: Path) -> list[str]:
    return notes.read_text().splitlines() if notes.exists() else []


@ANYWHERE
@story
async def test_a_plain_generator_is_run_step_by_step_away_from_the_event_loop(where, tmp_path):
    notes = tmp_path / "notes"
    async with bench_of(where, "halves", {"notes": str(notes)}) as bench:
        bench.start()
        await until(lambda: bench.progress().done == 1)
        *chunks, left = lines(notes)
        assert chunks == ["sale/t0/0 0", "sale/t0/1 5"]
        _, process, in_main_thread = left.split()
        assert (int(process) == os.getpid(), in_main_thread) == ((True, "False") if not where else (False, "True"))
        assert bench.outcomes() == ["checkpoint", "checkpoint", "done"]


@ANYWHERE
@story
async def test_one_that_gives_way_is_left_at_its_checkpoint_and_resumes_there(where, tmp_path):
    notes = tmp_path / "notes"
    async with bench_of(where, "halves", {"notes": str(notes)}) as bench:
        (lease,) = bench.start()
        bench.executor.give_way(lease.lease_id, preempted=True)
        await until(lambda: bench.progress().queued == 1)
        assert [line.split()[0] for line in lines(notes)] == ["sale/t0/0", "left"]
        bench.start()
        await until(lambda: bench.progress().done == 1)
        assert [line.split()[0] for line in lines(notes)] == ["sale/t0/0", "left", "sale/t0/1", "left"]


@ANYWHERE
@story
async def test_as_many_run_at_once_as_there_are_slots_and_the_loop_goes_on_meanwhile(where, tmp_path):
    notes, go = tmp_path / "notes", tmp_path / "go"
    async with bench_of(where, "waits", {"notes": str(notes), "go": str(go)}, tasks=3) as bench:
        bench.start(3)
        await until(lambda: len(lines(notes)) == 2)
        assert bench.held() == (["t0", "t1"], ["t2"])
        go.touch()
        await until(lambda: bench.progress().done == 3)


@ANYWHERE
@pytest.mark.parametrize(
    ("name", "payload", "error"),
    [
        ("raises", {"raises": "never"}, "GiveUp: no such list"),
        ("raises", {"raises": "odd"}, "ValueError: ?"),
        ("raises", {"raises": "exit"}, None),
        ("raises", {"raises": "cancelled"}, None),
        ("lies", {"yields": "nothing"}, "CheckpointInvalid: what was yielded is None: must be a Checkpoint"),
        ("lies", {"yields": "object"}, None),
        ("lies", {"yields": "nan"}, "CheckpointInvalid: checkpoint.units_done is nan: must be from 0"),
        ("lies", {"yields": "text"}, "CheckpointInvalid: checkpoint.units_done is 'many': must be a number"),
    ],
)
@story
async def test_what_it_raises_or_lies_about_fails_its_task(where, name, payload, error):
    async with bench_of(where, name, payload) as bench:
        for _ in range(2):
            bench.start()
            await until(lambda: bench.executor.running() == [])
            await let_run()
            bench.clock.advance(10)
        (letter,) = bench.store.dead_letters()
        assert letter.error.startswith(error or "")


@ANYWHERE
@story
async def test_it_may_ask_to_come_back_later(where):
    async with bench_of(where, "raises", {"raises": "later"}) as bench:
        bench.start()
        await until(lambda: bench.progress().queued == 1)
        assert (bench.store.standing("sale", NOON).retry_at - NOON).total_seconds() >= 30
        assert bench.store.dead_letters() == []


@story
async def test_a_process_that_ends_fails_its_own_task_alone(tmp_path, caplog):
    notes, go = tmp_path / "notes", tmp_path / "go"
    async with bench_of("process+", "waits", {"notes": str(notes), "go": str(go)}, tasks=2) as bench:
        bench.start(2)
        await until(lambda: len(lines(notes)) == 2)
        os.kill(int(lines(notes)[0]), signal.SIGKILL)
        await until(lambda: len(bench.executor.running()) == 1)
        await until(lambda: bench.outcomes() == ["failed"])
        assert "ended by signal 9 (SIGKILL) in the middle of a chunk" in caplog.text
        go.touch()
        await until(lambda: bench.progress().done == 1)
        bench.clock.advance(2)
        bench.start()
        await until(lambda: bench.progress().done == 2)


@story
async def test_a_task_whose_process_ended_goes_on_from_its_checkpoint():
    async with bench_of("process+", "dies") as bench:
        bench.start()
        await until(lambda: bench.outcomes() == ["checkpoint", "failed"])
        bench.clock.advance(2)
        bench.start()
        await until(lambda: bench.progress().done == 1)


@story
async def test_what_kills_its_process_becomes_a_dead_letter_that_says_so():
    async with bench_of("process+", "leaves") as bench:
        for _ in range(2):
            bench.start()
            await until(lambda: bench.executor.running() == [])
            await let_run()
            bench.clock.advance(10)
        (letter,) = bench.store.dead_letters()
        assert (
            letter.error
            == "WorkerDied: the process that ran the handler ended with exit code 3 in the middle of a chunk"
        )


@story
async def test_a_process_serves_one_task_after_the_other(tmp_path):
    notes = tmp_path / "notes"
    async with bench_of("process+", "halves", {"notes": str(notes)}, tasks=6) as bench:
        bench.start(6)
        await until(lambda: bench.progress().done == 6)
        assert len({line.split()[1] for line in lines(notes) if line.startswith("left")}) <= 2


@story
async def test_a_process_without_work_is_ended_after_a_while_and_another_started_when_there_is_some():
    processes = Processes(idle_s=0.0)
    first = await processes.taken()
    processes.given_back(first)
    await until(lambda: first.process.returncode is not None)
    second = await processes.taken()
    assert second is not first
    await processes.close()
    assert second.process.returncode is not None


@story
async def test_a_chunk_in_a_process_is_cut_off_with_it_when_there_is_no_more_time(tmp_path):
    notes = tmp_path / "notes"
    async with bench_of("process+", "waits", {"notes": str(notes), "go": str(tmp_path / "go")}) as bench:
        bench.start()
        await until(lambda: lines(notes))
        await bench.executor.stop(grace_s=0)
        assert bench.progress().queued == 1
        await until(lambda: not is_alive(int(lines(notes)[0])))


@story
async def test_a_step_in_a_thread_cannot_be_cut_off_but_what_it_says_is_not_heard(tmp_path):
    notes, go = tmp_path / "notes", tmp_path / "go"
    async with bench_of("", "waits", {"notes": str(notes), "go": str(go)}) as bench:
        bench.start()
        await until(lambda: lines(notes))
        await bench.executor.stop(grace_s=0)
        assert (bench.progress().queued, bench.executor.running()) == (1, [])
        go.touch()
    await until(lambda: not any(thread.name.startswith("handler") for thread in threading.enumerate()))
    assert bench.outcomes() == []
    assert len(lines(notes)) == 1, "it was left at its checkpoint"


def is_alive(process: int) -> bool:
    """Whether a process runs; one that ended and was not asked how does not."""
    with suppress(ProcessLookupError):
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    return False
