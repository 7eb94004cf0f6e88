"""The rolling origin: before each week, everything is learned anew from all weeks before it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from features.curves import Floats
from training.backtest.setting import PlayedWeek
from training.datasets.complete_journey import week_start
from training.estimators import Recipe
from training.learning import Learned, Lessons
from training.progress import Progress, silent


@dataclass(frozen=True)
class Believed:
    """What the models of each week's eve believed of its campaigns, in dollars; by week, in its campaigns' order."""

    learned: dict[int, Floats]
    expert: dict[int, Floats]
    shrunk: dict[int, Floats]

    @classmethod
    def of(cls, lessons: Lessons, played: Iterable[PlayedWeek], progress: Progress = silent) -> Self:
        """Fit once for each of the weeks, on labels complete by its start; values are what its truth is."""
        weeks = list(played)
        learned, expert, shrunk = {}, {}, {}
        for done, week in enumerate(weeks):
            progress(f"learning for week {week.week}", done / len(weeks))
            recipe = Recipe(label=week.truth.label.value)
            models = Learned.of(lessons.until(week_start(week.week)), recipe)
            learned[week.week], expert[week.week] = models.believed(week), models.expert(week)
            shrunk[week.week] = models.shrunk(week)
        return cls(learned, expert, shrunk)

    def by_model(self, week: PlayedWeek) -> Floats:
        """The value model's."""
        return self.learned[week.week]

    def by_expert(self, week: PlayedWeek) -> Floats:
        """The expert rule's."""
        return self.expert[week.week]

    def by_shrunk(self, week: PlayedWeek) -> Floats:
        """The strongest hand rule's."""
        return self.shrunk[week.week]
