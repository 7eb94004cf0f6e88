"""Who gets the free slots: precedence, and everything that is stepped over."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from serving.scheduling.allot import Grant
from serving.scheduling.books import Books, Credit
from serving.scheduling.lineup import Via
from serving.scheduling.reasons import Reason
from serving.scheduling.rules import NO_RULES, Cap, Limit, Reserve, Rules, Shares, Terms
from tests.lineups import allotment_of, granted, lineup_of, row
from tests.queues import NOW


def limited(**limits: Limit) -> Rules:
    return Rules(Reserve(share=0), Shares(total=0), {name.replace("_", ":"): limit for name, limit in limits.items()})


def test_the_most_pressing_get_the_slots() -> None:
    lineup = lineup_of([row(1), row(3, open=2), row(2)])
    assert granted(allotment_of(lineup), 3) == [(1, 2), (2, 1)]


def test_a_campaign_gets_no_more_than_it_has_to_start() -> None:
    assert granted(allotment_of(lineup_of([row(open=2)])), 9) == [(0, 2)]


def test_nobody_gets_a_slot_that_is_not_free() -> None:
    assert granted(allotment_of(lineup_of([row()])), 0) == []


def test_small_tasks_share_a_slot() -> None:
    lineup = lineup_of([row(2, open=500, weight=0.01), row(1)])
    assert granted(allotment_of(lineup), 2) == [(0, 200)]
    assert granted(allotment_of(lineup), 6) == [(0, 500), (1, 1)]


def test_pins_come_before_all_others() -> None:
    lineup = lineup_of([row(9), row(1, pinned=True), row(5, waited_h=99)])
    rules = Rules(Reserve(share=0.5, max_wait_h=10), Shares(total=0))
    books = Books(rules, NOW, reserve=Credit(1.0))
    assert [g.row for g in allotment_of(lineup, rules, books=books).fill(3)] == [1, 2, 0]


def test_the_reserve_serves_who_waited_longest() -> None:
    rules = Rules(Reserve(share=0.5, max_wait_h=10), Shares(total=0))
    lineup = lineup_of([row(9, open=9), row(1, waited_h=20), row(2, waited_h=30), row(3, waited_h=5)])
    allotment = allotment_of(lineup, rules, slots=2, books=Books(rules, NOW, reserve=Credit(1.0)))
    assert allotment.fill(2) == [Grant(2, 1, Via.RESERVE), Grant(0, 1, Via.RANK)]


def test_a_reserve_that_is_in_use_or_without_credit_serves_nobody_more() -> None:
    rules = Rules(Reserve(share=0.25, max_wait_h=10), Shares(total=0))
    rows = [row(9, open=9), row(1, waited_h=20), row(2, waited_h=30, running=1, open=0, via=Via.RESERVE)]
    in_use = allotment_of(lineup_of(rows), rules, books=Books(rules, NOW, reserve=Credit(5.0)))
    assert [g.row for g in in_use.fill(2)] == [0]
    overdrawn = allotment_of(lineup_of(rows[:2]), rules, slots=2, books=Books(rules, NOW, reserve=Credit(-1.0)))
    assert [g.row for g in overdrawn.fill(2)] == [0]


def test_an_account_below_its_guaranteed_share_goes_before_the_more_pressing() -> None:
    rules = Rules(Reserve(share=0), Shares(total=0.5))
    lineup = lineup_of([row(9, open=9), row(1, open=9, account="small")])
    books = Books(rules, NOW, accounts={"acme": Credit(), "small": Credit()})
    assert granted(allotment_of(lineup, rules, slots=8, books=books), 8) == [(0, 2), (1, 2), (0, 4)]


def test_an_account_that_just_came_has_its_share_before_any_time_has_passed() -> None:
    rules = Rules(Reserve(share=0), Shares(total=0.5))
    lineup = lineup_of([row(9, running=8, open=9), row(1, open=9, account="small")])
    assert next(allotment_of(lineup, rules, slots=8, books=Books(rules, NOW)).claims()) == (1, Via.SHARE)


def test_what_an_account_saved_up_protects_no_more_of_its_slots_than_its_share_rounded_up() -> None:
    rules = Rules(Reserve(share=0), Shares(total=0.5))
    books = Books(rules, NOW, accounts={"acme": Credit(99.0), "small": Credit()})

    def protected(running: int) -> bool:
        lineup = lineup_of([row(1, running=running, via=Via.SHARE), row(9, account="small")])
        return allotment_of(lineup, rules, slots=9, books=books).by_right(0)

    assert [protected(running) for running in (2, 3, 4)] == [True, True, False]


def test_what_an_ended_campaign_still_runs_counts_as_its_account_s() -> None:
    rules = Rules(Reserve(share=0), Shares(total=0.5))
    lineup = lineup_of([row(9, open=9), row(1, open=9, account="small")])
    ended = replace(lineup, stopping=[(Terms("small"), 2, 1.0)])
    assert [grant.via for grant in allotment_of(lineup, rules, slots=8).fill(4)] == [Via.SHARE, Via.SHARE]
    assert [(grant.row, grant.via) for grant in allotment_of(ended, rules, slots=8).fill(4)] == [
        (0, Via.SHARE),
        (0, Via.RANK),
    ]


def test_an_account_alone_needs_no_share() -> None:
    rules = Rules(Reserve(share=0), Shares(total=0.5))
    assert [g.via for g in allotment_of(lineup_of([row(9, open=9)]), rules).fill(4)] == [Via.RANK]


def test_a_full_key_is_stepped_over_and_holds_up_nobody_else() -> None:
    lineup = lineup_of([row(9, open=5, limits=["channel:sms"]), row(1, open=5)])
    allotment = allotment_of(lineup, limited(channel_sms=Limit(concurrency=2)))
    assert granted(allotment, 4) == [(0, 2), (1, 2)]
    held = allotment.hindrance(0)
    assert held is not None
    assert (held.reason, held.object, held.until_h) == (Reason.CONCURRENCY_LIMITED, "channel:sms", None)


def test_what_runs_under_a_key_counts_for_it() -> None:
    rows = [row(9, limits=["channel:sms"]), row(5, running=2, open=0, limits=["channel:sms"])]
    assert granted(allotment_of(lineup_of(rows), limited(channel_sms=Limit(concurrency=2))), 2) == []


def test_a_rate_lets_start_what_the_bucket_holds_and_says_when_the_rest() -> None:
    rules = limited(channel_sms=Limit(rate_per_s=1, burst=100))
    lineup = lineup_of([row(9, open=5, chunk_units=40, limits=["channel:sms"]), row(1)])
    allotment = allotment_of(lineup, rules)
    assert granted(allotment, 4) == [(0, 2), (1, 1)]
    held = allotment.hindrance(0)
    assert held is not None
    assert held.reason is Reason.RATE_LIMITED
    assert held.until_h is not None
    assert abs(held.until_h - NOW - 20 / 3600) < 1e-9
    assert held.at_least
    assert allotment.next_turn_h() == inf, "the bucket is full: first one of the two must end"
    spent = allotment_of(lineup, rules, books=Books(rules, NOW, {"channel:sms": 70.0}))
    assert granted(spent, 4) == [(1, 1)]
    held = spent.hindrance(0)
    assert held is not None
    assert (held.at_least, spent.next_turn_h()) == (False, held.until_h), "time alone will do"


def test_what_runs_holds_back_the_units_it_is_expected_to_need() -> None:
    rules = limited(channel_sms=Limit(rate_per_s=1, burst=100))
    rows = [
        row(9, chunk_units=40, limits=["channel:sms"]),
        row(5, running=2, open=0, chunk_units=40, limits=["channel:sms"]),
    ]
    assert granted(allotment_of(lineup_of(rows), rules), 2) == []
    rows[1]["running"] = 1
    assert granted(allotment_of(lineup_of(rows), rules), 2) == [(0, 1)]


def test_a_chunk_larger_than_the_bucket_starts_when_it_is_full() -> None:
    rules = limited(channel_sms=Limit(rate_per_s=1, burst=100))
    lineup = lineup_of([row(chunk_units=1000, limits=["channel:sms"])])
    assert granted(allotment_of(lineup, rules), 1) == [(0, 1)]
    assert granted(allotment_of(lineup, rules, books=Books(rules, NOW, {"channel:sms": 1.0})), 1) == []


def test_a_campaign_that_begins_under_a_cap_begins_with_as_many_tasks_as_there_are_slots() -> None:
    rules = Rules(NO_RULES.reserve, NO_RULES.shares, cap=Cap(count=1, window_h=1.0))
    lineup = lineup_of([row(9, open=3, targets=["vip"]), row(5, targets=["vip"]), row(1)])
    assert granted(allotment_of(lineup, rules), 4) == [(0, 3), (2, 1)]


def test_two_campaigns_never_hold_one_key() -> None:
    lineup = lineup_of([row(9, exclusive=["vip"]), row(5, exclusive=["vip", "eu"]), row(1, exclusive=["us"])])
    allotment = allotment_of(lineup)
    assert granted(allotment, 3) == [(0, 1), (2, 1)]
    held = allotment.hindrance(1)
    assert held is not None
    assert (held.reason, held.object, held.row) == (Reason.CONFLICTS_WITH, "vip", 0)


def test_a_begun_campaign_holds_its_key_also_while_it_waits() -> None:
    lineup = lineup_of([row(9, exclusive=["vip"]), row(5, begun=True, exclusive=["vip"])])
    assert granted(allotment_of(lineup), 2) == [(1, 1)]


@pytest.mark.parametrize("holds", [{"worked_h": -1.0}, {"running": 1, "open": 1}])
def test_a_begun_campaign_that_let_go_of_its_key_does_not_take_it_back_from_its_holder(holds: dict[str, float]) -> None:
    resumed = row(9, begun=True, worked_h=-2.0, exclusive=["vip"])
    holder = row(1, begun=True, exclusive=["vip"], **holds)
    assert granted(allotment_of(lineup_of([resumed, holder])), 2) == [(1, 1)]
    assert granted(allotment_of(lineup_of([holder, resumed])), 2) == [(0, 1)]


def test_the_holder_of_a_key_presses_as_hard_as_whom_it_keeps_waiting() -> None:
    lineup = lineup_of([row(9, exclusive=["vip"]), row(1, begun=True, exclusive=["vip"]), row(5)])
    assert granted(allotment_of(lineup), 1) == [(1, 1)]


def test_a_chain_of_predecessors_inherits_from_its_end() -> None:
    lineup = lineup_of([row(9, open=0), row(1, open=0), row(2), row(5)], follows=[(0, 1), (1, 2)])
    assert granted(allotment_of(lineup), 1) == [(2, 1)]


def test_a_predecessor_inherits_a_pin() -> None:
    lineup = lineup_of([row(1, open=0, pinned=True), row(2), row(9)], follows=[(0, 1)])
    assert granted(allotment_of(lineup), 1) == [(1, 1)]


def test_a_capped_target_is_addressed_again_when_the_window_has_passed() -> None:
    rules = Rules(Reserve(share=0), Shares(total=0), cap=Cap(count=2, window_h=24))
    books = Books(rules, NOW)
    books.addressed(["vip"], NOW - 20)
    lineup = lineup_of([row(9, targets=["vip"]), row(5, targets=["vip"]), row(1, targets=["other"])])
    allotment = allotment_of(lineup, rules, books=books)
    assert granted(allotment, 3) == [(0, 1), (2, 1)]
    held = allotment.hindrance(1)
    assert held is not None
    assert (held.reason, held.object) == (Reason.FREQUENCY_CAPPED, "vip")
    books.addressed(["vip"], NOW - 10)
    held = allotment_of(lineup, rules, books=books).hindrance(0)
    assert held is not None
    assert held.until_h == NOW + 4


def test_a_begun_campaign_is_not_capped() -> None:
    rules = Rules(Reserve(share=0), Shares(total=0), cap=Cap(count=1))
    books = Books(rules, NOW)
    books.addressed(["vip"], NOW - 1)
    assert granted(allotment_of(lineup_of([row(begun=True, targets=["vip"])]), rules, books=books), 1) == [(0, 1)]


def test_grants_on_paper_leave_the_original_alone() -> None:
    allotment = allotment_of(
        lineup_of([row(9, limits=["channel:sms"], open=2)]), limited(channel_sms=Limit(concurrency=1))
    )
    paper = allotment.copy()
    assert granted(paper, 1) == [(0, 1)]
    assert paper.hindrance(0) is not None
    assert allotment.hindrance(0) is None
    assert allotment.left == [2]


def test_by_rank_alone_there_is_no_claim_without_a_free_slot() -> None:
    assert list(allotment_of(lineup_of([row(9), row(1, running=1)]), NO_RULES).claims()) == []
