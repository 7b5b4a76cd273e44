"""The transport on NATS JetStream; the only package that imports nats-py."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Coroutine
from typing import Any

from lightbus import naming
from lightbus.errors import ConnectionFailed, JetStreamUnavailable, TransportError
from lightbus.event.envelope import HEADROOM
from lightbus.jetstream.connection.address import URL_IN_CODE, resolve
from lightbus.jetstream.connection.attempt import failure
from lightbus.jetstream.connection.connection import Connection
from lightbus.jetstream.consuming.delivery import Deliveries
from lightbus.jetstream.consuming.subscription import EVENTS, REPLAYS, Deliver, Pace, PullSubscription
from lightbus.jetstream.publisher import Publisher
from lightbus.jetstream.stored.dead_letters import JetStreamDeadLetters
from lightbus.jetstream.streams import resources
from lightbus.jetstream.streams.ensure import Provisioner
from lightbus.jetstream.streams.health import alarms
from lightbus.jetstream.streams.resources import NANOSECONDS, Durable
from lightbus.jetstream.streams.watchdog import Watchdog
from lightbus.transport import Consumer, Outgoing, Provision, PubAck


class JetStreamTransport:
    """JetStream over one connection; see `lightbus.transport.Transport`.

    Args:
        url: the server's address; None looks it up, see `lightbus.jetstream.connection.address.resolve`.
        service_name: part of the connection's name and of its inboxes.
        prefix: first token of streams and subjects.
        provision: whether to create missing streams and durables.
        origin: where the url came from, for messages.
    """

    def __init__(
        self,
        url: str | None,
        *,
        service_name: str,
        prefix: str,
        provision: Provision = "create",
        origin: str = URL_IN_CODE,
    ) -> None:
        self._prefix = prefix
        name = f"{service_name or 'lightbus'}/{socket.gethostname()}/{os.getpid()}"
        self._connection = Connection(
            resolve(url, origin=origin), name, inbox_prefix=naming.inbox_prefix(service_name)
        )
        self._publisher = Publisher(self._connection)
        self._provisioner = Provisioner(self._connection, provision)
        self._watch = Watchdog(self._connection)
        self._checked: set[str] = set()  # APIs whose stream was checked
        self._checks: set[asyncio.Task[None]] = set()
        self.dead_letters = JetStreamDeadLetters(self._connection, self._publisher, self._provisioner, prefix)

    async def connect(self) -> None:
        """Connect and check that JetStream answers; see `Transport.connect`."""
        try:
            await self._connection.connect()
            await self._publisher.start()
        except BaseException as error:  # even a cancellation must not leave a half-open connection
            await self._connection.close()
            if not isinstance(error, TransportError) or isinstance(
                error, (ConnectionFailed, JetStreamUnavailable)
            ):
                raise
            raise failure(self._connection.address, str(error)) from error

    def publish(self, event: Outgoing, *, timeout: float) -> Coroutine[Any, Any, PubAck]:
        """Send an event; its stream is created when no stream answers."""
        if event.api not in self._checked:
            self._check_stream(event.api, timeout)
        return self._publisher.publish(
            naming.subject(self._prefix, event.api, event.event),
            event.body,
            event.headers,
            what=f"{event.api}.{event.event}",
            stream=naming.stream(self._prefix, event.api),
            create_stream=lambda: self._provisioner.ensure_on_demand(
                resources.event_stream(self._prefix, event.api)
            ),
            timeout=timeout,
            headroom=HEADROOM,
        )

    async def room(self) -> None:
        """Let sent events be written, and wait while too many are pending."""
        await asyncio.sleep(0)
        if self._connection.is_full:
            await self._connection.room()

    def _check_stream(self, api: str, timeout: float) -> None:
        """Check the stream of an API in the background, so that its first event does not wait."""
        self._checked.add(api)
        stream = resources.event_stream(self._prefix, api)
        task = asyncio.create_task(self._provisioner.check(stream, timeout), name=f"{stream.name}/check")
        self._checks.add(task)
        task.add_done_callback(self._checks.discard)

    async def subscribe(self, consumer: Consumer) -> PullSubscription:
        """Join a durable; see `Transport.subscribe`."""
        stream = await self._provisioner.ensure_stream(resources.event_stream(self._prefix, consumer.api))
        durable = resources.durable(self._prefix, consumer)
        info = await self._provisioner.ensure(durable)
        dead_letters = resources.dead_letter_stream(self._prefix, self._connection.version)
        await self._provisioner.ensure_or_check(dead_letters)
        self._watch.add(durable, alarms(stream, info) if stream is not None else [])
        return await self._pull(durable, info, self._deliveries(durable).event, EVENTS)

    async def subscribe_replays(self, consumer: Consumer) -> PullSubscription:
        """Join the replays sent to a listener, through a separate durable."""
        await self._provisioner.ensure_stream(resources.replay_stream(self._prefix))
        durable = resources.replay_durable(self._prefix, consumer)
        info = await self._provisioner.ensure(durable)
        return await self._pull(durable, info, self._deliveries(durable).replay, REPLAYS)

    def _deliveries(self, durable: Durable) -> Deliveries:
        return Deliveries(self._connection, self.dead_letters, durable.stream, durable.name)

    async def _pull(
        self, durable: Durable, info: dict[str, Any], deliver: Deliver, pace: Pace
    ) -> PullSubscription:
        subscription = PullSubscription(
            self._connection,
            deliver,
            stream=durable.stream,
            durable=durable.name,
            ack_wait=info["config"]["ack_wait"] / NANOSECONDS,
            pace=pace,
        )
        await subscription.start()
        return subscription

    @property
    def address(self) -> str:
        """The server's address, without a password."""
        return self._connection.address.display

    @property
    def largest(self) -> int:
        """The server's `max_payload`, without what dead letters need."""
        return self._connection.max_payload - HEADROOM

    @property
    def trouble(self) -> str:
        """Why the connection is down; empty when it is up."""
        return "" if self._connection.is_up else self._connection.why_down

    async def close(self) -> None:
        """Disconnect."""
        await self._watch.close()
        for task in self._checks:
            task.cancel()
        if self._checks:
            await asyncio.wait(self._checks)
        await self._connection.close()
