"""Processes that run handlers end with the process that started them, however it ends."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from tests.floor import until
from tests.unit.test_plain_handlers import bench_of, is_alive, lines


async def endless(notes: str, go: str) -> None:
    """Begin a chunk in a process, which ends once the file `go` is there."""
    async with bench_of("process+", "waits", {"notes": notes, "go": go}) as bench:
        bench.start()
        await asyncio.Event().wait()


@pytest.mark.integration
def test_a_process_does_not_outlive_a_scheduler_that_is_killed_in_the_middle_of_a_chunk(tmp_path: Path):
    notes = tmp_path / "notes"
    command = [sys.executable, "-m", "tests.integration.test_workers", str(notes), str(tmp_path / "go")]
    scheduler = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    try:
        asyncio.run(until(lambda: lines(notes), deadline_s=60))
    finally:
        scheduler.kill()
        scheduler.wait()
    asyncio.run(until(lambda: not is_alive(int(lines(notes)[0]))))


if __name__ == "__main__":
    asyncio.run(endless(*sys.argv[1:]))
