"""A transport within one process: the contract of `lightbus.transport` without a server.

For tests of code that uses the bus: `lightbus.create(url="memory://name")`. Buses with the same URL share
a broker, even across threads and event loops. A test can advance its clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from lightbus import naming
from lightbus.errors import ConnectionFailed, EventTooLarge
from lightbus.event.envelope import HEADROOM, message_size
from lightbus.memory.broker import MAX_PAYLOAD, Clock, ManualClock, MemoryBroker, Stored, broker
from lightbus.memory.dead_letters import MemoryDeadLetters
from lightbus.memory.delivery import MemoryDeliveries, MemorySubscription
from lightbus.transport import Consumer, Outgoing, PubAck, Subscription

__all__ = ["Clock", "ManualClock", "MemoryBroker", "MemoryTransport", "Stored", "broker"]


class MemoryTransport:
    """One bus's access to a broker; see `lightbus.transport.Transport`."""

    def __init__(self, broker: MemoryBroker, prefix: str = naming.DEFAULT_PREFIX) -> None:
        self._broker, self._prefix = broker, prefix
        self._connected = False
        self.dead_letters = MemoryDeadLetters(broker, prefix)

    @classmethod
    def shared(cls, url: str, prefix: str) -> MemoryTransport:
        """Return a transport to the broker that every user of the URL shares."""
        return cls(broker(url), prefix)

    async def connect(self) -> None:
        """Begin to use the broker."""
        self._connected = True

    def publish(self, event: Outgoing, *, timeout: float) -> Coroutine[Any, Any, PubAck]:
        """Store an event at once."""
        return self._publish(event)

    async def _publish(self, event: Outgoing) -> PubAck:
        if not self._connected:
            raise ConnectionFailed(self.address, "the transport is closed", "Create a new bus.")
        size = message_size(event.body, event.headers)
        if size > self.largest:
            raise EventTooLarge(f"{event.api}.{event.event}", event.id, size, self.largest)
        stream = naming.stream(self._prefix, event.api)
        subject = naming.subject(self._prefix, event.api, event.event)
        return self._broker.store(stream, subject, event.body, event.headers)

    async def room(self) -> None:
        """Let other tasks run; there is always room."""
        await asyncio.sleep(0)

    async def subscribe(self, consumer: Consumer) -> Subscription:
        """Join a durable."""
        stream = naming.stream(self._prefix, consumer.api)
        source = self._join(stream, naming.subject(self._prefix, consumer.api, consumer.event), consumer)
        return MemorySubscription(source, source.event)

    async def subscribe_replays(self, consumer: Consumer) -> Subscription:
        """Join the replays sent to a listener."""
        origin = naming.stream(self._prefix, consumer.api)
        name = naming.replay_durable(origin, consumer.durable)
        subjects = naming.replay_subjects(self._prefix, consumer.durable, origin)
        replays = replace(consumer, durable=name, since="beginning")
        source = self._join(naming.replay_stream(self._prefix), subjects, replays)
        return MemorySubscription(source, source.replay)

    def _join(self, stream: str, subject: str, consumer: Consumer) -> MemoryDeliveries:
        durable = self._broker.join(stream, subject, consumer)
        return MemoryDeliveries(self._broker, self.dead_letters, stream, consumer.durable, durable)

    @property
    def address(self) -> str:
        """The scheme of a broker in this process."""
        return "memory://"

    @property
    def largest(self) -> int:
        """As on a server with the default `max_payload`."""
        return MAX_PAYLOAD - HEADROOM

    @property
    def trouble(self) -> str:
        """Empty: nothing can be down."""
        return ""

    async def close(self) -> None:
        """Stop using the broker, which keeps its contents."""
        self._connected = False
