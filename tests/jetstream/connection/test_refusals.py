"""Unsolicited messages to the inboxes of a service, on a real nats-server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from lightbus import naming
from lightbus.jetstream import JetStreamTransport
from lightbus.jetstream.acknowledgements import Acknowledgements
from lightbus.testing import NatsServer
from lightbus.transport import Consumer
from tests.conformance.bench import BOUND, outgoing, take
from tests.conformance.kits import look_into
from tests.jetstream.connection.rogue import Rogue, rogue

pytestmark = pytest.mark.filterwarnings("error")

JUNK = [
    (b"", b""),
    (b"\xff\xfe", b""),
    (b'{"stream": "s", "seq": 1}', b""),
    (b"", b"NATS/1.0 \xff\xff\xff \xff\r\n\r\n"),
    (b"", b"NATS/1.0\r\nNats-Pending-Messages: 1\r\n\r\n"),
    (b"", b"NATS/1.0 x\r\n\r\n"),
]
REPLIES = [b"x", b"\xff", b"$JS.API.INFO", b"_INBOX.x"]  # the server lets nobody use those of `$JS.ACK`


@pytest.fixture
async def stranger(nats_server: NatsServer) -> AsyncIterator[Rogue]:
    async with rogue(nats_server.url) as connected:
        yield connected


@pytest.fixture
async def transport(nats_server: NatsServer, prefix: str) -> AsyncIterator[JetStreamTransport]:
    made = JetStreamTransport(nats_server.url, service_name="refusing", prefix=prefix)
    await made.connect()
    yield made
    await made.close()


async def test_a_listener_refuses_what_is_no_delivery(
    transport: JetStreamTransport, stranger: Rogue, prefix: str
) -> None:
    stream = naming.stream(prefix, "shop")
    asking = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.listener".encode()
    await stranger.listen(asking)
    subscription = await transport.subscribe(Consumer("shop", "created", "listener"))
    waiting = asyncio.create_task(subscription.take())
    inbox = await asyncio.wait_for(stranger.overhear(asking), BOUND)
    for body, header in JUNK:
        stranger.publish(inbox, body, header=header)
        stranger.publish(inbox + b"\xff", body, header=header)
        for reply in REPLIES:
            stranger.publish(inbox, body, header=header, reply=reply)
    await stranger.flush()
    await transport.publish(outgoing("good"), timeout=BOUND)
    delivery = await asyncio.wait_for(waiting, BOUND)
    assert delivery is not None and (delivery.body, delivery.attempt) == (b"good", 1)
    await delivery.ack()
    assert subscription.refusals.count == len(JUNK) * (2 + len(REPLIES))
    await transport.publish(outgoing("and goes on"), timeout=BOUND)
    assert (await take(subscription)).body == b"and goes on"
    await subscription.close()


async def test_a_publisher_waits_for_the_true_answer(
    transport: JetStreamTransport, nats_server: NatsServer, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Another responder on the subject replies to each event first, with arbitrary data."""
    subject, stream = naming.subject(prefix, "shop", "created"), naming.stream(prefix, "shop")
    await transport.publish(outgoing("makes the stream"), timeout=BOUND)
    async with look_into(nats_server.url) as connection, rogue(nats_server.url) as stranger:
        acknowledgements = Acknowledgements(connection)
        await acknowledgements.start()
        await stranger.listen(subject.encode())
        loop = asyncio.get_running_loop()
        junk = [*JUNK, (b'{"stream": "s", "seq": 1, "error": {"code": 503, "err_code": 10077}}', b"")]
        for number in range(3):
            answering = acknowledgements.send(subject, b"", b"x", loop.time() + BOUND, stream)
            inbox = await asyncio.wait_for(stranger.overhear(subject.encode()), BOUND)
            for body, header in junk:
                stranger.publish(inbox, body, header=header)
                stranger.publish(inbox + b"9" * 30, b'{"stream": "s", "seq": 1}')
                stranger.publish(inbox + b"\xff", b'{"stream": "s", "seq": 1}')
            await stranger.flush()
            answer = await asyncio.wait_for(answering, BOUND)
            assert answer is not None
            assert (answer.stream, answer.seq) == (naming.stream(prefix, "shop"), number + 2)
        later = acknowledgements.send(
            subject, b"", b"x", loop.time() + BOUND, stream
        )  # arrives after all of them
        await asyncio.wait_for(later, BOUND)
        assert acknowledgements.refusals.count >= 2 * 3 * len(junk)
        assert [r.levelname for r in caplog.records if "acknowledgements: refused" in r.message] == [
            "WARNING"
        ]


async def test_answers_to_requests_that_cannot_be_read_do_not_stop_the_connection(
    nats_server: NatsServer, stranger: Rogue
) -> None:
    async with look_into(nats_server.url) as connection:
        await stranger.listen(b"$JS.API.INFO")
        asking = asyncio.create_task(connection.api("INFO"))
        inbox = await asyncio.wait_for(stranger.overhear(b"$JS.API.INFO"), BOUND)
        await asyncio.wait_for(asking, BOUND)
        for _ in range(3):
            for body, header in JUNK:
                stranger.publish(inbox, body, header=header)
                stranger.publish(inbox + b"\xff", body, header=header)
        await stranger.flush()
        assert await connection.api("INFO")
        assert connection.refusals.count >= 3 * len(JUNK)
