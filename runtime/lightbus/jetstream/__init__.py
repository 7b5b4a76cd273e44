"""The transport on NATS JetStream; the only package that imports nats-py."""

from __future__ import annotations

import os
import socket
from collections.abc import Coroutine
from typing import Any

from lightbus import naming
from lightbus.envelope import HEADROOM
from lightbus.jetstream.address import GIVEN_IN_CODE, resolve
from lightbus.jetstream.connection import Connection
from lightbus.jetstream.consumer import PullSubscription
from lightbus.jetstream.deadletters import JetStreamDeadLetters
from lightbus.jetstream.provision import ensure_api_stream, ensure_consumer, ensure_replay_consumer
from lightbus.jetstream.publisher import Publisher
from lightbus.jetstream.replays import RARELY, ReplaySubscription
from lightbus.transport import Consumer, Outgoing, PubAck


class JetStreamTransport:
    """One connection's worth of JetStream; see `lightbus.transport.Transport`.

    Args:
        url: server address; None looks it up, see `lightbus.jetstream.address.resolve`.
        service_name: shown in the connection's name.
        prefix: first token of streams and subjects.
        given: how the user gave the url, for messages.
    """

    def __init__(
        self, url: str | None, *, service_name: str, prefix: str, given: str = GIVEN_IN_CODE
    ) -> None:
        self._prefix = prefix
        name = f"{service_name or 'lightbus'}/{socket.gethostname()}/{os.getpid()}"
        self._connection = Connection(resolve(url, given=given), name)
        self._publisher = Publisher(self._connection)
        self.dead_letters = JetStreamDeadLetters(self._connection, self._publisher, prefix)

    async def connect(self) -> None:
        """Connect and check that JetStream answers."""
        try:
            await self._connection.connect()
            await self._publisher.start()
        except BaseException:  # also a cancellation must not leave half a connection behind
            await self._connection.close()
            raise

    def publish(self, event: Outgoing, *, timeout: float) -> Coroutine[Any, Any, PubAck]:
        """Send an event; its stream is made when no stream answers."""
        return self._publisher.publish(
            naming.subject(self._prefix, event.api, event.event),
            event.body,
            event.headers,
            what=f"{event.api}.{event.event}",
            make_stream=lambda: ensure_api_stream(self._connection, self._prefix, event.api),
            timeout=timeout,
            headroom=HEADROOM,
        )

    async def room(self) -> None:
        """Let what was sent be written, and wait while too much is left."""
        await self._publisher.room()

    async def subscribe(self, consumer: Consumer) -> PullSubscription:
        """Join a durable, made when missing."""
        ack_wait = await ensure_consumer(self._connection, self._prefix, consumer)
        subscription = PullSubscription(
            self._connection,
            self.dead_letters,
            stream=naming.stream(self._prefix, consumer.api),
            durable=consumer.durable,
            ack_wait=ack_wait,
        )
        await subscription.start()
        return subscription

    async def subscribe_replays(self, consumer: Consumer) -> ReplaySubscription:
        """Join the replays sent to a listener, through a durable of its own."""
        ack_wait = await ensure_replay_consumer(self._connection, self._prefix, consumer)
        subscription = ReplaySubscription(
            self._connection,
            self.dead_letters,
            stream=naming.replay_stream(self._prefix),
            durable=naming.replay_durable(naming.stream(self._prefix, consumer.api), consumer.durable),
            ack_wait=ack_wait,
            pace=RARELY,
        )
        await subscription.start()
        return subscription

    async def close(self) -> None:
        """Disconnect."""
        await self._connection.close()
