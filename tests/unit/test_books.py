"""What time gives: tokens of rate limits, credit of the reserve and of accounts."""

from __future__ import annotations

import pytest

from serving.scheduling.books import Books, Credit
from serving.scheduling.lineup import Via
from serving.scheduling.rules import Limit, Reserve, Rules, Shares
from tests.lineups import lineup_of, row
from tests.queues import NOW

SMS = Rules(Reserve(share=0), Shares(total=0), {"channel:sms": Limit(rate_per_s=2, burst=100)})
SHARED = Rules(Reserve(share=0), Shares(total=0.5))
RESERVED = Rules(Reserve(share=0.25, max_wait_h=10), Shares(total=0))


def test_a_bucket_fills_at_its_rate_and_no_further() -> None:
    books = Books(SMS, NOW)
    books.spend(["channel:sms"], 100)
    assert books.short_h("channel:sms", 50, 0) == pytest.approx(25 / 3600)
    lineup_of([row()]).pass_time(books, NOW + 25 / 3600, 1)
    assert books.short_h("channel:sms", 50, 0) == 0
    lineup_of([row()]).pass_time(books, NOW + 1, 1)
    assert books.spent == {"channel:sms": 0}


def test_books_that_are_opened_do_not_know_what_was_used_before() -> None:
    assert Books.opened(SMS, NOW).short_h("channel:sms", 100, 0) == pytest.approx(50 / 3600)


def test_what_more_than_a_bucket_took_is_paid_back() -> None:
    books = Books(SMS, NOW)
    books.spend(["channel:sms"], 1000)
    assert books.short_h("channel:sms", 1, 0) == pytest.approx(901 / 2 / 3600)


def test_an_account_that_gets_nothing_gains_its_share_of_the_slots() -> None:
    books = Books(SHARED, NOW)
    lineup_of([row(running=4, open=0), row(account="small")]).pass_time(books, NOW + 2, 4)
    assert books.accounts["small"].slot_h == pytest.approx(0.25 * 4 * 2)
    assert books.accounts["acme"].slot_h == 0


def test_what_was_borrowed_while_others_were_idle_is_not_held_against_an_account() -> None:
    books = Books(SHARED, NOW)
    lineup_of([row(running=4)]).pass_time(books, NOW + 100, 4)
    lineup_of([row(running=4), row(account="small")]).pass_time(books, NOW + 101, 4)
    assert books.accounts["acme"].slot_h == 0


def test_what_a_share_gave_is_paid_for() -> None:
    books = Books(SHARED, NOW)
    lineup_of([row(running=3), row(account="small", running=1, via=Via.SHARE)]).pass_time(books, NOW + 1, 2)
    assert books.accounts["small"].slot_h == pytest.approx(0.25 * 2 - 1)


def test_what_a_share_gave_is_paid_for_only_as_far_as_rank_does_not_give_it_by_now() -> None:
    books = Books(SHARED, NOW)
    small = [row(account="small", running=1, via=Via.SHARE), row(account="small", running=2)]
    lineup_of([row(running=3), *small]).pass_time(books, NOW + 1, 4)
    assert books.accounts["small"].slot_h == 0


def test_slots_that_rank_gave_beside_those_of_a_right_are_not_paid_for_with_it() -> None:
    books = Books(RESERVED, NOW)
    lineup_of([row(running=4, via=Via.RESERVE, lent=1), row(waited_h=20)]).pass_time(books, NOW + 1, 4)
    all_lent = Books(RESERVED, NOW)
    lineup_of([row(running=4, via=Via.RESERVE), row(waited_h=20)]).pass_time(all_lent, NOW + 1, 4)
    assert books.reserve.slot_h == pytest.approx(all_lent.reserve.slot_h + 3)


def test_what_a_row_has_by_a_right_is_what_was_given_by_it_and_still_runs() -> None:
    started = lineup_of([row(open=9)]).started({0: 4}, [(0, Via.SHARE, 2), (0, Via.RANK, 3)])
    assert (int(started.via[0]), int(started.lent[0]), int(started.running[0])) == (Via.SHARE, 2, 4)
    fewer = lineup_of([row(open=9)]).started({0: 1}, [(0, Via.SHARE, 2)])
    assert int(fewer.lent[0]) == 1


def test_the_reserve_gains_only_while_somebody_is_overdue() -> None:
    books = Books(RESERVED, NOW)
    lineup_of([row(waited_h=5)]).pass_time(books, NOW + 1, 4)
    assert books.reserve.slot_h == 0
    lineup_of([row(waited_h=20)]).pass_time(books, NOW + 3, 4)
    assert books.reserve.slot_h == pytest.approx(2)


@pytest.mark.parametrize(
    ("slot_h", "share_of_slots", "held", "entitled"),
    [
        (0.0, 2.0, 1, True),  # below its share in slots
        (0.0, 2.0, 2, False),
        (1.0, 1.5, 1, True),  # behind, and below the share rounded up
        (1.0, 1.5, 2, False),
        (0.0, 1.5, 1, False),
        (1.0, 0.0, 0, False),
    ],
)
def test_a_right_to_a_slot(slot_h: float, share_of_slots: float, held: float, *, entitled: bool) -> None:
    assert Credit(slot_h).entitled(share_of_slots, held) is entitled


def test_shares_that_exceed_their_total_are_refused() -> None:
    with pytest.raises(ValueError, match=r"add up to 0\.7"):
        Shares(total=0.5, of={"a": 0.3, "b": 0.4})


def test_accounts_without_a_share_of_their_own_divide_the_rest() -> None:
    assert Shares(total=0.5, of={"a": 0.3}).guaranteed(["a", "b", "c"]) == pytest.approx({"a": 0.3, "b": 0.1, "c": 0.1})
