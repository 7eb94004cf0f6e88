"""How far a campaign's work has come."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How much of a campaign's work is where; units are those of its tasks, `spent_s` the slot-seconds of its runs."""

    units: float = 0.0
    units_done: float = 0.0
    chunks_done: int = 0
    spent_s: float = 0.0
    tasks: int = 0
    queued: int = 0
    leased: int = 0
    done: int = 0
    dead: int = 0

    @property
    def open(self) -> int:
        """Tasks that are neither done nor dead."""
        return self.tasks - self.done - self.dead

    @property
    def spent_h(self) -> float:
        """Slot-hours of its runs so far, whatever came of them."""
        return self.spent_s / 3600

    @property
    def share_done(self) -> float:
        """Share of the units that are done."""
        return min(self.units_done / self.units, 1.0) if self.units else 0.0

    @property
    def share_left(self) -> float:
        """Share of the units still to do."""
        return 1 - self.share_done

    @property
    def units_a_chunk(self) -> float:
        """Mean units between checkpoints; a whole task's until one is seen."""
        return self.units_done / self.chunks_done if self.chunks_done else self.units / max(self.tasks, 1)
