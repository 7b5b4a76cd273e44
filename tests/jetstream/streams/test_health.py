"""Alarms of listeners that lost events or are stalled, from the numbers of a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

import lightbus
from lightbus import Backoff
from lightbus.bus.dynamic import DynamicBus
from lightbus.jetstream.connection.connection import Connection
from lightbus.jetstream.streams import resources, watchdog
from lightbus.jetstream.streams.status import ListenerStatus, streams
from lightbus.testing import NatsServer
from lightbus.transport import Consumer
from tests.conformance.kits import look_into
from tests.conftest import Records
from tests.jetstream.streams.test_provisioning import put

BOUND = 20.0
CONSUMER = Consumer("job", "wanted", "worker-do")

pytestmark = pytest.mark.usefixtures("job_api")


@pytest.fixture
async def server(nats_server: NatsServer) -> AsyncIterator[Connection]:
    async with look_into(nats_server.url) as connection:
        yield connection


@pytest.fixture
async def bus(nats_server: NatsServer, prefix: str) -> AsyncIterator[DynamicBus]:
    async with lightbus.create(url=nats_server.url, prefix=prefix, service_name="worker") as bus:
        yield bus


async def status(server: Connection, prefix: str) -> ListenerStatus:
    (stream,) = await streams(server, prefix, {})
    (listener,) = stream.listeners
    return listener


async def fire(bus: DynamicBus, count: int, event: str = "wanted") -> None:
    for number in range(count):
        await getattr(bus.job, event).fire_async(name=str(number))


async def test_events_that_went_before_a_listener_saw_them_are_an_alarm(
    server: Connection, bus: DynamicBus, prefix: str, records: Records
) -> None:
    await put(server, resources.event_stream(prefix, "job"), discard="old", max_msgs=3)
    await put(server, resources.durable(prefix, CONSUMER))
    await fire(bus, 5)
    listener = await status(server, prefix)
    (alarm,) = listener.alarms
    assert alarm.kind == "lost"
    assert f"the events 1 to 2 of stream {prefix}-job are gone" in alarm.text
    assert "Raise the stream's limits (max_msgs)" in alarm.text
    assert (listener.progress.pending, listener.progress.seen) == (3, 0)
    await bus.job.wanted.listen_async(lambda name: None, listener_name="do")
    assert await records.level_of("worker-do is behind, and the events 1 to 2") == "ERROR"


async def test_deleted_events_are_an_alarm_as_well(server: Connection, bus: DynamicBus, prefix: str) -> None:
    await put(server, resources.event_stream(prefix, "job"))
    await put(server, resources.durable(prefix, CONSUMER))
    await fire(bus, 5)
    await server.api(f"STREAM.MSG.DELETE.{prefix}-job", {"seq": 1})
    (alarm,) = (await status(server, prefix)).alarms
    assert "the events 1 to 1 of" in alarm.text
    assert "Somebody deleted them." in alarm.text


async def test_events_that_went_after_they_were_handled_are_none(
    server: Connection, bus: DynamicBus, prefix: str
) -> None:
    await put(server, resources.event_stream(prefix, "job"), discard="old", max_msgs=3)
    handled: asyncio.Queue[str] = asyncio.Queue()
    await bus.job.wanted.listen_async(handled.put_nowait, listener_name="do")
    for number in range(5):
        await bus.job.wanted.fire_async(name=str(number))
        await asyncio.wait_for(handled.get(), BOUND)
    async with asyncio.timeout(BOUND):
        while (listener := await status(server, prefix)).progress.in_flight:
            pass
    assert not listener.alarms


async def test_a_durable_begins_where_its_stream_does(
    server: Connection, bus: DynamicBus, prefix: str
) -> None:
    await put(server, resources.event_stream(prefix, "job"))
    await fire(bus, 5)
    await server.api(f"STREAM.PURGE.{prefix}-job", {"keep": 2})
    await put(server, resources.durable(prefix, CONSUMER))
    listener = await status(server, prefix)
    assert (listener.progress.pending, listener.alarms) == (2, [])


async def test_retries_that_hold_up_all_other_events_are_an_alarm(
    server: Connection, bus: DynamicBus, prefix: str, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events that wait for their retry count as in flight, so enough of them stall the listener."""

    async def handler(name: str) -> None:
        raise ValueError("not today")

    monkeypatch.setattr(watchdog, "_EVERY", 0.05)
    await put(server, resources.event_stream(prefix, "job"))
    await put(server, resources.durable(prefix, CONSUMER), max_ack_pending=4)
    await fire(bus, 6)
    await bus.job.wanted.listen_async(handler, listener_name="do", backoff=Backoff(first=60, limit=60))
    says = "worker-do gets no more events: 4 are being handled or wait for a retry"
    assert await records.level_of(says) == "WARNING"
    listener = await status(server, prefix)
    assert [alarm.kind for alarm in listener.alarms] == ["stalled"]
    assert (listener.progress.pending, listener.progress.in_flight) == (2, 4)


async def test_an_ordered_listener_at_work_is_no_alarm(
    server: Connection, bus: DynamicBus, prefix: str
) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def handler(name: str) -> None:
        started.set()
        await go_on.wait()

    await bus.job.wanted.listen_async(handler, listener_name="do", ordered=True)
    await fire(bus, 3)
    await asyncio.wait_for(started.wait(), BOUND)
    listener = await status(server, prefix)
    go_on.set()
    assert (listener.progress.pending, listener.progress.in_flight, listener.alarms) == (2, 1, [])
