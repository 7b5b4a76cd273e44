"""A NATS connection that reconnects by itself.

nats-py does the protocol, the reconnect and the subscriptions. Its failure modes, measured on 2.16, are handled here:
a callback that raises ends its read loop, a protocol error closes it permanently, a disconnect does not
reach requests in flight, and it can stop silently (see `client`), so a watch checks on it.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import nats.errors

from lightbus.errors import TransportError
from lightbus.jetstream.connection import diagnosis
from lightbus.jetstream.connection.address import Address
from lightbus.jetstream.connection.attempt import CONNECT_TIMEOUT, Attempt, tls_context
from lightbus.jetstream.connection.client import EventClient, Receive, bounded
from lightbus.jetstream.connection.refusals import Refusals
from lightbus.logs import log

_FIRST_PAUSE = 0.5  # seconds between two tries of the first connect
_PING_INTERVAL = 10  # seconds; with two missed answers a dead peer is noticed within 30 s
_FIRST_DELAY, _LONGEST_DELAY = 0.05, 2.0  # seconds between reconnect attempts, doubling, with jitter
FLUSH_TIMEOUT = 2.0  # seconds a full send buffer may take to empty; nats-py would wait without limit
_DRAIN_TIMEOUT = 2.0  # seconds for messages on their way when a subscription begins or ends
_WATCH = 1.0  # seconds between two checks of nats-py
_UNACKNOWLEDGED = 2.0 * _PING_INTERVAL  # seconds bytes may wait for the peer's kernel

_DENIED = re.compile(
    r'permissions violation for (?P<action>publish|subscription) to "(?P<subject>[^"]+)"', re.IGNORECASE
)

Denied = Callable[[str, str], None]


@dataclass(slots=True, eq=False)
class _Subscribed:
    """A subscription, kept so that it can be restored on a new client."""

    subject: str
    receive: Receive
    number: int = 0


class Supervised:
    """A connection that reconnects until it is closed.

    Args:
        name: shown by the server's monitoring.
        inbox_prefix: first tokens of reply subjects, unless the address says otherwise.

    Attributes:
        refusals: unreadable answers to requests.
    """

    def __init__(self, address: Address, name: str, *, inbox_prefix: str = "_INBOX") -> None:
        self.address = address
        self._name, self._inbox_prefix = name, inbox_prefix
        self.refusals = Refusals("answers to requests")
        self._client = self._new_client()
        self._up = asyncio.Event()
        self._attempt: Attempt | None = None  # while there is no connection yet
        self._ended = asyncio.Event()
        self._on_down: list[Callable[[], None]] = []
        self._on_up: list[Callable[[], None]] = []
        self._on_denied: list[Denied] = []
        self._rebuilding: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._delay = _FIRST_DELAY
        self._tried: set[str] = set()  # servers tried since the connection was lost
        self._trouble = ""  # the latest error while the connection is down
        self._subscribed: list[_Subscribed] = []

    def _new_client(self) -> EventClient:
        return EventClient(wants_tls=self.address.wants_tls, refusals=self.refusals)

    # -- lifetime ----------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect for the first time.

        Raises:
            ConnectionFailed: with advice.
        """
        await self._open()
        self._up.set()
        self._watching = asyncio.create_task(self._watch(), name="nats/watch")

    async def _open(self) -> None:
        self._attempt = Attempt(self._client, self.address)
        await self._attempt.run(self._options(self._client))
        self._attempt = None
        self._client.limit_unacknowledged_time(_UNACKNOWLEDGED)

    def _options(self, client: EventClient) -> dict[str, Any]:
        tls = tls_context(self.address)

        def guarded(callback: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Any]:
            async def call(*arguments: object) -> None:
                if client is not self._client:
                    return  # it was replaced
                try:
                    await callback(*arguments)
                except Exception:  # raising would end nats-py's read loop, or its reconnect
                    log.exception("unexpected error in a callback of the connection")

            return call

        return {
            "servers": list(self.address.servers),
            "name": self._name,
            "max_reconnect_attempts": -1,
            "reconnect_time_wait": _FIRST_PAUSE,
            "ping_interval": _PING_INTERVAL,
            "max_outstanding_pings": 2,
            "connect_timeout": CONNECT_TIMEOUT,
            "inbox_prefix": self._inbox_prefix,
            "flush_timeout": FLUSH_TIMEOUT,
            "reconnect_to_server_handler": self._choose_server,
            "error_cb": guarded(self._error),
            "disconnected_cb": guarded(self._disconnected),
            "reconnected_cb": guarded(self._reconnected),
            "closed_cb": guarded(self._closed),
            "lame_duck_mode_cb": guarded(self._lame_duck),
            **({"tls": tls} if tls else {}),
            **self.address.options,
        }

    @property
    def closing(self) -> bool:
        """Whether `close()` was called."""
        return self._ended.is_set()

    async def close(self) -> None:
        """Disconnect permanently; everything that waits for this connection fails at once."""
        self._ended.set()
        self._up.clear()
        self._call(self._on_down)
        if tasks := [task for task in (self._watching, self._rebuilding) if task is not None]:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        if not await bounded(self._client.close(), 2.0):
            self._client.abort()

    # -- use ---------------------------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        """Whether the connection is up now."""
        return self._up.is_set()

    @property
    def why_down(self) -> str:
        """Why nothing can be sent, for people to read; not meaningful while the connection is up."""
        return f"the connection is down: {self._trouble}" if self._trouble else "the connection is down"

    async def ready(self, timeout: float) -> bool:
        """Wait until the connection is up; False after `timeout` seconds, or when it is closed."""
        if self._up.is_set() or self.closing:
            return not self.closing
        waits = {asyncio.create_task(self._up.wait()), asyncio.create_task(self._ended.wait())}
        try:
            await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return self._up.is_set() and not self.closing

    def when_down(self, callback: Callable[[], None]) -> None:
        """Call a function at each disconnect; messages in flight may be lost."""
        self._on_down.append(callback)

    def when_up(self, callback: Callable[[], None]) -> None:
        """Call a function after each reconnect, when subscriptions are restored."""
        self._on_up.append(callback)

    def when_denied(self, callback: Denied) -> None:
        """Call a function when the server denies this user a subject.

        It receives "publish" or "subscription", and the subject in lower case as nats-py passes it on. The server
        reports this separately: the request that it refuses gets no answer.
        """
        self._on_denied.append(callback)

    def forget(self, *callbacks: object) -> None:
        """Stop calling functions given to the `when_` methods."""
        self._on_down = [callback for callback in self._on_down if callback not in callbacks]
        self._on_up = [callback for callback in self._on_up if callback not in callbacks]
        self._on_denied = [callback for callback in self._on_denied if callback not in callbacks]

    async def subscribe(self, subject: str, receive: Receive) -> Callable[[], Coroutine[Any, Any, None]]:
        """Receive a subject's messages as soon as they are read; survives reconnects.

        Returns:
            A coroutine function that ends the subscription; messages on their way are still received.
        """
        subscribed = _Subscribed(subject, receive)
        await self._attach(subscribed)
        self._subscribed.append(subscribed)

        async def end() -> None:
            self._subscribed.remove(subscribed)
            if not self._up.is_set():
                return
            if not await bounded(self._client.end(subscribed.number), _DRAIN_TIMEOUT) and not self.closing:
                await self._client.force_reconnect()  # a late PONG would end nats-py's read loop

        return end

    async def _attach(self, subscribed: _Subscribed) -> None:
        try:
            subscribed.number = await self._client.receive(subscribed.subject, subscribed.receive)
        except (nats.errors.Error, OSError) as error:
            raise TransportError(f"cannot subscribe to {subscribed.subject}: {error}") from error

    # -- nats-py's callbacks; none of them may raise ---------------------------------------------------

    async def _error(self, error: Exception) -> None:
        if self._attempt is not None:
            self._attempt.failed(error)
            return
        if not self._up.is_set():
            self._trouble = diagnosis.reason(error, CONNECT_TIMEOUT)
        if denied := _DENIED.search(str(error)):
            self._call(self._on_denied, denied["action"].lower(), denied["subject"].lower())
        log.debug("nats: %s", error)

    async def _disconnected(self) -> None:
        if self._attempt is not None or not self._up.is_set():
            return
        self._down()
        if not self.closing:
            log.warning("disconnected from %s, reconnecting", self.address.display)

    def _down(self) -> None:
        self._up.clear()
        self._tried = {self._client.server}  # try the others first
        self._call(self._on_down)

    async def _reconnected(self) -> None:
        self._client.limit_unacknowledged_time(_UNACKNOWLEDGED)
        self._restored()
        log.info("connected again to %s", self.address.display)

    def _restored(self) -> None:
        self._delay, self._trouble = _FIRST_DELAY, ""
        self._up.set()
        self._call(self._on_up)

    async def _closed(self) -> None:
        """Start over: nats-py gave up, as it does after a protocol error."""
        if self._attempt is None and not self.closing:
            self._start_over()

    async def _lame_duck(self) -> None:
        """Leave a server that is shutting down; nats-py would wait until it hangs up."""
        if self._client.knows_other_servers:
            log.info("%s is shutting down, moving to another server", self._client.server)
            await self._client.force_reconnect()

    # -- failures that nats-py does not recover from ----------------------------------------------------

    async def _watch(self) -> None:
        """Check on nats-py, which can stop silently."""
        while True:
            await asyncio.sleep(_WATCH)
            if self._attempt is not None or self._is_rebuilding:
                continue
            if self._client.is_deaf:
                log.warning("nats-py stopped reading, reconnecting")
                await self._client.force_reconnect()
            elif self._client.has_given_up:
                self._start_over()
            elif self._up.is_set() and not self._client.is_connected:
                self._client.abort()  # it waits for a dead connection to take unsent bytes

    @property
    def _is_rebuilding(self) -> bool:
        return self._rebuilding is not None and not self._rebuilding.done()

    def _start_over(self) -> None:
        """Continue with a new client."""
        if self._is_rebuilding:
            return
        self._client.abort()
        if self._up.is_set():
            self._down()
        self._rebuilding = asyncio.create_task(self._rebuild(), name="nats/rebuild")

    async def _rebuild(self) -> None:
        while not self.closing:
            self._client = self._new_client()
            try:
                await self._open()
                for subscribed in tuple(self._subscribed):
                    await self._attach(subscribed)
            except Exception as error:  # giving up would leave the listeners without events
                self._trouble = str(getattr(error, "reason", error))
                log.warning("not connected yet: %s", self._trouble)
                await bounded(self._client.close(), 1.0)
                await asyncio.sleep(self._next_delay())
                continue
            self._restored()
            log.info("connected to %s with a new client", self.address.display)
            return

    def _choose_server(self, servers: list[Any], info: dict[str, Any]) -> tuple[Any, float]:
        """Pick a server that was not tried yet, after an exponential delay with jitter (ADR-40)."""
        untried = [server for server in servers if server.uri.netloc not in self._tried]
        if not untried:
            self._tried.clear()
        chosen = random.choice(untried or servers)
        self._tried.add(chosen.uri.netloc)
        return chosen, self._next_delay()

    def _next_delay(self) -> float:
        delay = self._delay * random.uniform(0.5, 1.0)
        self._delay = min(self._delay * 2, _LONGEST_DELAY)
        return delay

    def _call(self, callbacks: list[Callable[..., None]], *arguments: object) -> None:
        for callback in tuple(callbacks):
            try:
                callback(*arguments)
            except Exception:
                log.exception("unexpected error in a connection callback")
