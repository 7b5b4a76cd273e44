"""The stream of dead letters on a real server, as the bus creates it, as it was before, and with an operator's settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from lightbus import naming
from lightbus.errors import PublishFailed
from lightbus.event.dead_letter import DeadLetter, Failure, Filter
from lightbus.jetstream import JetStreamTransport
from lightbus.jetstream.connection.connection import Connection
from lightbus.jetstream.connection.wire import Message
from lightbus.jetstream.stored.dead_letters import JetStreamDeadLetters
from lightbus.jetstream.streams import resources
from lightbus.naming import Place
from lightbus.testing import NatsServer
from lightbus.transport import Provision
from tests.conformance.kits import look_into
from tests.jetstream.streams.test_provisioning import put

BOUND = 20.0
EARLIER: dict[str, Any] = {
    "discard_new_per_subject": False,
    "allow_rollup_hdrs": False,
}  # also on servers before 2.14
STREAMS: dict[str, dict[str, Any]] = {
    "ours": {},
    "earlier": EARLIER,
    "replaced by anything": {"discard_new_per_subject": False},
    "without a limit": {"discard_new_per_subject": False, "max_msgs_per_subject": -1},
    "never replaced": {"allow_rollup_hdrs": False},
}


@pytest.fixture
async def server(nats_server: NatsServer) -> AsyncIterator[Connection]:
    async with look_into(nats_server.url) as connection:
        yield connection


@pytest.fixture
def provision() -> Provision:
    return "create"


@pytest.fixture
async def store(
    nats_server: NatsServer, prefix: str, provision: Provision
) -> AsyncIterator[JetStreamDeadLetters]:
    transport = JetStreamTransport(nats_server.url, service_name="mailer", prefix=prefix, provision=provision)
    await transport.connect()
    yield transport.dead_letters
    await transport.close()


@pytest.fixture
async def sent(server: Connection, prefix: str) -> asyncio.Queue[Message]:
    """What is published to the stream, stored or not."""
    messages: asyncio.Queue[Message] = asyncio.Queue()
    await server.subscribe(naming.dead_letter_subjects(prefix), messages.put_nowait)
    await server.processed()
    return messages


def failed(replays: int = 0, sequence: int = 1) -> DeadLetter:
    """Return the dead letter of an event that failed after a number of replays."""
    place = Place("s", "mailer-welcome", sequence, datetime(2026, 1, 1, tzinfo=UTC))
    failure, now = Failure(f"failure {replays}"), datetime.now(UTC)
    return replace(
        DeadLetter.first(place, "lightbus.a.b", {}, b"x", attempts=1, failure=failure, now=now),
        replays=replays,
    )


async def have_stream(server: Connection, prefix: str, settings: dict[str, Any]) -> None:
    await put(server, resources.dead_letter_stream(prefix, server.version), **settings)


async def change_stream(server: Connection, prefix: str, settings: dict[str, Any]) -> None:
    stream = resources.dead_letter_stream(prefix, server.version)
    await server.api(f"STREAM.UPDATE.{stream.name}", {**stream.config, **settings})


async def reasons(store: JetStreamDeadLetters) -> list[str]:
    return [found.failure.reason or found.problem async for found in store.find(Filter())]


@pytest.mark.parametrize("provision", ["create", "verify"])
@pytest.mark.parametrize("settings", STREAMS.values(), ids=STREAMS)
async def test_the_next_failure_replaces_the_last(
    server: Connection, store: JetStreamDeadLetters, prefix: str, settings: dict[str, Any]
) -> None:
    await have_stream(server, prefix, settings)
    await store.keep(failed(sequence=2))
    for replays in range(3):
        for _ in range(2):  # again after a crash
            await store.keep(failed(replays))
        assert await reasons(store) == ["failure 0", f"failure {replays}"]


@pytest.mark.parametrize("settings", STREAMS.values(), ids=STREAMS)
async def test_a_dead_letter_takes_a_subject_on_which_something_else_is(
    server: Connection, store: JetStreamDeadLetters, prefix: str, settings: dict[str, Any]
) -> None:
    await have_stream(server, prefix, settings)
    await server.request(naming.dead_letter_subject(prefix, failed().place), b"bogus", BOUND)
    await store.keep(failed())
    assert await reasons(store) == ["failure 0"]


@pytest.mark.parametrize("stream", ["ours", "earlier"])
async def test_a_dead_letter_is_sent_once_however_the_stream_is_configured(
    server: Connection,
    store: JetStreamDeadLetters,
    sent: asyncio.Queue[Message],
    prefix: str,
    stream: str,
) -> None:
    await have_stream(server, prefix, STREAMS[stream])
    await store.keep(failed())  # now the configuration is known
    await server.processed()
    before = sent.qsize()
    for replays in range(1, 4):
        await store.keep(failed(replays))
    await server.processed()
    assert (before, sent.qsize() - before) == (2 if stream == "earlier" else 1, 3)


async def test_a_stream_may_be_changed_while_services_use_it(
    server: Connection, store: JetStreamDeadLetters, prefix: str
) -> None:
    await have_stream(server, prefix, EARLIER)
    for replays, settings in enumerate((EARLIER, {}, EARLIER, {}, STREAMS["never replaced"], {})):
        await change_stream(server, prefix, settings)
        for again in range(2):
            await store.keep(failed(2 * replays + again))
            assert await reasons(store) == [f"failure {2 * replays + again}"]


@pytest.mark.parametrize("stream", STREAMS)
async def test_a_full_stream_refuses_a_dead_letter_and_says_so(
    server: Connection, store: JetStreamDeadLetters, prefix: str, stream: str
) -> None:
    await have_stream(server, prefix, {**STREAMS[stream], "max_msgs": 1})
    await store.keep(failed())
    for _ in range(2):
        with pytest.raises(PublishFailed, match="the stream is full: maximum messages exceeded"):
            await store.keep(failed(sequence=2))
    assert await reasons(store) == ["failure 0"]


def test_only_servers_that_can_replace_dead_letters_are_asked_to_refuse_others() -> None:
    def guards(version: tuple[int, int]) -> set[str]:
        return {"discard_new_per_subject", "allow_rollup_hdrs"} & set(
            resources.dead_letter_stream("lightbus", version).config
        )

    assert guards((2, 13)) == guards((0, 0)) == set()
    assert guards((2, 14)) == guards((3, 0)) == {"discard_new_per_subject", "allow_rollup_hdrs"}
