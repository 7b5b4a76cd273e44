"""What a bus does on one event loop: one connection, the listeners on it, and firing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lightbus.bus.batch import publish_all
from lightbus.errors import BatchFailed, BusClosed, ListenerFailed, PublishUnknown, TransportError
from lightbus.event import envelope
from lightbus.event.ids import event_id
from lightbus.listening.worker import Listening, Worker
from lightbus.message import EventMessage
from lightbus.schema import EventContract
from lightbus.transport import Outgoing, Provision, Transport

_A_TURN = 256  # events that are validated before others on the event loop get their turn


@dataclass(frozen=True, slots=True)
class Settings:
    """What `create()` was told.

    Attributes:
        url: server address, or several separated by commas; None looks it up when connecting.
        service_name: first half of every durable's name, and the `source` of fired events.
        prefix: first token of every stream and subject; one account can hold several environments.
        timeout: seconds `fire()` waits for the server's confirmation, retries included.
        grace: seconds running handlers get to finish when the bus closes.
        provision: whether streams and durables that are missing are made, or only verified to be there.
        transport: used in place of what the URL names, unless None.
    """

    url: str | None
    service_name: str
    prefix: str
    timeout: float
    grace: float
    provision: Provision
    transport: Transport | None = None

    @property
    def source(self) -> str:
        """The CloudEvents `source` of events fired with these settings."""
        return f"/{self.service_name or 'lightbus'}"


def make_transport(settings: Settings) -> Transport:
    """Choose the transport a URL names: `memory://` stays in this process, anything else is NATS."""
    if settings.transport is not None:
        return settings.transport
    if settings.url is not None and settings.url.startswith("memory://"):
        from lightbus.memory import MemoryTransport

        return MemoryTransport.shared(settings.url, settings.prefix)
    from lightbus.jetstream import JetStreamTransport

    return JetStreamTransport(
        settings.url,
        service_name=settings.service_name,
        prefix=settings.prefix,
        provision=settings.provision,
    )


class Session:
    """A bus's connection and listeners on the event loop it is used on.

    Args:
        settings: the bus's settings.
        on_failure: called when a listener cannot go on.
    """

    def __init__(self, settings: Settings, on_failure: Callable[[Listening, ListenerFailed], None]) -> None:
        self._settings, self._source = settings, settings.source
        self._on_failure = on_failure
        self._transport: Transport | None = None
        self._connecting: asyncio.Task[Transport] | None = None
        self._stored: set[str] = set()  # APIs whose stream has taken a batch
        self._refused = ""  # why the last try to connect failed
        self._loop = asyncio.get_running_loop()
        self._closing: asyncio.Task[None] | None = None
        self._closed = False  # handlers that still run may fire
        self._workers: list[Worker] = []
        self._starting: set[asyncio.Task[None]] = set()

    @property
    def listening(self) -> list[Listening]:
        """What the session's workers listen to."""
        return [worker.listening for worker in self._workers]

    def in_handler(self) -> bool:
        """Whether the caller is a handler of this session."""
        return any(worker.in_handler() for worker in self._workers)

    async def connected(self) -> Transport:
        """Return the session's transport; whoever comes first connects it for all.

        Raises:
            ConnectionFailed, JetStreamUnavailable: it cannot connect. TransportError: it did not in time.
            BusClosed: the session was closed.
        """
        if self._transport is not None:
            return self._transport
        connecting = self._connect_soon()
        await asyncio.wait({connecting}, timeout=self._settings.timeout)
        if not connecting.done():
            raise TransportError(f"there was no connection within {self._settings.timeout:g} s")
        if connecting.cancelled():
            raise BusClosed("the bus was closed while it connected")
        return connecting.result()

    def _connect_soon(self) -> asyncio.Task[Transport]:
        """Return the task that connects, a new one if there is none."""
        if self._connecting is None:
            if self._closed:
                raise BusClosed("this bus was closed; create a new one")
            self._connecting = asyncio.create_task(self._connect())
            self._connecting.add_done_callback(self._tried)
        return self._connecting

    @property
    def trouble(self) -> str:
        """Why the session can neither fire nor listen at the moment; empty when it can, or was not asked to yet."""
        return self._transport.trouble if self._transport is not None else self._refused

    def connect_again(self) -> None:
        """If the last try to connect failed, try again; may be called in any thread."""
        if self._refused and self._connecting is None and self._closing is None:
            with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
                self._loop.call_soon_threadsafe(self._connect_soon)

    async def _connect(self) -> Transport:
        transport = make_transport(self._settings)
        await transport.connect()
        self._transport, self._refused = transport, ""
        return transport

    def _tried(self, connecting: asyncio.Task[Transport]) -> None:
        self._connecting = None
        if not connecting.cancelled() and (error := connecting.exception()) is not None:
            self._refused = str(error)

    def fire(
        self, contract: EventContract, arguments: Mapping[str, object]
    ) -> Coroutine[Any, Any, EventMessage]:
        """Validate an event, and return what stores it and returns it once the server has confirmed.

        Args:
            contract: the event's contract.
            arguments: values by wire name; UNSET counts as absent.
        """
        message, outgoing = self._prepare(contract, arguments)
        return self._publish(message, outgoing)

    async def fire_many(
        self, contract: EventContract, events: Iterable[Mapping[str, object]]
    ) -> list[EventMessage]:
        """Validate events, store them together, and return them once the server has confirmed each.

        Args:
            contract: the events' contract.
            events: arguments of each, as `fire` takes them.
        """
        prepared: list[tuple[EventMessage, Outgoing]] = []
        for arguments in events:
            prepared.append(self._prepare(contract, arguments))
            if len(prepared) % _A_TURN == 0:
                await asyncio.sleep(0)
        transport = self._transport or await self.connected()
        outgoing = [outgoing for _, outgoing in prepared]
        first_alone = contract.api not in self._stored
        outcomes = await publish_all(transport, outgoing, self._settings.timeout, first_alone=first_alone)
        if None in outcomes:
            self._stored.add(contract.api)
        messages = [message for message, _ in prepared]
        failed = [(message, error) for message, error in zip(messages, outcomes, strict=True) if error]
        for message, error in failed:
            if isinstance(error, PublishUnknown):
                error.message = message
        if failed:
            raise BatchFailed(contract.full_name, messages, failed)
        return messages

    async def fire_again(self, contract: EventContract, message: EventMessage) -> EventMessage:
        """Store an event that was fired before, unless it is stored already."""
        data = contract.encode({contract.wire_name(name): value for name, value in message.kwargs.items()})
        return await self._publish(message, self._outgoing(contract, message, data))

    async def _publish(self, message: EventMessage, outgoing: Outgoing) -> EventMessage:
        transport = self._transport or await self.connected()
        try:
            await transport.publish(outgoing, timeout=self._settings.timeout)
            return message
        except PublishUnknown as error:
            error.message = message
            raise

    def _prepare(
        self, contract: EventContract, arguments: Mapping[str, object]
    ) -> tuple[EventMessage, Outgoing]:
        """Validate an event and write it down."""
        data, values = contract.prepare(arguments)
        message = EventMessage(
            event_id(),
            contract.api,
            contract.event,
            values,
            datetime.now(UTC),
            self._source,
        )
        return message, self._outgoing(contract, message, data)

    @staticmethod
    def _outgoing(contract: EventContract, message: EventMessage, data: Mapping[str, Any]) -> Outgoing:
        body, headers = envelope.encode(message, data, dataschema=contract.uri)
        return Outgoing(contract.api, contract.event, message.id, body, headers)

    async def listen(self, listening: Listening) -> None:
        """Start a listener; returns once its durable exists and it takes events."""
        worker = Worker(listening, await self.connected(), self._on_failure)
        await worker.start()
        if self._closed:
            await worker.stop(0)
            raise BusClosed("the bus was closed while the listener started")
        self._workers.append(worker)

    def listen_soon(self, listening: Listening) -> None:
        """Start a listener without waiting; a failure to start goes the way of a failing listener."""

        def started(task: asyncio.Task[None]) -> None:
            self._starting.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                failure = ListenerFailed(listening.consumer.durable, str(error))
                failure.__cause__ = error
                self._on_failure(listening, failure)

        task = asyncio.create_task(self.listen(listening))
        self._starting.add(task)
        task.add_done_callback(started)

    async def all_started(self) -> None:
        """Wait until every listener of `listen_soon()` has started or failed."""
        while self._starting:
            await asyncio.wait(tuple(self._starting))

    async def close(self) -> None:
        """Stop the listeners, letting running handlers finish (and fire), then disconnect.

        All who call wait for the same end, which comes even if they are cancelled.
        """
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        await self.all_started()
        self._closed = True
        try:
            await asyncio.gather(*(worker.stop(self._settings.grace) for worker in self._workers))
        finally:
            self._workers = []
            if (connecting := self._connecting) is not None:
                connecting.cancel()
                await asyncio.wait({connecting})
            if self._transport is not None:
                await self._transport.close()
                self._transport = None
