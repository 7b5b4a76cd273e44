"""Sending many dead letters to their listeners, and watching what becomes of them, on a real server."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

import lightbus
from lightbus import Api, Event, naming
from lightbus.bus.dynamic import DynamicBus
from lightbus.cli.dead_letters.replay import Outcome, send_and_watch
from lightbus.event.dead_letter import DeadLetter, Filter
from lightbus.jetstream.stored.dead_letters import JetStreamDeadLetters
from lightbus.testing import NatsServer
from tests.conformance.kits import look_into
from tests.listening.test_failures import BOUND, opened, until

COUNT = 1100  # more than are watched at a time


@asynccontextmanager
async def listening(url: str, prefix: str, broken: set[str]) -> AsyncIterator[DynamicBus]:
    """Run a service whose listener fails with the numbers that are broken."""

    class JobApi(Api):
        wanted = Event(parameters="number")

        class Meta:
            name = "job"

    async def work(number: str) -> None:
        if number in broken:
            raise ValueError(f"not {number}")

    async with lightbus.create(url=url, prefix=prefix, service_name="jobs", apis=[JobApi]) as bus:
        await bus.job.wanted.listen_async(work, listener_name="work", retries=0, concurrency=10)
        yield bus


@pytest.fixture
async def store(nats_server: NatsServer, prefix: str) -> AsyncIterator[JetStreamDeadLetters]:
    async with opened(nats_server.url, prefix) as found:
        yield found


async def test_a_thousand_replays(nats_server: NatsServer, prefix: str, store: JetStreamDeadLetters) -> None:
    broken = {str(number) for number in range(COUNT)}
    async with listening(nats_server.url, prefix, broken) as bus:
        for start in range(0, COUNT, 100):
            fires = (bus.job.wanted.fire_async(number=str(number)) for number in range(start, start + 100))
            await asyncio.gather(*fires)
        await until(store, COUNT)
        broken &= {"7", "1007"}
        sent: list[int] = []
        outcomes: Counter[Outcome] = Counter()
        async with asyncio.timeout(3 * BOUND):
            async for replayed in send_and_watch(store, store.find(Filter()), sent.append):
                outcomes[replayed.outcome] += 1
        assert outcomes == {Outcome.HANDLED: COUNT - 2, Outcome.FAILED: 2}
        assert sum(sent) == COUNT
        left = await until(store, 2)
        assert {letter.failure.reason for letter in left} == {"ValueError: not 7", "ValueError: not 1007"}
        assert all(letter.number > COUNT for letter in left)


async def test_a_replay_that_was_taken_out_leaves_its_dead_letter(
    nats_server: NatsServer, prefix: str, store: JetStreamDeadLetters
) -> None:
    async with listening(nats_server.url, prefix, {"1"}) as bus:
        await bus.job.wanted.fire_async(number="1")
        (letter,) = await until(store, 1)

    async def one() -> AsyncIterator[DeadLetter]:
        yield letter

    sent = asyncio.Event()
    told = asyncio.ensure_future(anext(send_and_watch(store, one(), lambda _: sent.set())))
    await asyncio.wait_for(sent.wait(), BOUND)
    async with look_into(nats_server.url) as server:
        await server.api(f"STREAM.PURGE.{naming.replay_stream(prefix)}")
    assert (await asyncio.wait_for(told, BOUND)).outcome is Outcome.STAYS
