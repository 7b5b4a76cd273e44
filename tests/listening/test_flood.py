"""A flood of malformed messages among good events, on a real nats-server; `make flood` sends 100,000."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import random
import sys
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

import lightbus
from lightbus import Api, Event, Parameter, naming
from lightbus.bus.dynamic import DynamicBus
from lightbus.event.dead_letter import Filter
from lightbus.jetstream import JetStreamTransport
from lightbus.jetstream.acknowledgements import Acknowledgements
from lightbus.jetstream.connection.connection import Connection
from lightbus.testing import NatsServer
from tests.conformance.kits import look_into
from tests.hostile import GOOD, FormulaApi, Hostile, event, formula, malformed

WAVES = 4
GOOD_AMONG = 10  # one in this many is a good event
HARD_AMONG = 4  # one in this many of the others is hard to judge: recursive, a pattern, awkward keys
AT_A_TIME = 500
BOUND = 60.0  # seconds without any progress
GROWTH = 256 * 1024  # bytes that the library may hold more after the last wave than after the first

pytestmark = pytest.mark.timeout(3600)


class Ledger:
    """What was sent and what the handler received; holds no reference to the library's objects."""

    def __init__(self) -> None:
        self.bad: dict[tuple[str, int], int] = {}  # hashes of bodies by stream and sequence
        self.good: set[int] = set()  # numbers of events
        self.seen: set[int] = set()
        self.news = asyncio.Event()

    async def handler(self, number: int, **_: object) -> None:
        self.seen.add(int(str(number)))
        self.news.set()


def drawn(prefix: str, number: int, chance: random.Random) -> tuple[str, Hostile]:
    """Draw a message and its subject: some good events, malformed ones, and ones that are hard to judge."""
    if not chance.randrange(GOOD_AMONG):
        body = json.dumps(event({"number": number})).encode()
        return naming.subject(prefix, "job", "wanted"), Hostile(b"", body, fits=True)
    if chance.randrange(HARD_AMONG):
        return naming.subject(prefix, "job", "wanted"), malformed(chance, event({"number": 0}))
    name = chance.choice([*GOOD])
    return naming.subject(prefix, "formula", name), formula(chance, name, number)


async def send(
    acknowledgements: Acknowledgements, prefix: str, count: int, chance: random.Random, ledger: Ledger
) -> None:
    """Send a wave, and record what the server stored where."""
    clock = asyncio.get_running_loop().time
    for start in range(0, count, AT_A_TIME):
        answers = []
        for _ in range(min(AT_A_TIME, count - start)):
            number = len(ledger.good)
            subject, message = drawn(prefix, number, chance)
            stream = naming.stream(prefix, subject.split(".")[1])
            answering = acknowledgements.send(subject, message.header, message.body, clock() + BOUND, stream)
            answers.append((answering, message))
            if message.fits:
                ledger.good.add(number)
        for answering, message in answers:
            answer = await answering
            assert answer is not None and answer.error is None, answer
            if not message.fits:
                ledger.bad[sys.intern(answer.stream), int(str(answer.seq))] = hash(message.body)


async def until_settled(connection: Connection, prefix: str) -> None:
    """Wait until the listeners have settled everything, however long, as long as they make progress."""
    left, clock = -1, asyncio.get_running_loop().time
    patience = clock() + BOUND
    while left:
        now = 0
        for stream, durables in [("job", ["jobs-l"]), ("formula", [f"jobs-{name}" for name in GOOD])]:
            for durable in durables:
                info = await connection.api(f"CONSUMER.INFO.{naming.stream(prefix, stream)}.{durable}")
                now += info["num_pending"] + info["num_ack_pending"]
        if now != left:
            left, patience = now, clock() + BOUND
        assert clock() < patience, f"{left} messages are not settled"


def held() -> int:
    """Return the bytes that the library's own code allocated and still holds."""
    gc.collect()
    library = str(Path(lightbus.__file__).parent / "*")
    snapshot = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, library)])
    return sum(statistic.size for statistic in snapshot.statistics("filename"))


@pytest.fixture
def traced(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Trace memory, and exclude what the tests capture of logs."""
    caplog.set_level(logging.CRITICAL, "lightbus")
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.fixture
async def bus(nats_server: NatsServer, prefix: str) -> AsyncIterator[DynamicBus]:
    class JobApi(Api):
        wanted = Event(parameters=(Parameter("number", int),))

        class Meta:
            name = "job"

    made = lightbus.create(
        url=nats_server.url, prefix=prefix, service_name="jobs", apis=[JobApi, FormulaApi], grace=0
    )
    yield made
    await made.close_async()


@pytest.mark.usefixtures("traced")
async def test_malformed_messages_end_as_dead_letters_and_good_ones_are_handled(
    bus: DynamicBus, nats_server: NatsServer, prefix: str, request: pytest.FixtureRequest
) -> None:
    count = int(str(request.config.getoption("flood")))
    ledger, chance = Ledger(), random.Random(5)
    await bus.job.wanted.listen_async(ledger.handler, listener_name="l", concurrency=20)
    for name in GOOD:
        await getattr(bus.formula, name).listen_async(ledger.handler, listener_name=name, concurrency=5)
    sizes = []
    async with look_into(nats_server.url) as connection:
        acknowledgements = Acknowledgements(connection)
        await acknowledgements.start()
        for _ in range(WAVES):
            await send(acknowledgements, prefix, count // WAVES, chance, ledger)
            await until_settled(connection, prefix)
            sizes.append(held())
    assert ledger.seen == ledger.good
    await bus.job.wanted.fire_async(number=-1)
    async with asyncio.timeout(BOUND):
        while -1 not in ledger.seen:
            ledger.news.clear()
            await ledger.news.wait()
    assert await dead_letters(nats_server.url, prefix) == ledger.bad
    print(
        f"{count} messages, {len(ledger.bad)} dead letters, {len(ledger.good)} handled; held after each wave: {sizes}"
    )
    assert sizes[-1] - sizes[0] < GROWTH, sizes


async def dead_letters(url: str, prefix: str) -> dict[tuple[str, int], int]:
    """Return the hashes of the bodies of all dead letters by the stream and sequence of the event.

    Each occurs once, with a reason.
    """
    transport = JetStreamTransport(url, service_name="look-into", prefix=prefix)
    await transport.connect()
    found: dict[tuple[str, int], int] = {}
    try:
        async for dead_letter in transport.dead_letters.find(Filter()):
            assert dead_letter.failure.reason and dead_letter.failure.error in (
                "UnreadableEvent",
                "InvalidEvent",
            )
            assert dead_letter.attempts == 1
            place = dead_letter.place
            assert (place.stream, place.sequence) not in found
            found[place.stream, place.sequence] = hash(dead_letter.body)
    finally:
        await transport.close()
    return found
