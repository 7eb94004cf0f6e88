"""What every store promises. A store's test class inherits this and brings a `store` fixture."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from features.records import Kpi, Metric, Signal
from serving.errors import CampaignUnknown
from serving.scheduling.ports import Store
from serving.scheduling.states import Event, State
from serving.scheduling.work import Completed, Decision
from tests.contract.campaign_contract import IntakeContract, StandingsContract
from tests.contract.changes_contract import ChangesContract
from tests.contract.queue_contract import QueueContract
from tests.contract.workforce_contract import WorkforceContract
from tests.queueing import NOON, after, claimed, reported, submitted_ready


class LogContract:
    def test_the_log_is_read_in_order_and_from_a_row_on(self, store: Store):
        decisions = [
            Decision(campaign_id=name, at=after(at), chosen="start", reason="first in rank", index=float(at), rank=1)
            for at, name in enumerate("abc")
        ]
        store.decided(decisions[:1])
        store.decided(decisions[1:])
        rows = store.rows("decisions")
        assert [(row["campaign_id"], row["at"], row["index"]) for row in rows] == [
            ("a", NOON, 0.0),
            ("b", after(1), 1.0),
            ("c", after(2), 2.0),
        ]
        assert [row["campaign_id"] for row in store.rows("decisions", since=rows[0]["id"])] == ["b", "c"]

    def test_results_and_signals_are_kept(self, store: Store):
        kpi = Kpi(campaign_id="sale", at=NOON, known_at=after(60), metric=Metric.REVENUE, value=12.5)
        signal = Signal(entity="market:us", at=NOON, known_at=NOON, name="sentiment", value=-0.2)
        assert store.observed([kpi, replace(kpi, target_id="vip")], [signal]) == 3
        assert store.observed() == 0
        assert [(row["metric"], row["target_id"], row["known_at"]) for row in store.rows("kpis")] == [
            ("revenue", None, after(60)),
            ("revenue", "vip", after(60)),
        ]
        assert [(row["entity"], row["name"], row["value"]) for row in store.rows("signals")] == [
            ("market:us", "sentiment", -0.2)
        ]

    def test_a_result_told_twice_is_kept_once(self, store: Store):
        first = Kpi(campaign_id="sale", at=NOON, known_at=after(60), metric=Metric.REVENUE, value=12.5)
        others = [
            replace(first, value=12.6),
            replace(first, known_at=after(61)),
            replace(first, target_id="vip"),
            replace(first, metric=Metric.OPENS),
            replace(first, campaign_id="launch"),
            replace(first, at=after(-60)),
        ]
        assert store.observed([first, first, others[0]]) == 2
        assert store.observed([first, *others]) == 5
        assert store.observed([*others, first]) == 0
        assert len(store.rows("kpis")) == 7


class NotesContract:
    def test_the_first_note_stays(self, store: Store):
        assert store.remember("clock", "one") == "one"
        assert store.remember("clock", "two") == "one"

    def test_a_lock_is_held_by_one_owner_until_it_lapses(self, store: Store):
        assert store.hold("scheduler", "a", NOON, after(10))
        assert not store.hold("scheduler", "b", after(5), after(15))
        assert store.hold("scheduler", "a", after(8), after(18))
        assert not store.hold("scheduler", "b", after(17), after(27))
        assert store.hold("scheduler", "b", after(18), after(28))
        assert not store.hold("scheduler", "a", after(19), after(29))
        assert store.hold("another", "a", NOON, NOON + timedelta(seconds=1))

    def test_whoever_holds_a_lock_can_be_named_until_it_lapses(self, store: Store):
        assert store.holder("scheduler", NOON) is None
        store.hold("scheduler", "a", NOON, after(10))
        assert [store.holder("scheduler", after(at)) for at in (0, 9, 10)] == ["a", "a", None]


class AtOnceContract:
    def test_calls_within_at_once_see_each_other_and_are_kept_together(self, store: Store):
        submitted_ready(store, tasks=2)
        mark = store.live(NOON).mark
        with store.at_once():
            reported(store, claimed(store), Completed())
            assert store.standing("sale", NOON).progress.done == 1
            assert store.recover(after(60), attempts=3) == 0
        assert [s.progress.done for s in store.changed(mark, NOON).standings] == [1]

    def test_what_raises_within_at_once_leaves_what_came_before_it_as_it_is(self, store: Store):
        with store.at_once():
            submitted_ready(store)
            with pytest.raises(CampaignUnknown), store.at_once():
                store.apply("never", Event.PAUSE)
            with store.at_once():
                store.apply("sale", Event.PAUSE)
        assert store.standing("sale", NOON).state is State.PAUSED


class StoreContract(
    IntakeContract,
    StandingsContract,
    ChangesContract,
    QueueContract,
    WorkforceContract,
    LogContract,
    NotesContract,
    AtOnceContract,
):
    """All of it."""
