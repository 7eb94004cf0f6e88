"""Who works, and who has taken up which lease, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from serving.scheduling.ports import Out, Worker
from serving.scheduling.work import Lease
from serving.stores.lifecycle import parts_of
from serving.stores.memory_state import InMemory


class MemoryWorkforce(InMemory):
    """Keeps the promises of `Workforce`."""

    def take(self, lease_ids: Sequence[str], giver: str, worker: str, at: datetime, until: datetime) -> list[Lease]:
        """Make a worker the owner of leases; see `Workforce.take`."""
        leases = []
        with self._memory.lock:
            for key, fence in map(parts_of, lease_ids):
                task = self._memory.leased.get(key)
                if task is not None and task.fence == fence and task.owner == giver and task.until > at:
                    task.owner, task.until, task.chunk_from = worker, until, at
                    leases.append(task.lease())
        return leases

    def out(self) -> list[Out]:
        """Every lease there is; see `Workforce.out`."""
        with self._memory.lock:
            return [
                Out(t.lease().lease_id, t.task.campaign_id, t.owner or "", t.chunk, t.chunk_from, t.until)
                for _, t in sorted(self._memory.leased.items())
            ]

    def leased(self, lease_ids: Sequence[str]) -> list[Lease]:
        """Leases by name; see `Workforce.leased`."""
        with self._memory.lock:
            found = [(self._memory.leased.get(key), fence) for key, fence in map(parts_of, lease_ids)]
            return [task.lease() for task, fence in found if task is not None and task.fence == fence]

    def announce(self, worker: Worker, at: datetime) -> None:
        """Let a worker be known; see `Workforce.announce`."""
        with self._memory.lock:
            known = self._memory.workers
            known[worker.name] = worker
            for name in [name for name, each in known.items() if each.until < at]:
                del known[name]

    def workers(self, at: datetime) -> list[Worker]:
        """Those believed alive; see `Workforce.workers`."""
        with self._memory.lock:
            return [worker for _, worker in sorted(self._memory.workers.items()) if worker.until > at]
