"""Chunks posted to a URL: what is sent, what is made of each answer, and where nothing is sent at all."""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest

from serving.errors import BadInput, HandlerUnknown, SettingInvalid, shown_url
from serving.executors.local import LocalExecutor
from serving.executors.retry import Retry
from serving.handlers.allowed import Allowed
from serving.handlers.http import Http
from serving.handlers.python import Handlers
from serving.handlers.web import MOST_BYTES, Web
from tests.contract.executor_bench import LEASE_S, Bench
from tests.floor import let_run, story, until
from tests.hook import Hook, Told, certified
from tests.queueing import NOON, a_task

DONE = Told({"done": True})


@asynccontextmanager
async def bench_of(
    *answers: Told,
    allow: tuple[str, ...] = ("127.0.0.1",),
    url: str | None = None,
    timeout_s: float = 5.0,
    names: Mapping[str, list[str]] | None = None,
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[tuple[Bench, Hook]]:
    """A bench whose task is posted to a hook; `names` are all that there is to be resolved."""

    async def resolve(host: str, _port: int) -> list[str]:
        return (names or {"127.0.0.1": ["127.0.0.1"]})[host]

    async with Hook(*answers).listening(context) as hook:
        web = Web(Allowed.of(allow), timeout_s=timeout_s, resolve=resolve)

        def build(store: Any, _handlers: Any, clock: Any, changed: Any) -> LocalExecutor:
            return LocalExecutor(
                store,
                Handlers({"post": Http(web)}),
                clock,
                slots=2,
                lease_s=LEASE_S,
                retry=Retry(attempts=2, first_s=1.0),
                chance=Random(3),
                changed=changed,
            )

        payload = {"url": (url or hook.url).replace("PORT", str(hook.port)), "list": "vip"}
        bench = Bench(build, handler="post", payload=payload)
        try:
            bench.start()
            yield bench, hook
        finally:
            await bench.executor.stop(grace_s=0)
            await web.close()


async def over(bench: Bench) -> None:
    """Wait until the attempt is over and stored."""
    await until(lambda: bench.progress().leased == 0)
    await let_run()


def the_letter(bench: Bench) -> str:
    (letter,) = bench.store.dead_letters()
    return letter.error


@story
async def test_each_chunk_is_posted_with_its_key_and_the_checkpoint_before():
    parts = [Told({"done": False, "checkpoint": {"page": 2}, "units_done": 4}), Told({"done": False, "units_done": 7})]
    async with bench_of(*parts, DONE) as (bench, hook):
        await over(bench)
        assert bench.progress().done == 1
    about = {"task_id": "t0", "campaign_id": "sale", "units": 10.0, "payload": {"url": hook.url, "list": "vip"}}
    assert [asked.body for asked in hook.asked] == [
        {**about, "checkpoint": checkpoint} for checkpoint in (None, {"page": 2}, {"page": 2})
    ]
    assert [asked.headers["idempotency-key"] for asked in hook.asked] == ["sale/t0/0", "sale/t0/1", "sale/t0/2"]
    assert hook.asked[0].line == "POST /send?list=1 HTTP/1.1"
    assert hook.asked[0].headers["host"] == f"127.0.0.1:{hook.port}"
    assert hook.asked[0].headers["content-type"] == "application/json"
    assert [run["units"] for run in bench.store.rows("runs")] == [4, 3, 3]
    assert hook.connections == 1, "it is kept open from chunk to chunk"


@story
async def test_a_task_that_resumes_posts_its_checkpoint_and_keeps_its_units():
    answers = [Told({"done": False, "checkpoint": 1, "units_done": 6}), Told({}, status=500), DONE]
    async with bench_of(*answers[:2], Told({"done": False, "checkpoint": 2}), DONE) as (bench, hook):
        await over(bench)
        bench.clock.advance(10)
        bench.start()
        await over(bench)
        assert bench.progress().done == 1
    assert [asked.body["checkpoint"] for asked in hook.asked] == [None, 1, 1, 2]
    assert [asked.headers["idempotency-key"][-1] for asked in hook.asked] == ["0", "1", "1", "2"]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("headers", "after_s"),
    [
        ({"Retry-After": "120"}, 120),
        ({"Retry-After": "Fri, 27 Nov 2026 12:02:00 GMT", "Date": "Fri, 27 Nov 2026 12:00:00 GMT"}, 120),
        ({"Retry-After": "Fri, 27 Nov 2026 11:00:00 GMT", "Date": "Fri, 27 Nov 2026 12:00:00 GMT"}, 1),
        ({"Retry-After": "999999999999"}, 86_400),
    ],
)
@story
async def test_an_endpoint_that_asks_for_time_gets_it_and_the_task_has_not_failed(status, headers, after_s):
    async with bench_of(Told({}, status, headers), DONE) as (bench, _):
        await over(bench)
        waits_s = (bench.store.standing("sale", NOON).retry_at - NOON).total_seconds()
        assert after_s <= waits_s <= after_s * 1.1
        bench.clock.advance(waits_s)
        (lease,) = bench.start()
        assert lease.attempts == 0
        await over(bench)
        assert bench.progress().done == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
@story
async def test_what_may_pass_is_tried_again_and_given_up_in_the_end(status):
    async with bench_of(Told(b"come again", status)) as (bench, hook):
        await over(bench)
        bench.clock.advance(10)
        bench.start()
        await over(bench)
        assert the_letter(bench).endswith(f"{shown_url(hook.url)} answered {status} (tried again later): come again")


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 410, 422])
@story
async def test_what_no_further_attempt_can_mend_is_a_dead_letter_at_once(status):
    elsewhere = {"Location": "http://127.0.0.1:9/"}
    async with bench_of(Told(b"no such list", status, elsewhere)) as (bench, hook):
        await over(bench)
        assert the_letter(bench).startswith(
            f"GiveUp: {shown_url(hook.url)} answered {status}, which no further attempt can mend"
        )
    assert len(hook.asked) == 1, "no redirect is followed"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Told(b"<html>"), "AnswerInvalid: http://.* answered 200 .*: <html>"),
        (Told({}), r"AnswerInvalid: .* \(the answer.done is required\)"),
        (Told({"done": "yes"}), r"AnswerInvalid: .* \(the answer.done must be a valid boolean\)"),
        (
            Told({"done": False, "units_done": "9"}),
            r"AnswerInvalid: .* \(the answer.units_done must be a valid number\)",
        ),
        (Told([]), "AnswerInvalid: .*the answer must be"),
        (Told({"done": False}), "CheckpointInvalid: the answer's checkpoint is None: must be another"),
        (Told({"done": False, "units_done": 11}), "CheckpointInvalid: checkpoint.units_done is 11"),
        (Told(b" " * (MOST_BYTES + 1)), "OSError: an answer must be at most 1,000,000 bytes long"),
        (Told(b"{", headers={"content-encoding": "gzip"}), "AnswerInvalid"),
    ],
)
@story
async def test_an_answer_that_is_none_fails_the_attempt_with_a_reason(answer, error):
    async with bench_of(answer) as (bench, _):
        await over(bench)
        bench.clock.advance(10)
        bench.start()
        await over(bench)
        assert re.match(error, the_letter(bench)), the_letter(bench)


@story
async def test_an_answer_that_does_not_come_in_time_is_tried_again():
    async with bench_of(Told({"done": True}, stalls=True), DONE, timeout_s=0.1) as (bench, hook):
        await over(bench)
        assert bench.outcomes() == ["failed"]
        bench.clock.advance(10)
        bench.start()
        await over(bench)
        assert bench.progress().done == 1
    assert [asked.headers["idempotency-key"] for asked in hook.asked] == ["sale/t0/0"] * 2


@story
async def test_nobody_there_is_tried_again():
    async with bench_of(DONE, url="http://127.0.0.1:9/") as (bench, _):
        await over(bench)
        assert bench.outcomes() == ["failed"]
        assert bench.progress().queued == 1


@pytest.mark.parametrize("stands_for", [["127.0.0.1"], ["::1", "10.0.0.7"], ["169.254.169.254"]])
@story
async def test_a_name_that_turns_out_to_stand_for_a_private_address_is_not_connected_to(stands_for):
    names = {"hooks.example.com": stands_for}
    allow, url = ("hooks.example.com",), "http://hooks.example.com:PORT/"
    async with bench_of(DONE, allow=allow, url=url, names=names) as (bench, hook):
        await over(bench)
        expected = f"GiveUp: hooks.example.com stands for {', '.join(stands_for)}: no address that is public or listed"
        assert the_letter(bench).startswith(expected)
    assert hook.connections == 0


@story
async def test_a_name_may_stand_for_an_address_of_a_network_that_is_listed():
    names = {"hooks.example.com": ["10.0.0.7", "127.0.0.1"]}
    allow, url = ("hooks.example.com", "127.0.0.0/8"), "http://hooks.example.com:PORT/send"
    async with bench_of(DONE, allow=allow, url=url, names=names) as (bench, hook):
        await over(bench)
        assert bench.progress().done == 1
    assert hook.asked[0].headers["host"] == f"hooks.example.com:{hook.port}"


@story
async def test_the_certificate_is_that_of_the_name_though_the_address_was_looked_up_here(tmp_path, monkeypatch):
    context, authority = certified("hooks.example.com", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    for name, expected in (("hooks.example.com", "done"), ("other.example.com", "failed")):
        allow, url = (name, "127.0.0.1"), f"https://{name}:PORT/"
        async with bench_of(DONE, allow=allow, url=url, names={name: ["127.0.0.1"]}, context=context) as (bench, _):
            await over(bench)
            assert bench.outcomes() == [expected]


@pytest.mark.parametrize(
    ("payload", "field", "allowed"),
    [
        ({}, "payload.url", "must be the URL"),
        ({"url": 7}, "payload.url", "must be the URL"),
        ({"url": "http://localhost:8080/"}, "payload.url", "must lead to what http_allow lists: https://hooks"),
        ({"url": "file:///etc/passwd"}, "payload.url", "must be a URL that begins with https://HOST"),
    ],
)
def test_a_task_with_a_url_that_is_not_allowed_is_refused_at_submission(payload, field, allowed):
    handlers = Handlers.loaded({}, {}, allowed=Allowed.of(["https://hooks.example.com"]))
    with pytest.raises(BadInput) as refused:
        handlers.check(a_task(handler="http", payload=payload), where="tasks[3].")
    (fault,) = refused.value.faults
    assert (fault.field, fault.value) == (f"tasks[3].{field}", payload.get("url"))
    assert fault.allowed.startswith(allowed)
    handlers.check(a_task(handler="http", payload={"url": "https://hooks.example.com/send"}))


def test_an_unknown_handler_is_refused_where_it_stands():
    with pytest.raises(HandlerUnknown, match=r"tasks\[3\].handler 'fax' is not registered: one of http"):
        Handlers.loaded({}, {}).check(a_task(handler="fax"), where="tasks[3].")


@story
async def test_a_handler_may_be_a_url_of_the_operator_s_own_which_need_not_be_listed():
    async with Hook(DONE).listening() as hook:
        handlers = Handlers.loaded({"post": hook.url}, {})

        def build(store: Any, _handlers: Any, clock: Any, changed: Any) -> LocalExecutor:
            return LocalExecutor(
                store, handlers, clock, slots=1, lease_s=LEASE_S, retry=Retry(), chance=Random(3), changed=changed
            )

        bench = Bench(build, handler="post", payload={"url": "http://evil.example/"})
        bench.start()
        await over(bench)
        assert bench.progress().done == 1
        with pytest.raises(BadInput, match="must lead to what http_allow lists: nothing"):
            handlers.check(a_task(handler="http", payload={"url": hook.url}))
        await handlers.close()


@pytest.mark.parametrize("url", ["https://", "http://me:secret@hooks.example.com/"])
def test_a_handler_s_url_that_is_none_is_refused(url):
    with pytest.raises(SettingInvalid, match=r"setting handlers.post is .*: .*must be a URL"):
        Handlers.loaded({"post": url}, {})
