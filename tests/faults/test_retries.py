"""Handlers that fail, and dead letters that cannot be stored (scenarios 13, 14, 16, 17 and 28)."""

from __future__ import annotations

import asyncio
import json
import signal
from itertools import pairwise

import pytest

import lightbus
from lightbus.jetstream.connection.wire import Message
from lightbus.jetstream.streams.resources import dead_letter_stream
from lightbus.testing import NatsServer
from tests.conformance.kits import look_into
from tests.faults.conftest import Open
from tests.faults.jobs import JobApi
from tests.faults.ledger import Ledger
from tests.faults.proxy import Proxy
from tests.faults.state import DEAD_LETTERS, count, dead_letters, durable, until_settled
from tests.faults.waiting import BOUND, until
from tests.faults.workers import Workers

AT_ONCE = {"first": 0.0, "limit": 0.0}


async def test_s13_retries_wait_as_the_listener_says(
    server: NatsServer, producer: Open, workers: Workers, ledger: Ledger
) -> None:
    """The waits are the client's; a `backoff` on the consumer would silently override them."""
    workers.ready(one={"backoff": {"first": 0.2, "factor": 2.0, "jitter": 0.0}, "ack_wait": 60.0})
    await producer().job.wanted.fire_async(number=1, order="raise:4")
    await until_settled(server.url)
    assert ledger.attempts(1) == [1, 2, 3, 4, 5]
    begun = [entry.at for entry in ledger.entries if entry.kind == "begin"]
    waits = [later - earlier for earlier, later in pairwise(begun)]
    for wait, asked in zip(waits, [0.2, 0.4, 0.8, 1.6], strict=True):
        assert asked <= wait < 30  # a lost retry would come after ack_wait, 60 s
    config = (await durable(server.url))["config"]
    assert "backoff" not in config
    assert config["max_deliver"] == -1


async def test_s14_a_poison_event_runs_three_times_and_holds_nobody_up(
    server: NatsServer, producer: Open, workers: Workers, ledger: Ledger
) -> None:
    workers.ready(one={"retries": 2, "backoff": AT_ONCE})
    advisories: asyncio.Queue[Message] = asyncio.Queue()
    bus = producer()
    async with look_into(server.url) as looking:
        await looking.subscribe("$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>", advisories.put_nowait)
        await looking.api("INFO")  # the subscription has reached the server
        poison = await bus.job.wanted.fire_async(number=0, order="raise")
        for number in range(1, 11):
            await bus.job.wanted.fire_async(number=number)
        await until_settled(server.url)
        advisory = json.loads((await asyncio.wait_for(advisories.get(), BOUND)).body)
    assert ledger.attempts(0) == [1, 2, 3]
    assert ledger.handled() == dict.fromkeys(range(1, 11), 1)
    assert (advisory["consumer"], advisory["stream_seq"], advisory["reason"]) == (
        *("worker-one", 1),
        "ValueError: as ordered",
    )
    (dead_letter,) = await dead_letters(server.url)
    assert (dead_letter.event_id, dead_letter.failure.reason) == (poison.id, "ValueError: as ordered")


async def test_s28_an_ordered_listener_lets_nobody_past_an_event_that_fails(
    server: NatsServer, producer: Open, workers: Workers, ledger: Ledger
) -> None:
    bus = producer()
    for number, order in enumerate(["raise:2", "work", "work"]):
        await bus.job.wanted.fire_async(number=number, order=order)
    workers.ready(one={"ordered": True, "backoff": {"first": 0.2, "limit": 0.2}})
    await until_settled(server.url)
    assert ledger.began() == [0, 0, 0, 1, 2]


async def test_s16_a_worker_killed_between_the_dead_letter_and_the_end_of_its_event_leaves_one_dead_letter(
    server: NatsServer, producer: Open, workers: Workers, ledger: Ledger, proxy: Proxy
) -> None:
    options = {"retries": 2, "backoff": AT_ONCE, "ack_wait": 1.0}
    caught = proxy.catch(b"+TERM")
    worker = workers.ready(url=proxy.url, one=options)
    await producer().job.wanted.fire_async(number=1, order="raise")
    assert await asyncio.to_thread(caught, BOUND)
    worker.signal(signal.SIGKILL)
    (before,) = await dead_letters(server.url)
    assert (await durable(server.url))["num_ack_pending"] == 1
    workers.ready(one=options)
    await until_settled(server.url)
    (dead_letter,) = await dead_letters(server.url)
    assert dead_letter.failure.reason == before.failure.reason == "ValueError: as ordered"
    assert ledger.attempts(1) == [1, 2, 3]


@pytest.mark.parametrize("version", [(2, 15), (2, 10)], ids=["ours", "of an earlier server"])
async def test_s17_an_event_whose_dead_letter_does_not_fit_stays_until_it_does(
    server: NatsServer, producer: Open, workers: Workers, ledger: Ledger, version: tuple[int, int]
) -> None:
    full = {**dead_letter_stream("lightbus", version).config, "max_msgs": 1}
    async with look_into(server.url) as operator:
        await operator.api(f"STREAM.CREATE.{DEAD_LETTERS}", full)
        await operator.request(f"{DEAD_LETTERS}.full", b"", BOUND)
        workers.ready(one={"retries": 0})
        bus = producer()
        await bus.job.wanted.fire_async(number=1, order="raise")
        await bus.job.wanted.fire_async(number=2)
        await until(lambda: ledger.handled() == {2: 1}, "the next event is handled")
        assert (await durable(server.url))["num_ack_pending"] == 1
        assert await count(server.url, DEAD_LETTERS) == 1
        await operator.api(f"STREAM.UPDATE.{DEAD_LETTERS}", {**full, "max_msgs": -1})
    await until_settled(server.url)
    foreign, dead_letter = await dead_letters(server.url)
    assert "not that of a dead letter" in foreign.problem
    assert dead_letter.failure.reason == "ValueError: as ordered"
    assert ledger.attempts(1) == [1]


async def test_the_reason_of_an_event_whose_dead_letter_never_fit_is_in_the_log_of_its_dead_worker(
    server: NatsServer, producer: Open, workers: Workers
) -> None:
    full = {"name": DEAD_LETTERS, "subjects": [f"{DEAD_LETTERS}.>"], "discard": "new", "max_bytes": 1}
    async with look_into(server.url) as operator:
        await operator.api(f"STREAM.CREATE.{DEAD_LETTERS}", {**full, "allow_direct": True})
        worker = workers.ready(one={"retries": 0})
        await producer().job.wanted.fire_async(number=1, order="raise")

        async def is_exhausted() -> bool:
            return int((await durable(server.url))["delivered"]["consumer_seq"]) >= 3

        await until(is_exhausted, "it was delivered three times")
        worker.signal(signal.SIGKILL)
        await operator.api(f"STREAM.UPDATE.{DEAD_LETTERS}", {**full, "allow_direct": True, "max_bytes": -1})
    workers.ready(one={"retries": 0})
    await until_settled(server.url)
    (dead_letter,) = await dead_letters(server.url)
    assert dead_letter.failure.reason.startswith("delivered 3 times without a result; ")
    assert dead_letter.failure.reason.endswith("or could not store its dead letter: see their logs")


DENIED = """
authorization { users = [
  { user: admin, password: x }
  { user: worker, password: x, permissions: { publish: { deny: ["%s.>"] } } }
] }
"""


async def test_s17_an_event_whose_dead_letter_is_denied_stays_until_it_is_allowed(
    workers: Workers, ledger: Ledger
) -> None:
    with NatsServer(config=DENIED % DEAD_LETTERS) as server:
        operator = server.url.replace("//", "//admin:x@")
        workers.ready(url=server.url.replace("//", "//worker:x@"), one={"retries": 0})
        async with lightbus.create(url=operator, apis=[JobApi], timeout=BOUND) as bus:
            await bus.job.wanted.fire_async(number=1, order="raise")
            await bus.job.wanted.fire_async(number=2)
        await until(lambda: ledger.handled() == {2: 1}, "the next event is handled")
        assert (await durable(operator))["num_ack_pending"] == 1
        server.reload(DENIED % "elsewhere")
        await until_settled(operator)
        (dead_letter,) = await dead_letters(operator)
        assert dead_letter.failure.reason == "ValueError: as ordered"
        assert ledger.attempts(1) == [1]
