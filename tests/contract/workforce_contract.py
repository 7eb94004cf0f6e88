"""What every store promises of leases that are handed over, and of those who take them up."""

from __future__ import annotations

from serving.scheduling.ports import Store, Worker
from serving.scheduling.work import Completed, Reached
from tests.queueing import NOON, after, claimed, reported, submitted_ready


class WorkforceContract:
    def test_a_lease_that_was_handed_over_is_its_takers(self, store: Store):
        submitted_ready(store)
        claim = claimed(store)
        (lease,) = store.take([claim.lease_id], "here", "w1", after(5), after(65))
        assert (lease.lease_id, lease.task, lease.until, lease.chunk_from) == (
            claim.lease_id,
            claim.task,
            after(65),
            after(5),
        )
        (out,) = store.out()
        assert (out.lease_id, out.campaign_id, out.owner) == (claim.lease_id, "sale", "w1")
        assert (out.chunk, out.chunk_from, out.until) == (0, after(5), after(65))
        assert store.recover(after(6), attempts=3, owner="here") == 0, "whoever claimed it does not have it any more"
        assert reported(store, lease, Reached(1, 5.0), after(20)) is not None
        assert reported(store, claim, Completed(), after(30)) is not None, "the fence is the same"
        assert store.out() == []
        assert store.rows("runs")[0]["started_at"] == after(5)

    def test_a_lease_is_taken_up_once(self, store: Store):
        submitted_ready(store)
        lease = claimed(store)
        assert store.take([lease.lease_id] * 2, "here", "w1", NOON, after(60)) == [lease]
        for late in ("w1", "w2"):
            assert store.take([lease.lease_id], "here", late, NOON, after(60)) == []

    def test_what_ran_out_was_revoked_or_is_another_s_cannot_be_taken_up(self, store: Store):
        submitted_ready(store, tasks=2)
        first, second = claimed(store), claimed(store)
        assert store.take([first.lease_id], "somebody", "w1", NOON, after(60)) == []
        assert store.take([first.lease_id], "here", "w1", after(60), after(120)) == []
        store.recover(after(60), attempts=3)
        again = claimed(store, at=after(61))
        assert again.task == first.task
        assert store.take([first.lease_id, second.lease_id], "here", "w1", after(61), after(120)) == []
        assert store.leased([first.lease_id, again.lease_id, "99.1", "what?"]) == [again]
        for nobodys in ("", "what?", "1", "1.", ".1", "-1.1", "1.1.1", "99.1", f"{again.key}.99"):
            assert store.take([nobodys], "here", "w1", after(61), after(120)) == [], nobodys

    def test_leases_are_taken_up_in_the_order_asked(self, store: Store):
        submitted_ready(store, tasks=3)
        ids = [claimed(store).lease_id for _ in range(3)]
        assert [lease.lease_id for lease in store.take(ids[::-1], "here", "w1", NOON, after(60))] == ids[::-1]
        assert [out.lease_id for out in store.out()] == ids

    def test_workers_are_known_as_long_as_they_said_or_until_they_leave(self, store: Store):
        store.announce(Worker("w2", 2, after(60)), NOON)
        store.announce(Worker("w1", 4, after(30)), NOON)
        assert store.workers(NOON) == [Worker("w1", 4, after(30)), Worker("w2", 2, after(60))]
        assert [worker.name for worker in store.workers(after(30))] == ["w2"]
        store.announce(Worker("w1", 8, after(90)), after(30))
        assert store.workers(after(30))[0] == Worker("w1", 8, after(90))
        store.announce(Worker("w2", 2, after(31)), after(31))
        assert [worker.name for worker in store.workers(after(31))] == ["w1"]

    def test_those_long_gone_are_forgotten_when_another_tells(self, store: Store):
        store.announce(Worker("w1", 4, after(30)), NOON)
        store.announce(Worker("w2", 4, after(90)), after(31))
        assert [worker.name for worker in store.workers(NOON)] == ["w2"]
