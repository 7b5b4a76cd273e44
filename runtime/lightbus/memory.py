"""A transport within one process: the contract of `lightbus.transport` without a server.

For tests of code that uses the bus: `lightbus.create(url="memory://name")`. Buses with the same URL share
a broker, also across threads and event loops. Its clock can be turned by hand.
"""

from __future__ import annotations

import asyncio
import bisect
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lightbus import deadletter, naming
from lightbus.envelope import HEADROOM, MESSAGE_ID, message_size
from lightbus.errors import ConnectionFailed, ConsumerLost, EventTooLarge, ProvisionError
from lightbus.transport import Consumer, Outgoing, PubAck

MAX_PAYLOAD = 1024 * 1024  # bytes, as nats-server's default


class Clock:
    """The time a broker goes by: seconds since the epoch."""

    def now(self) -> float:
        """Return the current time."""
        return time.time()

    def seconds_until(self, deadline: float) -> float | None:
        """Return how long to wait for a deadline; None waits until the clock is turned."""
        return max(0.0, deadline - self.now())


class ManualClock(Clock):
    """A clock that stands still until `MemoryBroker.advance()` turns it."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self.time = start

    def now(self) -> float:
        """Return the time the clock was turned to."""
        return self.time

    def seconds_until(self, deadline: float) -> float | None:
        """Wait for the clock to be turned, unless the deadline has passed."""
        return 0.0 if deadline <= self.time else None


@dataclass(frozen=True, slots=True)
class Stored:
    """One message of a stream."""

    sequence: int
    subject: str
    body: bytes
    headers: Mapping[str, str]
    time: float


@dataclass(slots=True)
class _Pending:
    """A delivery that was not settled: due again at `deadline`."""

    attempt: int
    deadline: float


@dataclass(slots=True)
class _Durable:
    subject: str
    ack_wait: float
    position: int  # sequence of the last message that was delivered at least once
    pending: dict[int, _Pending] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    deleted: bool = False


@dataclass(slots=True)
class _Stream:
    messages: list[Stored] = field(default_factory=list)
    ids: dict[str, int] = field(default_factory=dict)
    durables: dict[str, _Durable] = field(default_factory=dict)


class MemoryBroker:
    """Streams and durables, guarded by one lock; what the server is to the JetStream transport.

    Args:
        clock: the time deadlines go by.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self._lock = threading.RLock()
        self._streams: dict[str, _Stream] = {}
        self._watchers: set[Callable[[], None]] = set()

    def advance(self, seconds: float) -> None:
        """Turn a `ManualClock` forward, so that what falls due happens.

        Raises:
            TypeError: the broker goes by the real time.
        """
        if not isinstance(self.clock, ManualClock):
            raise TypeError("only a broker with a ManualClock can be advanced")
        self.clock.time += seconds
        self._notify()

    def messages(self, stream: str) -> list[Stored]:
        """Return what a stream holds, oldest first; a stream that does not exist holds nothing."""
        with self._lock:
            return list(self._streams.get(stream, _Stream()).messages)

    def unsettled(self, stream: str, durable: str) -> int:
        """Return how many events of a durable were delivered and not settled."""
        with self._lock:
            return len(self._streams[stream].durables[durable].pending)

    def delete_durable(self, stream: str, durable: str) -> None:
        """Delete a durable, as an operator may."""
        with self._lock:
            self._streams[stream].durables.pop(durable).deleted = True
        self._notify()

    def store(self, stream: str, subject: str, body: bytes, headers: Mapping[str, str]) -> PubAck:
        """Append a message, unless its id is there already."""
        with self._lock:
            kept = self._streams.setdefault(stream, _Stream())
            message_id = headers.get(MESSAGE_ID, "")
            if message_id and message_id in kept.ids:
                return PubAck(stream, kept.ids[message_id], duplicate=True)
            sequence = len(kept.messages) + 1
            kept.messages.append(Stored(sequence, subject, body, dict(headers), self.clock.now()))
            if message_id:
                kept.ids[message_id] = sequence
        self._notify()
        return PubAck(stream, sequence, duplicate=False)

    def join(self, stream: str, subject: str, consumer: Consumer) -> _Durable:
        """Return a durable, made when missing.

        Raises:
            ProvisionError: it exists for another event.
        """
        with self._lock:
            kept = self._streams.setdefault(stream, _Stream())
            durable = kept.durables.get(consumer.durable)
            if durable is None:
                position = _start(kept.messages, consumer)
                durable = kept.durables[consumer.durable] = _Durable(subject, consumer.ack_wait, position)
            elif durable.subject != subject:
                raise ProvisionError(
                    f"durable {consumer.durable!r} of stream {stream!r} already listens to {durable.subject!r},"
                    f" not {subject!r}; choose another listener_name"
                )
            return durable

    def next(self, stream: str, durable: _Durable) -> tuple[Stored, int] | None:
        """Hand out the next due event of a durable and its attempt, or None when nothing is due."""
        with self._lock:
            if durable.deleted:
                raise ConsumerLost(f"a durable of stream {stream!r} was deleted")
            now = self.clock.now()
            messages = self._streams[stream].messages
            due = [sequence for sequence, pending in durable.pending.items() if pending.deadline <= now]
            if due:
                return self._hand_out(durable, messages[min(due) - 1], now)
            while durable.position < len(messages):
                message = messages[durable.position]
                durable.position += 1
                if message.subject == durable.subject:
                    return self._hand_out(durable, message, now)
            return None

    def _hand_out(self, durable: _Durable, message: Stored, now: float) -> tuple[Stored, int]:
        attempt = durable.attempts.get(message.sequence, 0) + 1
        durable.attempts[message.sequence] = attempt
        durable.pending[message.sequence] = _Pending(attempt, now + durable.ack_wait)
        return message, attempt

    def next_deadline(self, durable: _Durable) -> float | None:
        """Return when the next unsettled event falls due again."""
        with self._lock:
            return min((pending.deadline for pending in durable.pending.values()), default=None)

    def settle(self, durable: _Durable, sequence: int) -> None:
        """End an event for a durable, whichever delivery it was."""
        with self._lock:
            durable.pending.pop(sequence, None)
            durable.attempts.pop(sequence, None)

    def postpone(self, durable: _Durable, sequence: int, attempt: int, seconds: float) -> None:
        """Set when an unsettled event falls due; a delivery that was superseded is ignored."""
        with self._lock:
            pending = durable.pending.get(sequence)
            if pending is not None and pending.attempt == attempt:
                pending.deadline = self.clock.now() + seconds
        self._notify()

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call a function, from any thread, whenever something may have fallen due."""
        with self._lock:
            self._watchers.add(watcher)

    def unwatch(self, watcher: Callable[[], None]) -> None:
        """Stop calling a function."""
        with self._lock:
            self._watchers.discard(watcher)

    def _notify(self) -> None:
        with self._lock:
            watchers = tuple(self._watchers)
        for watcher in watchers:
            watcher()


def _start(messages: list[Stored], consumer: Consumer) -> int:
    if consumer.since == "beginning":
        return 0
    if consumer.since == "now":
        return len(messages)
    return bisect.bisect_left([message.time for message in messages], consumer.since.timestamp())


_brokers: dict[str, MemoryBroker] = {}


def broker(url: str) -> MemoryBroker:
    """Return the broker behind a `memory://name` URL, made when missing."""
    return _brokers.setdefault(url, MemoryBroker())


class MemoryTransport:
    """One bus's access to a broker; see `lightbus.transport.Transport`."""

    def __init__(self, broker: MemoryBroker, prefix: str = naming.DEFAULT_PREFIX) -> None:
        self._broker, self._prefix = broker, prefix
        self._connected = False

    @classmethod
    def shared(cls, url: str, prefix: str) -> MemoryTransport:
        """Return a transport to the broker that every user of the URL shares."""
        return cls(broker(url), prefix)

    async def connect(self) -> None:
        """Begin to use the broker."""
        self._connected = True

    async def publish(self, event: Outgoing, *, timeout: float) -> PubAck:
        """Store an event at once."""
        if not self._connected:
            raise ConnectionFailed("memory://", "the transport is closed", "Create a new bus.")
        size, limit = message_size(event.body, event.headers), MAX_PAYLOAD - HEADROOM
        if size > limit:
            raise EventTooLarge(f"{event.api}.{event.event}", event.id, size, limit)
        stream = naming.stream(self._prefix, event.api)
        subject = naming.subject(self._prefix, event.api, event.event)
        return self._broker.store(stream, subject, event.body, event.headers)

    async def subscribe(self, consumer: Consumer) -> MemorySubscription:
        """Join a durable."""
        stream = naming.stream(self._prefix, consumer.api)
        subject = naming.subject(self._prefix, consumer.api, consumer.event)
        durable = self._broker.join(stream, subject, consumer)
        return MemorySubscription(self._broker, self._prefix, stream, consumer.durable, durable)

    async def close(self) -> None:
        """Stop using the broker, which keeps what it has."""
        self._connected = False


class MemorySubscription:
    """See `lightbus.transport.Subscription`."""

    def __init__(self, broker: MemoryBroker, prefix: str, stream: str, name: str, durable: _Durable) -> None:
        self._broker, self._prefix, self._stream, self._name = broker, prefix, stream, name
        self._durable = durable
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._closed = False
        broker.watch(self._wake)

    @property
    def ack_wait(self) -> float:
        """Seconds until an unsettled event is delivered again."""
        return self._durable.ack_wait

    @property
    def buffered(self) -> Collection[MemoryDelivery]:
        """Nothing is fetched ahead here."""
        return ()

    async def take(self) -> MemoryDelivery | None:
        """Wait for the next event that is due."""
        while not self._closed:
            self._changed.clear()
            if found := self._broker.next(self._stream, self._durable):
                message, attempt = found
                return MemoryDelivery(
                    self._broker, self._prefix, self._stream, self._name, self._durable, message, attempt
                )
            deadline = self._broker.next_deadline(self._durable)
            seconds = None if deadline is None else self._broker.clock.seconds_until(deadline)
            try:
                await asyncio.wait_for(self._changed.wait(), seconds)
            except TimeoutError:
                continue
        return None

    async def close(self) -> None:
        """End every waiting `take()`; nothing is buffered here."""
        self._closed = True
        self._broker.unwatch(self._wake)
        self._changed.set()

    def _wake(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed.set)


@dataclass(frozen=True, slots=True, eq=False)
class MemoryDelivery:
    """See `lightbus.transport.Delivery`."""

    _broker: MemoryBroker
    _prefix: str
    _stream: str
    _durable_name: str
    _durable: _Durable
    _message: Stored
    attempt: int

    @property
    def subject(self) -> str:
        """The subject the event was published on."""
        return self._message.subject

    @property
    def body(self) -> bytes:
        """The stored bytes."""
        return self._message.body

    @property
    def headers(self) -> Mapping[str, str]:
        """The stored headers."""
        return self._message.headers

    @property
    def sequence(self) -> int:
        """The event's place in its stream."""
        return self._message.sequence

    @property
    def time(self) -> datetime:
        """When the event was stored."""
        return datetime.fromtimestamp(self._message.time, UTC)

    async def ack(self) -> None:
        """Settle: the event is done."""
        self._broker.settle(self._durable, self.sequence)

    async def retry(self, after: float) -> None:
        """Settle: deliver the event again later."""
        self._broker.postpone(self._durable, self.sequence, self.attempt, after)

    async def dead_letter(self, reason: str, error: str) -> None:
        """Settle: copy the event to the dead letters."""
        subject = naming.dead_letter_subject(self._prefix, self._stream, self._durable_name, self.sequence)
        headers = deadletter.headers(self, self._stream, self._durable_name, reason, error)
        self._broker.store(naming.dead_letter_stream(self._prefix), subject, self.body, headers)
        self._broker.settle(self._durable, self.sequence)

    async def in_progress(self) -> None:
        """Restart the event's `ack_wait`."""
        self._broker.postpone(self._durable, self.sequence, self.attempt, self._durable.ack_wait)
