"""Events near the size limit: those that are too large fail before they are sent, on a server with a low limit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import lightbus
from lightbus import BatchFailed, EventTooLarge, InvalidEventArguments, PublishFailed, naming
from lightbus.api import Api, Event, Parameter
from lightbus.bus.dynamic import DynamicBus
from lightbus.event.dead_letter import DeadLetter, Filter
from lightbus.event.envelope import HEADROOM, message_size
from lightbus.jetstream import JetStreamTransport
from lightbus.jetstream.connection.wire import header_block
from lightbus.testing import NatsServer
from tests.conformance.bench import outgoing
from tests.conformance.kits import look_into
from tests.conftest import Records
from tests.jetstream.connection.rogue import rogue

BOUND = 30.0
MAX_PAYLOAD = 16 * 1024
LIMIT = MAX_PAYLOAD - HEADROOM


@pytest.fixture(scope="module")
def small_server() -> Iterator[NatsServer]:
    with NatsServer(config=f"max_payload: {MAX_PAYLOAD}") as server:
        yield server


@pytest.fixture
async def transport(small_server: NatsServer, prefix: str) -> AsyncIterator[JetStreamTransport]:
    made = JetStreamTransport(small_server.url, service_name="limits", prefix=prefix)
    await made.connect()
    yield made
    await made.close()


@pytest.fixture
async def bus(small_server: NatsServer, prefix: str, job_api: type[Api]) -> AsyncIterator[DynamicBus]:
    made = lightbus.create(url=small_server.url, prefix=prefix, service_name="jobs", grace=0)
    yield made
    await made.close_async()


def filling(size: int) -> str:
    """Return a body that gives an event a certain size, headers included."""
    empty = outgoing("", id="x")
    return "b" * (size - message_size(empty.body, empty.headers))


async def test_the_largest_event_is_stored_and_a_byte_more_is_not_sent(
    transport: JetStreamTransport, records: Records
) -> None:
    await transport.publish(outgoing(filling(LIMIT), id="x"), timeout=BOUND)
    with pytest.raises(EventTooLarge) as caught:
        await transport.publish(outgoing(filling(LIMIT + 1), id="x"), timeout=BOUND)
    assert (caught.value.size, caught.value.limit) == (LIMIT + 1, LIMIT)
    ack = await transport.publish(outgoing("the same connection", id="y"), timeout=BOUND)
    assert ack.sequence == 2
    assert not records.seen  # neither a violation nor a reconnect


async def test_fire_says_what_is_too_large(bus: DynamicBus) -> None:
    with pytest.raises(EventTooLarge, match=f"the server takes {LIMIT:,}") as caught:
        await bus.job.wanted.fire_async(name="x" * LIMIT)
    room = LIMIT - (caught.value.size - LIMIT)
    assert await bus.job.wanted.fire_async(name="x" * (room - 10))  # ten for times of other lengths
    with pytest.raises(EventTooLarge):
        await bus.job.wanted.fire_async(name="x" * (room + 10))


async def test_an_event_that_is_far_too_large_is_not_written(
    small_server: NatsServer, prefix: str, memory_url: str
) -> None:
    class JobApi(Api):
        wanted = Event(parameters=(Parameter("tree", Any),))

        class Meta:
            name = "job"

    tree: list[Any] = []
    for _ in range(60):
        tree = [tree, tree]
    for url in (small_server.url, memory_url):
        async with lightbus.create(url=url, prefix=prefix, service_name="jobs", grace=0) as jobs:
            with pytest.raises(EventTooLarge) as caught:
                await jobs.job.wanted.fire_async(tree=tree)
            assert caught.value.size > 2**60 > caught.value.limit
            with pytest.raises(BatchFailed) as failed:
                await jobs.job.wanted.fire_many_async([{"tree": 1}, {"tree": tree}, {"tree": [2]}])
            ((message, error),) = failed.value.failed
            assert message.kwargs["tree"] is tree
            assert isinstance(error, EventTooLarge)
            assert await jobs.job.wanted.fire_async(tree=["x"] * 100)


async def test_one_event_too_large_fails_alone(bus: DynamicBus) -> None:
    names = ["a", "x" * MAX_PAYLOAD, "b"]
    with pytest.raises(BatchFailed) as caught:
        await bus.job.wanted.fire_many_async([{"name": name} for name in names])
    (failed,) = caught.value.failed
    assert failed[0].kwargs == {"name": names[1]}
    assert isinstance(failed[1], EventTooLarge)
    seen: list[str] = []
    done = asyncio.Event()

    async def handler(name: str) -> None:
        seen.append(name)
        if len(seen) == 2:
            done.set()

    await bus.job.wanted.listen_async(handler, listener_name="l")
    await asyncio.wait_for(done.wait(), BOUND)
    assert seen == ["a", "b"]


async def dead_letters(transport: JetStreamTransport, count: int) -> list[DeadLetter]:
    """Wait for a number of dead letters."""
    async with asyncio.timeout(BOUND):
        while True:
            found = [dead_letter async for dead_letter in transport.dead_letters.find(Filter())]
            if len(found) == count:
                return found


@pytest.mark.parametrize("headers", [{}, {"A": "b"}, {"Content-Type": "text/plain", "X": "y" * 5_000}])
@pytest.mark.parametrize("spare", [0, 1, 12, 100, 2_000])
async def test_whatever_the_server_takes_fits_its_dead_letter(
    bus: DynamicBus,
    transport: JetStreamTransport,
    small_server: NatsServer,
    prefix: str,
    headers: dict[str, str],
    spare: int,
) -> None:
    """Other producers leave no bytes free."""
    await bus.job.wanted.listen_async(lambda name: None, listener_name="l")
    header = header_block(headers)
    body = b"x" * (MAX_PAYLOAD - len(header) - spare)
    async with rogue(small_server.url) as stranger:
        stranger.publish(naming.subject(prefix, "job", "wanted").encode(), body, header=header)
        await stranger.flush()
        (dead_letter,) = await dead_letters(transport, 1)
    assert (dead_letter.body, dead_letter.headers, dead_letter.place.sequence) == (body, headers, 1)
    assert spare < 2_000 or dead_letter.failure.reason


@pytest.mark.parametrize("spare", [0, 12, 29, 30, 60])
async def test_the_next_failure_of_the_largest_event_replaces_the_last(
    bus: DynamicBus, transport: JetStreamTransport, small_server: NatsServer, prefix: str, spare: int
) -> None:
    """Where there is no room for the header that replaces, the last one is removed first."""
    await bus.job.wanted.listen_async(lambda name: None, listener_name="l")
    body = b"x" * (MAX_PAYLOAD - spare)
    async with look_into(small_server.url) as server:
        await server.request(naming.subject(prefix, "job", "wanted"), body, BOUND)
    (last,) = await dead_letters(transport, 1)
    for _ in range(2):
        await transport.dead_letters.keep(last)  # again after a crash
        (last,) = await dead_letters(transport, 1)
        assert await transport.dead_letters.replay(last)
        async with asyncio.timeout(BOUND):
            while await transport.dead_letters.latest(last) in (0, last.number):
                pass
        (after,) = await dead_letters(transport, 1)
        assert (after.body, after.place) == (body, last.place)
        last = after


async def test_headers_that_would_grow_give_way(
    bus: DynamicBus, transport: JetStreamTransport, small_server: NatsServer, prefix: str
) -> None:
    """Bytes that are not UTF-8 become longer when they are decoded and encoded again."""
    await bus.job.wanted.listen_async(lambda name: None, listener_name="l")
    header = b"NATS/1.0\r\nSmall: 1\r\nLarge: " + b"\xff" * (MAX_PAYLOAD // 2) + b"\r\n\r\n"
    async with rogue(small_server.url) as stranger:
        stranger.publish(naming.subject(prefix, "job", "wanted").encode(), b"the body", header=header)
        await stranger.flush()
        (dead_letter,) = await dead_letters(transport, 1)
    assert (dead_letter.body, dead_letter.headers) == (b"the body", {"Small": "1"})
    assert dead_letter.failure.reason


# -- subjects ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1024, 1025])
async def test_a_subject_may_have_1024_characters(
    small_server: NatsServer, prefix: str, length: int, records: Records
) -> None:
    name = "e" * (length - len(naming.subject(prefix, "far", "")))

    class FarApi(Api):
        locals()[name] = Event(parameters="name")

        class Meta:
            name = "far"

    async with lightbus.create(url=small_server.url, prefix=prefix, service_name="far") as bus:
        event = getattr(bus.far, name)
        if length == 1024:
            await event.fire_async(name="a")
        else:
            with pytest.raises(PublishFailed, match="its subject is longer than 1024 characters"):
                await event.fire_async(name="a")
    assert not records.seen


# -- depth -------------------------------------------------------------------------------------------


async def test_nesting_is_refused_by_fire_and_dead_lettered_by_listeners(
    bus: DynamicBus, transport: JetStreamTransport, small_server: NatsServer, prefix: str
) -> None:
    class TreeApi(Api):
        grown = Event(parameters=(Parameter("tree", dict),))

        class Meta:
            name = "tree"

    def nested(depth: int) -> dict[str, object]:
        tree: dict[str, object] = {}
        for _ in range(depth - 1):
            tree = {"in": tree}
        return tree

    seen: asyncio.Queue[object] = asyncio.Queue()
    async with lightbus.create(url=small_server.url, prefix=prefix, service_name="trees", grace=0) as trees:
        await trees.tree.grown.listen_async(lambda tree: seen.put_nowait(tree), listener_name="l")
        await trees.tree.grown.fire_async(tree=nested(99))  # the payload is the hundredth level
        assert await asyncio.wait_for(seen.get(), BOUND) == nested(99)
        for depth in (100, 10_000):
            with pytest.raises(InvalidEventArguments, match="tree: its values make more than 100 levels"):
                await trees.tree.grown.fire_async(tree=nested(depth))
        start = json.dumps({"specversion": "1.0", "id": "1", "source": "/s", "type": "tree.grown"})[:-1]
        async with look_into(small_server.url) as server:
            for depth in (100, 900, 1_500):
                body = start + ', "data": {"tree": ' + '{"a":' * (depth - 1) + "{}" + "}" * (depth - 1) + "}}"
                await server.request(naming.subject(prefix, "tree", "grown"), body.encode(), BOUND)
        kept = await dead_letters(transport, 3)
        assert all(
            "more than 100 levels" in dead_letter.failure.reason or "recursion" in dead_letter.failure.reason
            for dead_letter in kept
        )
        assert {dead_letter.failure.error for dead_letter in kept} == {"InvalidEvent", "UnreadableEvent"}
        await trees.tree.grown.fire_async(tree=nested(1))
        assert await asyncio.wait_for(seen.get(), BOUND) == {}
