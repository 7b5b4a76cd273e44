"""Replays of many dead letters, and their outcomes, on a real server."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

import lightbus
from lightbus import Api, Event, naming
from lightbus.bus.dynamic import DynamicBus
from lightbus.event.dead_letter import DeadLetter, Filter
from lightbus.jetstream.stored.dead_letters import JetStreamDeadLetters
from lightbus.replay import ReplayOutcome, replay
from lightbus.testing import NatsServer
from tests.conformance.kits import look_into
from tests.listening.test_failures import BOUND, opened, until

COUNT = 1100  # more than are watched at a time


@asynccontextmanager
async def listening(url: str, prefix: str, broken: set[str]) -> AsyncIterator[DynamicBus]:
    """Run a service whose listener fails on the numbers in `broken`."""

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
    async with opened(nats_server.url, prefix) as dead_letters:
        yield dead_letters


async def test_a_thousand_replays(nats_server: NatsServer, prefix: str, store: JetStreamDeadLetters) -> None:
    broken = {str(number) for number in range(COUNT)}
    async with listening(nats_server.url, prefix, broken) as bus:
        for start in range(0, COUNT, 100):
            fires = (bus.job.wanted.fire_async(number=str(number)) for number in range(start, start + 100))
            await asyncio.gather(*fires)
        await until(store, COUNT)
        broken &= {"7", "1007"}
        sent: list[int] = []
        outcomes: Counter[ReplayOutcome] = Counter()
        async with asyncio.timeout(3 * BOUND):
            async for replayed in replay(store, store.find(Filter()), sent.append):
                outcomes[replayed.outcome] += 1
        assert outcomes == {ReplayOutcome.HANDLED: COUNT - 2, ReplayOutcome.FAILED: 2}
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

    async def dead_letters() -> AsyncIterator[DeadLetter]:
        yield letter

    sent = asyncio.Event()
    outcome = asyncio.ensure_future(anext(replay(store, dead_letters(), lambda _: sent.set())))
    await asyncio.wait_for(sent.wait(), BOUND)
    async with look_into(nats_server.url) as server:
        await server.api(f"STREAM.PURGE.{naming.replay_stream(prefix)}")
    assert (await asyncio.wait_for(outcome, BOUND)).outcome is ReplayOutcome.STAYS
