"""Listeners that fall behind or stall (scenarios 27 and 34)."""

from __future__ import annotations

import asyncio
import signal

from lightbus.jetstream.streams import resources
from lightbus.naming import DEFAULT_PREFIX
from lightbus.testing import NatsServer
from lightbus.transport import Consumer
from tests.conformance.kits import look_into
from tests.faults.conftest import Open
from tests.faults.ledger import Ledger
from tests.faults.state import STREAM, durable, durable_of, until_settled
from tests.faults.waiting import until
from tests.faults.workers import Workers
from tests.jetstream.streams.test_provisioning import put

EVENTS = resources.event_stream(DEFAULT_PREFIX, "job")
DURABLE = resources.durable(DEFAULT_PREFIX, Consumer("job", "wanted", durable_of("one")))


async def alarms(workers: Workers) -> tuple[int, list[dict[str, str]]]:
    """Return the exit code of `lightbus status`, and the alarms it raises."""
    code, facts = await workers.ask("status")
    return code, [alarm for fact in facts for alarm in fact.get("alarms", [])]


async def test_s27_as_many_retries_as_may_be_outstanding_stall_a_listener_and_raise_an_alarm(
    server: NatsServer, producer: Open, workers: Workers, ledger: Ledger
) -> None:
    async with look_into(server.url) as operator:
        await put(operator, EVENTS)
        await put(operator, DURABLE, max_ack_pending=100)
    workers.ready(one={"backoff": {"first": 60, "limit": 60}})
    assert await alarms(workers) == (0, [])
    bus = producer()
    for number in range(101):
        await bus.job.wanted.fire_async(number=number, order="raise")

    async def is_stalled() -> bool:
        info = await durable(server.url)
        return (info["num_pending"], info["num_ack_pending"]) == (1, 100)

    await until(lambda: len(ledger.began()) == 100, "as many events as may be outstanding have failed")
    await until(is_stalled, "the last event waits behind them")
    code, (alarm,) = await alarms(workers)
    assert (code, alarm["kind"]) == (1, "stalled")
    assert "100 are being handled or wait for a retry" in alarm["text"]
    assert 100 not in ledger.began()


async def test_s34_events_that_a_stream_drops_before_a_listener_saw_them_raise_an_alarm(
    server: NatsServer, producer: Open, workers: Workers, ledger: Ledger
) -> None:
    async with look_into(server.url) as operator:
        await put(operator, EVENTS, discard="old", max_msgs=3)
    worker = workers.ready()
    bus = producer()
    await bus.job.wanted.fire_async(number=1)
    await until_settled(server.url)
    assert await alarms(workers) == (0, [])
    worker.signal(signal.SIGKILL)
    await asyncio.to_thread(worker.end)

    async def is_gone() -> bool:
        return not (await durable(server.url))["num_waiting"]

    await until(is_gone, "the server notices that the worker is gone")
    for number in range(2, 8):
        await bus.job.wanted.fire_async(number=number)
    code, (alarm,) = await alarms(workers)
    assert (code, alarm["kind"]) == (1, "lost")
    assert f"the events 2 to 4 of stream {STREAM} are gone" in alarm["text"]
    workers.ready()
    await until_settled(server.url)
    assert ledger.handled() == {1: 1, 5: 1, 6: 1, 7: 1}
