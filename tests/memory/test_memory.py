"""The in-memory broker as tests of services use it: its clock, and one broker across threads and event loops."""

from __future__ import annotations

import asyncio
import queue

import pytest

import lightbus
from lightbus import Backoff, EventMessage
from lightbus.testing import ManualClock, MemoryBroker, broker

BOUND = 20.0


pytestmark = pytest.mark.usefixtures("job_api")


def test_time_stands_still_until_it_is_turned(memory_url: str) -> None:
    clock = broker(memory_url).clock = ManualClock()
    attempts: queue.Queue[int] = queue.Queue()

    def handler(event: EventMessage, name: str) -> None:
        attempts.put(event.attempt)
        if event.attempt < 3:
            raise ValueError("not yet")

    with lightbus.create(url=memory_url) as bus:
        bus.job.wanted.listen(
            handler, listener_name="work", backoff=Backoff(first=3600, limit=7200, jitter=0)
        )
        bus.job.wanted.fire(name="x")
        assert attempts.get(timeout=BOUND) == 1
        wait_until_due(memory_url, clock.now() + 3600)
        broker(memory_url).advance(3599)
        assert attempts.empty()
        broker(memory_url).advance(1)
        assert attempts.get(timeout=BOUND) == 2
        wait_until_due(memory_url, clock.now() + 7200)
        broker(memory_url).advance(7200)
        assert attempts.get(timeout=BOUND) == 3


def wait_until_due(url: str, deadline: float) -> None:
    """Wait until the worker has put the event back, which it does after the handler raised."""
    stream = broker(url)._streams["lightbus-job"]
    durable = stream.durables["work"]
    for _ in range(10_000_000):
        if [pending.deadline for pending in durable.pending.values()] == [deadline]:
            return
    raise AssertionError("the event was not put back")


def test_a_broker_on_real_time_cannot_be_turned() -> None:
    with pytest.raises(TypeError, match="ManualClock"):
        MemoryBroker().advance(1)


async def test_buses_of_one_url_share_a_broker_over_threads_and_loops(memory_url: str) -> None:
    seen: asyncio.Queue[str] = asyncio.Queue()

    async def handler(name: str) -> None:
        await seen.put(name)

    async with lightbus.create(url=memory_url) as listening:
        await listening.job.wanted.listen_async(handler, listener_name="work")

        def in_a_thread() -> None:
            with lightbus.create(url=memory_url) as firing:
                firing.job.wanted.fire(name="from another loop")

        await asyncio.to_thread(in_a_thread)
        assert await asyncio.wait_for(seen.get(), BOUND) == "from another loop"
    assert len(broker(memory_url).messages("lightbus-job")) == 1


async def test_other_urls_are_other_brokers(memory_url: str) -> None:
    async with lightbus.create(url=memory_url) as bus:
        await bus.job.wanted.fire_async(name="x")
    assert broker(memory_url + "-other").messages("lightbus-job") == []


def test_the_environment_may_name_a_bus_in_memory(memory_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_URL", memory_url)
    with lightbus.create() as bus, lightbus.create(url=f"{memory_url}-other") as other:
        bus.job.wanted.fire(name="x")
        other.job.wanted.fire(name="y")
        other.job.wanted.fire(name="z")
    assert len(broker(memory_url).messages("lightbus-job")) == 1
    assert len(broker(f"{memory_url}-other").messages("lightbus-job")) == 2
