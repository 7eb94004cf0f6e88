"""The live campaigns in memory: a standing each for people, and one row each in arrays for the policy.

Rows are packed, in the order in which campaigns came: when one leaves, those after it move up. A row is only a name for
the moment.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from features.curves import Curves, hours
from features.rhythm import Rhythm
from serving.scheduling.columns import Columns
from serving.scheduling.lineup import Lineup, Via, by_right
from serving.scheduling.ports import AHEAD_S
from serving.scheduling.readiness import changes_h, holds_keys, startable, waiting_tasks
from serving.scheduling.rules import Rules, Terms, terms_of
from serving.scheduling.states import LIVE, State
from serving.scheduling.work import Standing

_CURVES = tuple(f.name for f in fields(Curves) if f.name != "rhythm")
_COLUMNS = tuple(f.name for f in fields(Columns) if f.name != "curves")
_OWN = (
    "account",
    "asks_h",
    "begun",
    "changes_h",
    "chunk_units",
    "estimated",
    "follows",
    "lent",
    "open",
    "running",
    "since_h",
    "tasks_open",
    "unvalued",
    "via",
    "weight",
    "worked_h",
)
_LEAST_ROWS = 64
_SOON_AGAIN = frozenset({"matrix", "remembered"})
_SOONER = 30
"""How many times as often a model is asked again of what none said lately, or of work that has come on since."""
_STRIDE = 0.1 - 1e-9
"""A tenth, but for rounding: how far the share done moves before work has come on."""
_LEAST_WEIGHT = 1e-3
"""At most a thousand tasks a slot are handed out ahead, however small they are."""
HAIR_H = 1e-6
"""Nothing takes no time: hours below which predictions are not believed."""


class Roster:
    """What the scheduler knows of the live campaigns.

    Parameters
    ----------
    rules : what binds campaigns beside their worth.
    pace_s : mean seconds a task of a campaign lately took; None for one never seen.
    refresh_h : hours for which an estimate is relied on; the matrix only stands in, and for as short as can be.

    Attributes
    ----------
    standings : one a row.
    row_of : row of each campaign id.
    stopping : campaigns that ended, but whose tasks run on to their next checkpoint: what they use, nobody else may.
    """

    def __init__(self, rules: Rules, pace_s: Callable[[str], float | None], refresh_h: float) -> None:
        self._rules, self._pace_s, self._refresh_h = rules, pace_s, refresh_h
        self.standings: list[Standing] = []
        self.terms: list[Terms] = []
        self.row_of: dict[str, int] = {}
        self.stopping: dict[str, Standing] = {}
        self._codes: dict[str, int] = {}
        self._arrays: dict[str, npt.NDArray[np.float64]] = {
            name: np.zeros(_LEAST_ROWS) for name in (*_CURVES, *_COLUMNS, *_OWN)
        }

    def __len__(self) -> int:
        return len(self.standings)

    def copy(self) -> Roster:
        """A roster that may go its own way."""
        other = Roster(self._rules, self._pace_s, self._refresh_h)
        other.standings, other.terms, other.row_of = list(self.standings), list(self.terms), dict(self.row_of)
        other._codes, other.stopping = dict(self._codes), dict(self.stopping)
        other._arrays = {name: array.copy() for name, array in self._arrays.items()}
        return other

    def update(self, standings: Iterable[Standing], moment: datetime) -> None:
        """Take in campaigns as they stand now; those that are live no more leave."""
        changed = list(standings)
        for standing in changed:
            if standing.state not in LIVE and standing.progress.leased:
                self.stopping[standing.campaign_id] = standing
            else:
                self.stopping.pop(standing.campaign_id, None)
        self._drop({s.campaign_id for s in changed if s.state not in LIVE and s.campaign_id in self.row_of})
        live = [s for s in changed if s.state in LIVE]
        if live:
            self._put(live, moment)

    def seen(self, campaign_id: str) -> Standing | None:
        """A campaign as last taken in; None for one that is neither live nor stopping."""
        row = self.row_of.get(campaign_id)
        return self.stopping.get(campaign_id) if row is None else self.standings[row]

    def due(self, moment: datetime) -> list[str]:
        """Campaigns for which time alone has changed something by a moment, since they were last taken in."""
        late = np.flatnonzero(self._view("changes_h") <= hours(moment))
        return [self.standings[row].campaign_id for row in late.tolist()]

    def next_due_h(self) -> float:
        """When that is so next, hours since the epoch; infinite for never."""
        return float(self._view("changes_h").min(initial=np.inf))

    def unsure(self, moment: datetime) -> list[Standing]:
        """Campaigns to ask a model about, the never estimated first: they cannot start without."""
        asks_h = self._view("asks_h")
        late = np.flatnonzero(asks_h <= hours(moment))
        return [self.standings[row] for row in late[np.argsort(asks_h[late], kind="stable")].tolist()]

    def doubt_all(self, but: Iterable[str]) -> None:
        """Ask anew about every campaign but some, as the model is another one."""
        asks_h = self._view("asks_h")
        rows = [self.row_of[campaign_id] for campaign_id in but if campaign_id in self.row_of]
        known_h = asks_h[rows]
        asks_h[:] = -np.inf
        asks_h[rows] = known_h

    def took(self, row: int, via: Via, tasks: int) -> None:
        """Note what gave a campaign slots; those it has by a right are its own until it runs fewer."""
        given, lent = self._arrays["via"], self._arrays["lent"]
        given[row], lent[row] = by_right(given[row], lent[row], via, tasks)

    @property
    def startable(self) -> int:
        """Tasks that could start now, limits apart."""
        return int(self._view("open").sum())

    @property
    def unvalued(self) -> bool:
        """Whether some campaign has no value in dollars, so that only the matrix can order all of them."""
        return bool(self._view("unvalued").any())

    @property
    def estimated(self) -> npt.NDArray[np.bool_]:
        """Rows that a model has spoken of; the others cannot be ranked."""
        return self._view("estimated") > 0

    def lineup(self, slots: int, rhythm: Rhythm | None) -> Lineup:
        """The campaigns as the policy sees them, on an executor of `slots`; a copy, which later changes leave alone."""
        kept: dict[str, Any] = {name: self._view(name).copy() for name in self._arrays}
        kept |= {name: kept[name] > 0 for name in ("as_done", "pinned", "begun")}
        kept |= {"shape": kept["shape"].astype(np.int8), "slots": np.clip(kept["tasks_open"], 1, max(slots, 1))}
        curves = Curves(**{name: kept[name] for name in _CURVES}, rhythm=rhythm)
        columns = Columns(curves=curves, **{name: kept[name] for name in _COLUMNS})
        return Lineup(
            columns=columns,
            terms=tuple(self.terms),
            account=kept["account"].astype(np.int64),
            names=tuple(self._codes),
            open=kept["open"].astype(np.int64),
            running=kept["running"].astype(np.int64),
            weight=kept["weight"],
            via=kept["via"].astype(np.int64),
            lent=kept["lent"].astype(np.int64),
            begun=kept["begun"],
            since_h=kept["since_h"],
            chunk_units=kept["chunk_units"],
            follows=tuple(self._follows()),
            worked_h=kept["worked_h"],
            stopping=[
                (terms_of(s.campaign, self._rules), s.progress.leased, s.progress.units_a_chunk)
                for s in self.stopping.values()
            ],
        )

    def _view(self, name: str) -> npt.NDArray[np.float64]:
        return self._arrays[name][: len(self.standings)]

    def _follows(self) -> Iterator[tuple[int, int]]:
        for row in np.flatnonzero(self._view("follows")).tolist():
            for name, _ in self.standings[row].blocked_by:
                before = self.row_of.get(name)
                if before is not None:
                    yield row, before

    def _drop(self, gone: Collection[str]) -> None:
        if not gone:
            return
        stay = [row for row, standing in enumerate(self.standings) if standing.campaign_id not in gone]
        for array in self._arrays.values():
            array[: len(stay)] = array[stay]
        self.standings = [self.standings[row] for row in stay]
        self.terms = [self.terms[row] for row in stay]
        self.row_of = {standing.campaign_id: row for row, standing in enumerate(self.standings)}

    def _put(self, live: Sequence[Standing], moment: datetime) -> None:
        rows = np.array([self._row(standing) for standing in live], dtype=np.intp)
        columns = columns_of(live)
        for name in _CURVES:
            self._arrays[name][rows] = getattr(columns.curves, name)
        for name in _COLUMNS:
            self._arrays[name][rows] = getattr(columns, name)
        own = [self._own(standing, moment) for standing in live]
        for name in own[0]:
            self._arrays[name][rows] = [values[name] for values in own]
        self._arrays["lent"][rows] = np.minimum(self._arrays["lent"][rows], self._arrays["running"][rows])

    def _own(self, standing: Standing, moment: datetime) -> dict[str, float]:
        campaign, progress, estimate = standing.campaign, standing.progress, standing.estimate
        ready = standing.ready_since or max(standing.submitted_at, campaign.released_at)
        return {
            "asks_h": self._asks_h(standing),
            "account": self._codes.setdefault(campaign.account, len(self._codes)),
            "begun": holds_keys(standing),
            "chunk_units": progress.units_a_chunk,
            "changes_h": changes_h(standing, moment),
            "estimated": estimate is not None,
            "follows": bool(standing.blocked_by) and standing.state is not State.PAUSED,
            "open": waiting_tasks(standing) if startable(standing, moment) else 0,
            "running": progress.leased,
            "since_h": hours(max(ready, standing.worked_at or ready)),
            "tasks_open": progress.open,
            "unvalued": estimate is not None and estimate.value is None,
            "weight": self._weight(standing),
            "worked_h": -np.inf if standing.worked_at is None else hours(standing.worked_at),
        }

    def _asks_h(self, standing: Standing) -> float:
        """When to ask a model about a campaign, hours since the epoch; at once about one never estimated."""
        estimate, asked_at = standing.estimate, standing.estimated_at
        if estimate is None or asked_at is None:
            return -np.inf
        came_on = abs(standing.progress.share_done - estimate.done_when_asked) >= _STRIDE
        # Not at once: of work that is over in seconds nobody needs to know how many are left.
        return hours(asked_at) + self._refresh_h / (_SOONER if came_on or standing.source in _SOON_AGAIN else 1)

    def _weight(self, standing: Standing) -> float:
        """Share of a slot that a task takes: by what its campaign's tasks lately took, else as predicted cautiously."""
        task_s, estimate = self._pace_s(standing.campaign_id), standing.estimate
        if task_s is None:
            if estimate is None or not standing.progress.tasks:
                return 1.0
            task_s = estimate.p90_h * 3600 / standing.progress.tasks
        return min(max(task_s / AHEAD_S, _LEAST_WEIGHT), 1.0)

    def _row(self, standing: Standing) -> int:
        """The campaign's row with its standing in it, at the end if it is new."""
        row = self.row_of.get(standing.campaign_id)
        if row is None:
            row = self.row_of[standing.campaign_id] = len(self.standings)
            self.standings.append(standing)
            self.terms.append(terms_of(standing.campaign, self._rules))
            if row == len(self._arrays["open"]):
                self._arrays = {name: np.concatenate([a, np.zeros_like(a)]) for name, a in self._arrays.items()}
            self._arrays["lent"][row] = 0.0
        else:
            if self.standings[row].revision != standing.revision:
                self.terms[row] = terms_of(standing.campaign, self._rules)
            self.standings[row] = standing
        return row


def columns_of(standings: Sequence[Standing], slots: int = 1) -> Columns:
    """What the policy looks at, on an executor of `slots`; campaigns without an estimate are worth nothing yet.

    Of work under way, the whole is taken as it would be at the pace predicted for what is left.
    """
    estimates = [s.estimate for s in standings]
    work_h = np.maximum([0.0 if e is None else e.work_h for e in estimates], HAIR_H)
    progress = [s.progress for s in standings]
    chunk = [min(p.units_a_chunk / p.units, 1.0) if p.units else 1.0 for p in progress]
    return Columns.of(
        [s.campaign for s in standings],
        [0.0 if e is None else e.value or 0.0 for e in estimates],
        work_h,
        remaining_h=work_h * [p.share_left for p in progress],
        chunk_h=work_h * np.maximum(chunk, HAIR_H),
        slots=[min(max(p.open, 1), slots) for p in progress],
        points=[0.0 if e is None else e.points for e in estimates],
        pinned=[s.pinned for s in standings],
        boost=[s.boost for s in standings],
        submitted_h=[hours(s.submitted_at) for s in standings],
    )
