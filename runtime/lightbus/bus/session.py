"""A bus on one event loop: its connection and its listeners."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from lightbus.errors import BusClosed, ConnectionFailed, ListenerFailed
from lightbus.listening.worker import Listening, Worker
from lightbus.transport import Provision, Transport


@dataclass(frozen=True, slots=True)
class Settings:
    """The arguments of `create()`, checked.

    Attributes:
        url: server address, or several separated by commas; None looks it up when connecting.
        service_name: first half of every durable's name, and the `source` of fired events.
        prefix: first token of every stream and subject; one account can hold several environments.
        timeout: seconds `fire()` waits for the server's confirmation, retries included.
        grace: seconds running handlers get to finish when the bus closes.
        provision: whether missing streams and durables are created or are an error.
        transport: replaces the transport that the URL names, unless None.
    """

    url: str | None = field(repr=False)  # it may hold a password
    service_name: str
    prefix: str
    timeout: float
    grace: float
    provision: Provision
    transport: Transport | None = None


def make_transport(settings: Settings) -> Transport:
    """Return the transport that the URL names: `memory://` stays in this process, anything else is NATS."""
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
        on_start: called when a listener takes events.
        on_failure: called when a listener cannot continue.

    Attributes:
        transport: the connected transport; None before the first use and after the close.
    """

    def __init__(
        self,
        settings: Settings,
        on_start: Callable[[Listening], None],
        on_failure: Callable[[Listening, ListenerFailed], None],
    ) -> None:
        self._settings = settings
        self._on_start, self._on_failure = on_start, on_failure
        self.transport: Transport | None = None
        self._connecting: asyncio.Task[Transport] | None = None
        self._address = ""  # where it connects to
        self._refused = ""  # why the last attempt to connect failed
        self._loop = asyncio.get_running_loop()
        self._closing: asyncio.Task[None] | None = None
        self._closed = False  # handlers that still run may fire
        self._workers: list[Worker] = []
        self._starting: set[asyncio.Task[None]] = set()

    @property
    def listening(self) -> list[Listening]:
        """The session's listeners."""
        return [worker.listening for worker in self._workers]

    def in_handler(self) -> bool:
        """Whether the caller is a handler of this session."""
        return any(worker.in_handler() for worker in self._workers)

    async def connected(self) -> Transport:
        """Return the connected transport; the first caller connects it, the others wait.

        Raises:
            ConnectionFailed, JetStreamUnavailable: it cannot connect, or not within the timeout.
            BusClosed: the session was closed.
        """
        if self.transport is not None:
            return self.transport
        connecting = self._connect_soon()
        await asyncio.wait({connecting}, timeout=self._settings.timeout)
        if not connecting.done():
            error = ConnectionFailed(
                self._address,
                f"there was no connection within {self._settings.timeout:g} s",
                "The bus goes on trying. If the server is only slow, give lightbus.create() a longer timeout.",
            )
            self._refused = str(error)  # until there is a connection, or the reason why there is none
            try:
                raise error
            finally:
                del error  # its traceback holds this frame
        if connecting.cancelled():
            raise BusClosed("the bus was closed while it connected")
        try:
            return connecting.result()
        finally:
            del connecting  # it holds the error, whose traceback holds this frame

    def _connect_soon(self) -> asyncio.Task[Transport]:
        """Return the task that connects, starting it if there is none."""
        if self._connecting is None:
            if self._closed:
                raise BusClosed("this bus was closed; create a new one")
            self._connecting = asyncio.create_task(self._connect())
            self._connecting.add_done_callback(self._attempted)
        return self._connecting

    @property
    def trouble(self) -> str:
        """Why the session can neither fire nor listen now; empty when it can, or has not been used yet."""
        return self.transport.trouble if self.transport is not None else self._refused

    def connect_again(self) -> None:
        """Connect again if the last attempt failed; may be called in any thread."""
        if self._refused and self._connecting is None and self._closing is None:
            with contextlib.suppress(RuntimeError):  # the loop is closed by now
                self._loop.call_soon_threadsafe(self._connect_soon)

    async def _connect(self) -> Transport:
        transport = make_transport(self._settings)
        self._address = transport.address
        await transport.connect()
        self.transport, self._refused = transport, ""
        return transport

    def _attempted(self, connecting: asyncio.Task[Transport]) -> None:
        self._connecting = None
        if not connecting.cancelled() and (error := connecting.exception()) is not None:
            self._refused = str(error)

    async def listen(self, listening: Listening) -> None:
        """Start a listener; returns once its durable exists and it takes events."""
        worker = Worker(listening, await self.connected(), self._on_failure)
        await worker.start()
        if self._closed:
            await worker.stop(0)
            raise BusClosed("the bus was closed while the listener started")
        self._workers.append(worker)
        self._on_start(listening)

    def listen_soon(self, listening: Listening) -> None:
        """Start a listener without waiting; a failure to start is reported as a failing listener."""

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

        All callers wait for one close, which finishes even if they are cancelled.
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
            if self.transport is not None:
                await self.transport.close()
                self.transport = None
