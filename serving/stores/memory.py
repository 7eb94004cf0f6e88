"""The store in memory: for tests, and for a scheduler whose work need not outlive its process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from features.records import Kpi, Signal
from serving.scheduling.ports import LogTable
from serving.scheduling.work import DeadLetter, Decision
from serving.stores.lifecycle import TaskState
from serving.stores.memory_intake import MemoryIntake
from serving.stores.memory_queue import MemoryQueue
from serving.stores.memory_standings import MemoryStandings
from serving.stores.memory_state import InMemory, Memory
from serving.stores.memory_workforce import MemoryWorkforce
from serving.stores.records import row_of


class MemoryLog(InMemory):
    """Keeps the promises of `Log` and `Notes`."""

    def decided(self, decisions: Sequence[Decision]) -> None:
        """Add decisions."""
        with self._memory.lock:
            self._memory.log("decisions", [row_of(decision) for decision in decisions])

    def observed(self, kpis: Sequence[Kpi] = (), signals: Sequence[Signal] = ()) -> int:
        """Add results and signals, a result once; see `Log.observed`."""
        with self._memory.lock:
            fresh = [kpi for kpi in dict.fromkeys(kpis) if kpi not in self._memory.results]
            self._memory.results.update(fresh)
            self._memory.log("kpis", [row_of(kpi) for kpi in fresh])
            self._memory.log("signals", [row_of(signal) for signal in signals])
            return len(fresh) + len(signals)

    def rows(self, table: LogTable, since: int = 0) -> list[dict[str, Any]]:
        """Rows of a log table; see `Log.rows`."""
        with self._memory.lock:
            return [dict(row) for row in self._memory.logs.get(table, [])[since:]]

    def dead_letters(self) -> list[DeadLetter]:
        """Tasks that failed for good; see `Log.dead_letters`."""
        with self._memory.lock:
            dead = [task for task in self._memory.tasks.values() if task.state is TaskState.DEAD]
            letters = [
                DeadLetter(
                    campaign_id=t.task.campaign_id,
                    task_id=t.task.task_id,
                    error=t.error or "",
                    attempts=t.attempts,
                    died_at=t.ended_at or t.enqueued_at,
                )
                for t in sorted(dead, key=lambda t: t.key)
            ]
        return sorted(letters, key=lambda letter: letter.died_at)

    def remember(self, key: str, value: str) -> str:
        """Store a note unless there is one; see `Notes.remember`."""
        with self._memory.lock:
            return self._memory.notes.setdefault(key, value)

    def hold(self, name: str, owner: str, at: datetime, until: datetime) -> bool:
        """Take or keep a lock; see `Notes.hold`."""
        with self._memory.lock:
            holder, held_until = self._memory.locks.get(name, (owner, at))
            free = holder == owner or held_until <= at
            if free:
                self._memory.locks[name] = (owner, until)
            return free

    def holder(self, name: str, at: datetime) -> str | None:
        """Who holds a lock; see `Notes.holder`."""
        with self._memory.lock:
            owner, until = self._memory.locks.get(name, (None, at))
        return owner if until > at else None


class MemoryStore(MemoryIntake, MemoryStandings, MemoryQueue, MemoryWorkforce, MemoryLog):
    """Keeps everything in this process; safe to share between its threads."""

    def __init__(self) -> None:
        super().__init__(Memory())

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Let others see what is called within only when all of it is done; see `Store.at_once`."""
        with self._memory.lock:
            yield
