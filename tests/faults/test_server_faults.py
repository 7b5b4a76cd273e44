"""The server is killed, paused and started again (scenarios 1 to 4, 6 and 31)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable

import pytest

from lightbus import PublishFailed, PublishUnknown
from lightbus.event.envelope import MESSAGE_ID
from lightbus.jetstream import JetStreamTransport
from lightbus.testing import NatsServer
from lightbus.transport import Outgoing
from tests.faults.conftest import Open
from tests.faults.ledger import Ledger
from tests.faults.servers import pause, resume
from tests.faults.state import count, durable, stored, until_settled
from tests.faults.waiting import BOUND, until
from tests.faults.workers import Workers


async def restart(server: NatsServer) -> None:
    """Kill a server and start it again, while the event loop runs."""
    server.kill()
    await asyncio.to_thread(server.start)


@pytest.mark.timeout(300)
async def test_s01_what_was_acknowledged_is_handled_however_often_the_server_is_killed(
    server: NatsServer, producer: Open, workers: Workers, ledger: Ledger
) -> None:
    workers.ready(one={"ack_wait": 2.0, "concurrency": 4})
    bus = producer()
    acknowledged: list[int] = []
    over = asyncio.Event()

    async def fire() -> None:
        number = 0
        while not over.is_set():
            number += 1
            await bus.job.wanted.fire_async(number=number)
            acknowledged.append(number)

    async def fired(more: int) -> None:
        wanted = len(acknowledged) + more
        await until(lambda: len(acknowledged) >= wanted, f"{more} more fires succeed")

    firing = asyncio.create_task(fire())
    for _ in range(20):
        await fired(20)
        await restart(server)
    await fired(1)
    over.set()
    await firing
    await until_settled(server.url)
    assert set(ledger.handled()) >= set(acknowledged)
    assert await count(server.url) == len(acknowledged)  # fired again under its id, an event is stored once


async def test_s02_an_event_that_could_not_be_sent_is_not_sent_later(
    server: NatsServer, producer: Open
) -> None:
    bus = producer(timeout=1.0)
    await bus.job.wanted.fire_async(number=1)
    server.kill()
    assert not await succeeds(bus.job.wanted.fire_async(number=2))  # the bus knows it is disconnected
    with pytest.raises(PublishFailed) as caught:
        await bus.job.wanted.fire_async(number=3)
    await asyncio.to_thread(server.start)
    await until(lambda: succeeds(bus.job.wanted.fire_async(number=4)), "a fire succeeds")
    bodies = [message.body for message in await stored(server.url)]
    assert not [body for body in bodies if caught.value.event_id.encode() in body]


async def succeeds(fire: Awaitable[object]) -> bool:
    try:
        await fire
    except (PublishFailed, PublishUnknown):
        return False
    return True


async def test_s02_an_event_of_unknown_outcome_can_be_sent_again_under_its_id(server: NatsServer) -> None:
    transport = JetStreamTransport(server.url, service_name="producer", prefix="lightbus")
    await transport.connect()
    try:
        event = Outgoing("job", "wanted", "the-id", b"{}", {MESSAGE_ID: "the-id"})
        other = Outgoing("job", "wanted", "first", b"{}", {MESSAGE_ID: "first"})
        await transport.publish(other, timeout=BOUND)
        pause(server)
        with pytest.raises(PublishUnknown) as caught:
            await transport.publish(event, timeout=1.0)
        assert caught.value.event_id == "the-id"
        resume(server)
        assert (await transport.publish(event, timeout=BOUND)).sequence == 2
        assert await count(server.url) == 2
    finally:
        resume(server)
        await transport.close()


async def test_s03_a_fire_outlasts_a_restart_of_the_server_and_is_stored_once(
    server: NatsServer, producer: Open
) -> None:
    bus = producer()
    await bus.job.wanted.fire_async(number=1)
    pause(server)
    firing = asyncio.create_task(
        bus.job.wanted.fire_async(number=2)
    )  # its bytes reach a server that will be killed
    await asyncio.sleep(0)
    server.kill()
    third = asyncio.create_task(bus.job.wanted.fire_async(number=3))
    await asyncio.to_thread(server.start)
    await asyncio.gather(firing, third)
    assert await count(server.url) == 3


async def test_s04_a_pause_of_the_server_costs_nothing(
    server: NatsServer, producer: Open, workers: Workers, ledger: Ledger
) -> None:
    workers.ready()
    bus = producer(timeout=1.5)
    await bus.job.wanted.fire_async(number=1)
    pause(server)
    for number in (2, 3):  # three seconds pass
        with pytest.raises(PublishUnknown):
            await bus.job.wanted.fire_async(number=number)
    resume(server)
    await producer().job.wanted.fire_async(number=4)
    fired = time.monotonic()
    await until(lambda: 4 in ledger.handled(), "the event is handled")
    (handled,) = {entry.at for entry in ledger.entries if (entry.number, entry.kind) == (4, "end")}
    assert handled - fired < 12  # a lost pull would be noticed after 12.5 s at the earliest
    await until_settled(server.url)


async def test_s06_a_listener_that_sat_idle_through_a_restart_takes_the_next_event(
    server: NatsServer, producer: Open, workers: Workers, ledger: Ledger
) -> None:
    workers.ready()
    bus = producer()
    await bus.job.wanted.fire_async(number=1)
    await until_settled(server.url)
    await restart(server)
    started = time.monotonic()
    await bus.job.wanted.fire_async(number=2)
    await until(lambda: 2 in ledger.handled(), "the event is handled")
    (handled,) = {entry.at for entry in ledger.entries if (entry.number, entry.kind) == (2, "end")}
    assert handled - started < 12  # a lost pull would be noticed 12.5 s after the reconnect


async def test_s31_events_acknowledged_just_before_a_crash_may_come_again_and_none_is_missing(
    server: NatsServer, producer: Open, workers: Workers, ledger: Ledger
) -> None:
    workers.ready(one={"ack_wait": 2.0, "concurrency": 8})
    bus = producer()
    numbers = range(100)
    await asyncio.gather(*(bus.job.wanted.fire_async(number=number) for number in numbers))
    await until(lambda: len(ledger.handled()) >= 50, "half of the events are handled")
    await restart(server)
    await until_settled(server.url)
    assert set(ledger.handled()) == set(numbers)
    assert (await durable(server.url))["ack_floor"]["stream_seq"] == await count(server.url)
