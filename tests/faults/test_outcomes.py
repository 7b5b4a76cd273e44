"""`fire()` never says "not stored" of an event that may be stored, whatever its later attempts meet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

import lightbus
from lightbus import BatchFailed, DynamicBus, PermissionDenied, PublishUnknown
from lightbus.jetstream.acknowledgements import Acknowledgements, Unanswered
from lightbus.jetstream.connection.connection import Connection
from lightbus.testing import NatsServer
from tests.conformance.kits import look_into
from tests.faults.jobs import JobApi
from tests.faults.proxy import Proxy
from tests.faults.state import STREAM, count
from tests.faults.waiting import BOUND, until

SUBJECT = "lightbus.job.wanted"
USERS = """
authorization { users = [
  { user: admin, password: x }
  { user: producer, password: x, permissions: { publish: { deny: [ %s ] } } }
] }
"""
SILENT = {
    "name": STREAM,
    "subjects": ["lightbus.job.*"],
    "no_ack": True,  # stores an event, and does not say so
    "discard": "new",
    "duplicate_window": 100_000_000,  # the shortest, in nanoseconds: a retry is not recognised as such
}
LOUD = {**SILENT, "no_ack": False}
NEVER = '"nothing"'


async def deny(server: NatsServer, subjects: str, probe: str) -> None:
    """Change the producer's permissions, and wait until they hold."""
    server.reload(USERS % subjects)
    async with look_into(url_of(server, "producer")) as producer:

        async def is_denied() -> bool:
            try:
                await producer.request(probe, b"", 0.2)
            except PermissionDenied:
                return True
            except lightbus.TransportError:
                pass
            return False

        await until(is_denied, f"the server denies {probe}")


def url_of(server: NatsServer, user: str) -> str:
    return server.url.replace("//", f"//{user}:x@")


Change = Callable[[NatsServer, Connection], Awaitable[object]]


async def delete(server: NatsServer, admin: Connection) -> None:
    await admin.api(f"STREAM.DELETE.{STREAM}")


async def delete_and_deny(server: NatsServer, admin: Connection) -> None:
    await delete(server, admin)
    await deny(server, f'"$JS.API.STREAM.CREATE.{STREAM}"', f"$JS.API.STREAM.CREATE.{STREAM}")


async def delete_and_overlap(server: NatsServer, admin: Connection) -> None:
    """Another stream captures an event of the API, so that the API's own stream cannot be created."""
    await delete(server, admin)
    await admin.api("STREAM.CREATE.other", {"name": "other", "subjects": ["lightbus.job.followed"]})


def update(**settings: object) -> Change:
    return lambda server, admin: admin.api(f"STREAM.UPDATE.{STREAM}", {**LOUD, **settings})


async def fill(server: NatsServer, admin: Connection) -> None:
    """Fill the stream, and wait until the server no longer knows the ids of the events in it."""
    await update(max_msgs=2)(server, admin)
    acknowledgements = Acknowledgements(admin)
    await acknowledgements.start()

    async def is_forgotten() -> bool:
        header = b"NATS/1.0\r\nNats-Msg-Id: filler\r\n\r\n"
        deadline = asyncio.get_running_loop().time() + BOUND
        answer = await acknowledgements.send(SUBJECT, header, b"", deadline, STREAM)
        return answer is not None and answer.error is not None

    await until(is_forgotten, "the id of a later event is forgotten")


CHANGES: dict[str, tuple[Change, str]] = {
    "publishing denied": (lambda server, _: deny(server, f'"{SUBJECT}"', SUBJECT), "denies publishing to"),
    "stream full": (fill, "the stream is full"),
    "event too large": (update(max_msg_size=10), "message size exceeds"),
    "stream sealed": (update(sealed=True), "sealed"),
    "stream deleted": (delete, "does not exist"),
    "creating denied": (delete_and_deny, "could not create one"),
    "creating impossible": (delete_and_overlap, "could not be created"),
}


async def fire_async(bus: DynamicBus) -> None:
    await bus.job.wanted.fire_async(number=1)


async def fire(bus: DynamicBus) -> None:
    await asyncio.to_thread(bus.job.wanted.fire, number=1)


async def fire_many(bus: DynamicBus) -> None:
    try:
        await bus.job.wanted.fire_many_async([{"number": 1}])
    except BatchFailed as failed:
        ((message, error),) = failed.failed
        assert isinstance(error, PublishUnknown) and error.message is message
        raise error from failed


@pytest.fixture
async def scene() -> AsyncIterator[tuple[NatsServer, Proxy]]:
    with NatsServer(config=USERS % NEVER) as server, Proxy(int(server.url.rpartition(":")[2])) as proxy:
        yield server, proxy


@pytest.mark.parametrize("name", CHANGES)
async def test_once_an_attempt_is_unanswered_the_outcome_is_unknown(
    scene: tuple[NatsServer, Proxy], name: str
) -> None:
    await _check(scene, name, fire_async)


@pytest.mark.parametrize("fires", [fire, fire_many])
async def test_every_way_to_fire_tells_the_same(
    scene: tuple[NatsServer, Proxy], fires: Callable[[DynamicBus], Awaitable[None]]
) -> None:
    await _check(scene, "publishing denied", fires)


async def _check(
    scene: tuple[NatsServer, Proxy], name: str, fires: Callable[[DynamicBus], Awaitable[Any]]
) -> None:
    """Fire an event that is stored without an answer, change the server, and have the event sent again."""
    server, proxy = scene
    change, words = CHANGES[name]
    url = proxy.url.replace("//", "//producer:x@")
    provision: Any = "verify" if name == "stream deleted" else "create"
    async with (
        look_into(url_of(server, "admin")) as admin,
        lightbus.create(url=url, apis=[JobApi], timeout=BOUND, provision=provision) as bus,
    ):
        await admin.api(f"STREAM.CREATE.{STREAM}", SILENT)
        firing = asyncio.ensure_future(fires(bus))

        async def is_stored() -> bool:
            return await count(url_of(server, "admin")) == 1

        await until(is_stored, "the event is stored")
        await change(server, admin)
        proxy.cut()
        with pytest.raises(PublishUnknown, match="may have been stored") as caught:
            await asyncio.wait_for(firing, BOUND)
        assert words in str(caught.value)
        assert caught.value.message is not None


@pytest.mark.parametrize("name", CHANGES)
async def test_an_unknown_outcome_stays_unknown_when_the_event_is_fired_again(
    scene: tuple[NatsServer, Proxy], name: str
) -> None:
    server, _ = scene
    change, words = CHANGES[name]
    url, provision = url_of(server, "producer"), "verify" if name == "stream deleted" else "create"
    settings: dict[str, Any] = {"url": url, "apis": [JobApi], "provision": provision}
    async with look_into(url_of(server, "admin")) as admin:
        await admin.api(f"STREAM.CREATE.{STREAM}", SILENT)
        async with lightbus.create(**settings, timeout=0.5) as bus:
            with pytest.raises(PublishUnknown) as caught:
                await bus.job.wanted.fire_async(number=1)
        message = caught.value.message
        assert message is not None
        await change(server, admin)
        async with lightbus.create(**settings, timeout=BOUND) as bus:
            with pytest.raises(PublishUnknown, match="may have been stored") as again:
                await asyncio.wait_for(bus.job.wanted.fire_again_async(message), BOUND)
    assert words in str(again.value)
    assert again.value.message == message


async def test_a_denial_is_not_taken_for_that_of_an_event_that_is_stored(
    scene: tuple[NatsServer, Proxy],
) -> None:
    """The server's denial names a subject, and no message."""
    server, _ = scene
    async with (
        look_into(url_of(server, "admin")) as admin,
        look_into(url_of(server, "producer")) as producer,
    ):
        await admin.api(f"STREAM.CREATE.{STREAM}", SILENT)
        await admin.api("STREAM.CREATE.other", {"name": "other", "subjects": ["lightbus.other"]})
        acknowledgements = Acknowledgements(producer)
        await acknowledgements.start()
        now = asyncio.get_running_loop().time()
        stored = acknowledgements.send(SUBJECT, b"", b"", now + 5, STREAM)
        await acknowledgements.send("lightbus.other", b"", b"", now + BOUND, "other")
        await deny(server, f'"{SUBJECT}"', SUBJECT)
        denied = acknowledgements.send(SUBJECT, b"", b"", now + BOUND, STREAM)
        with pytest.raises(Unanswered):
            await stored
        with pytest.raises(PermissionDenied):
            await asyncio.wait_for(denied, BOUND)


@asynccontextmanager
async def acknowledging(
    server: NatsServer, stream: dict[str, Any], url: str
) -> AsyncIterator[Acknowledgements]:
    """Create the stream, and send as the producer without a bus."""
    async with look_into(url_of(server, "admin")) as admin, look_into(url) as producer:
        await admin.api(f"STREAM.CREATE.{STREAM}", stream)
        acknowledgements = Acknowledgements(producer)
        await acknowledgements.start()
        yield acknowledgements


OTHER_CASE = SUBJECT.replace("job", "Job")


async def test_a_denial_counts_for_nobody_once_its_message_is_no_longer_awaited(
    scene: tuple[NatsServer, Proxy],
) -> None:
    """Its subject may also be spelled as that of an event that is stored: denials come in lower case."""
    server, _ = scene
    await deny(server, f'"{OTHER_CASE}"', OTHER_CASE)
    async with acknowledging(server, SILENT, url_of(server, "producer")) as acknowledgements:
        now = asyncio.get_running_loop().time()
        stored = acknowledgements.send(SUBJECT, b"", b"", now + 3, STREAM)
        denied = acknowledgements.send(OTHER_CASE, b"", b"", now + 1, "other")
        with pytest.raises(Unanswered):
            await denied
        with pytest.raises(Unanswered):
            await stored


async def test_a_late_denial_does_not_count_for_a_later_event(scene: tuple[NatsServer, Proxy]) -> None:
    server, proxy = scene
    await deny(server, f'"{OTHER_CASE}"', OTHER_CASE)
    async with acknowledging(server, LOUD, proxy.url.replace("//", "//producer:x@")) as acknowledgements:
        now = asyncio.get_running_loop().time()
        proxy.block()
        denied = acknowledgements.send(OTHER_CASE, b"", b"", now, "other")
        with pytest.raises(Unanswered):
            await denied
        stored = acknowledgements.send(SUBJECT, b"", b"", now + BOUND, STREAM)
        proxy.unblock()
        answer = await asyncio.wait_for(stored, BOUND)
        assert answer is not None and answer.seq == 1


async def test_a_denied_event_fails_at_once_beside_others(scene: tuple[NatsServer, Proxy]) -> None:
    server, _ = scene
    await deny(server, f'"{OTHER_CASE}"', OTHER_CASE)
    async with acknowledging(server, LOUD, url_of(server, "producer")) as acknowledgements:
        deadline = asyncio.get_running_loop().time() + 3 * BOUND
        denied = acknowledgements.send(OTHER_CASE, b"", b"", deadline, "other")
        stored = [acknowledgements.send(SUBJECT, b"", b"", deadline, STREAM) for _ in range(3)]
        with pytest.raises(PermissionDenied, match="Job"):
            await asyncio.wait_for(denied, BOUND)
        assert all(answer and answer.seq for answer in await asyncio.gather(*stored))


async def test_an_answer_of_another_stream_is_no_answer(server: NatsServer) -> None:
    async with look_into(server.url) as stranger:
        replied = asyncio.Event()

        def reply(message: Any) -> None:
            stranger.send(message.reply, b'{"stream": "other", "seq": 7}')
            replied.set()

        await stranger.subscribe(SUBJECT, reply)
        await stranger.processed()
        async with lightbus.create(url=server.url, apis=[JobApi], timeout=1.0) as bus:
            with pytest.raises(PublishUnknown):
                await bus.job.wanted.fire_async(number=1)
        assert replied.is_set()


async def test_an_event_that_another_stream_captures_says_so(server: NatsServer) -> None:
    async with look_into(server.url) as admin:
        await admin.api("STREAM.CREATE.everything", {"name": "everything", "subjects": ["lightbus.>"]})
    async with lightbus.create(url=server.url, apis=[JobApi], timeout=1.0) as bus:
        with pytest.raises(PublishUnknown, match="is of stream 'everything', expected 'lightbus-job'"):
            await bus.job.wanted.fire_async(number=1)


async def test_a_refusal_of_another_stream_is_no_answer(server: NatsServer) -> None:
    async with look_into(server.url) as stranger:
        await stranger.api(f"STREAM.CREATE.{STREAM}", SILENT)
        full = b'{"stream": "other", "seq": 0, "error": {"code": 503, "err_code": 10077, "description": "x"}}'
        await stranger.subscribe(SUBJECT, lambda message: stranger.send(message.reply, full))
        await stranger.processed()
        async with lightbus.create(url=server.url, apis=[JobApi], timeout=1.0) as bus:
            with pytest.raises(PublishUnknown):
                await bus.job.wanted.fire_async(number=1)
        assert await count(server.url) == 1
