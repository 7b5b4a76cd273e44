"""A flood of malformed messages among good events, on a real nats-server; `make flood` sends 100,000."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import random
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import lightbus
from lightbus import naming
from lightbus.bus.dynamic import DynamicBus
from lightbus.event.dead_letter import Filter
from lightbus.jetstream import JetStreamTransport
from lightbus.jetstream.acknowledgements import Acknowledgements
from lightbus.jetstream.connection.connection import Connection
from lightbus.testing import NatsServer
from tests.conformance.kits import look_into

WAVES = 4
GOOD_AMONG = 10  # one in this many is a good event
AT_A_TIME = 500
BOUND = 60.0  # seconds without any progress
GROWTH = 256 * 1024  # bytes that the library may hold more after the last wave than after the first

pytestmark = [pytest.mark.usefixtures("job_api"), pytest.mark.timeout(3600)]


def event(data: Any = None, **attributes: Any) -> dict[str, Any]:
    attributes = {"specversion": "1.0", "id": "1", "source": "/s", "type": "job.wanted", **attributes}
    return attributes | ({} if data is None else {"data": data})


def malformed(chance: random.Random) -> tuple[bytes, bytes]:
    """Create a message that no listener can read: a header block and a body."""
    good = json.dumps(event({"name": str(chance.random())})).encode()
    kinds: list[tuple[bytes, Any]] = [
        (b"", chance.randbytes(chance.randrange(200))),
        (b"", good[: chance.randrange(len(good))]),
        (b"", good + b"}"),
        (b"", b"\xef\xbb\xbf" + good),
        (b"", good.replace(b'"name"', b'"\\ud800"')),
        (b"", good.replace(b'"1.0"', b"1e999")),
        (b"", b"[" * chance.randrange(1, 50_000)),
        (b"", event({"name": json.loads("[" * 150 + "]" * 150)})),
        (b"", event({"name": "a"}, type="job.other")),
        (b"", event({"name": "a"}, specversion=chance.choice(["0.3", "", 1, None]))),
        (b"", event({"name": "a"}, id=chance.choice(["", 5, None, []]))),
        (b"", event({"name": "a"}, time=chance.choice([5, "yesterday", "2026-11-23T12:00:00"]))),
        (b"", event(chance.choice([[], "x", 5, True, {}]))),
        (b"", event()),
        (b"NATS/1.0\r\nContent-Type: text/xml\r\n\r\n", good),
        (b"NATS/1.0\r\nce-specversion: 1.0\r\nce-id: \xff\xfe\r\n\r\n", good),
        (b"NATS/1.0\r\n\xff\xff: \xff\r\n" + b"A: \xff%d\r\n" % chance.randrange(10**9) * 20 + b"\r\n", b"{"),
        (b"NATS/1.0 503\r\nLightbus-Attempts: %b\r\n\r\n" % (b"9" * 5000), b"\x00"),
        (b"NATS/1.0\r\nNats-Sequence: x\r\nce-specversion: 1.0\r\n\r\n", chance.randbytes(20)),
    ]
    header, body = chance.choice(kinds)
    return header, body if isinstance(body, bytes) else json.dumps(body).encode()


class Ledger:
    """What was sent and what the handler received; holds no reference to the library's objects."""

    def __init__(self) -> None:
        self.bad: dict[int, int] = {}  # hashes of bodies by sequence
        self.good: set[int] = set()  # numbers of events
        self.seen: set[int] = set()
        self.news = asyncio.Event()

    async def handler(self, name: str) -> None:
        self.seen.add(int(name))
        self.news.set()


async def send(
    acknowledgements: Acknowledgements,
    stream: str,
    subject: str,
    count: int,
    chance: random.Random,
    ledger: Ledger,
) -> None:
    """Send a wave, and record what the server stored where."""
    clock = asyncio.get_running_loop().time
    for start in range(0, count, AT_A_TIME):
        answers = []
        for _ in range(min(AT_A_TIME, count - start)):
            header, body = malformed(chance)
            if not chance.randrange(GOOD_AMONG):
                number = len(ledger.good)
                ledger.good.add(number)
                body = json.dumps(event({"name": str(number)})).encode()
                acknowledgements.send(subject, b"", body, clock() + BOUND, stream)
            else:
                answers.append(
                    (acknowledgements.send(subject, header, body, clock() + BOUND, stream), hash(body))
                )
        for answering, digest in answers:
            answer = await answering
            assert answer is not None and answer.error is None, answer
            ledger.bad[int(str(answer.seq))] = digest


async def until_settled(connection: Connection, stream: str) -> None:
    """Wait until the listener has settled everything, however long, as long as it makes progress."""
    left, clock = -1, asyncio.get_running_loop().time
    patience = clock() + BOUND
    while left:
        info = await connection.api(f"CONSUMER.INFO.{stream}.jobs-l")
        now = info["num_pending"] + info["num_ack_pending"]
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
    made = lightbus.create(url=nats_server.url, prefix=prefix, service_name="jobs", grace=0)
    yield made
    await made.close_async()


@pytest.mark.usefixtures("traced")
async def test_malformed_messages_end_as_dead_letters_and_good_ones_are_handled(
    bus: DynamicBus, nats_server: NatsServer, prefix: str, request: pytest.FixtureRequest
) -> None:
    count = int(str(request.config.getoption("flood")))
    ledger, chance = Ledger(), random.Random(5)
    stream, subject = naming.stream(prefix, "job"), naming.subject(prefix, "job", "wanted")
    await bus.job.wanted.listen_async(ledger.handler, listener_name="l", concurrency=20)
    sizes = []
    async with look_into(nats_server.url) as connection:
        acknowledgements = Acknowledgements(connection)
        await acknowledgements.start()
        for _ in range(WAVES):
            await send(acknowledgements, stream, subject, count // WAVES, chance, ledger)
            await until_settled(connection, stream)
            sizes.append(held())
    assert ledger.seen == ledger.good
    await bus.job.wanted.fire_async(name="-1")
    async with asyncio.timeout(BOUND):
        while -1 not in ledger.seen:
            ledger.news.clear()
            await ledger.news.wait()
    assert await dead_letters(nats_server.url, prefix) == ledger.bad
    print(
        f"{count} messages, {len(ledger.bad)} dead letters, {len(ledger.good)} handled; held after each wave: {sizes}"
    )
    assert sizes[-1] - sizes[0] < GROWTH, sizes


async def dead_letters(url: str, prefix: str) -> dict[int, int]:
    """Return the hashes of the bodies of all dead letters by the sequence of the event; each occurs once,
    with a reason.
    """
    transport = JetStreamTransport(url, service_name="look-into", prefix=prefix)
    await transport.connect()
    found: dict[int, int] = {}
    try:
        async for dead_letter in transport.dead_letters.find(Filter()):
            assert dead_letter.failure.reason and dead_letter.failure.error in (
                "UnreadableEvent",
                "InvalidEvent",
            )
            assert dead_letter.attempts == 1
            assert dead_letter.place.sequence not in found
            found[dead_letter.place.sequence] = hash(dead_letter.body)
    finally:
        await transport.close()
    return found
