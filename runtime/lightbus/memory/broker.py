"""The broker: streams and durables in memory, with a clock that tests can advance."""

from __future__ import annotations

import bisect
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lightbus.errors import ConsumerLost, ProvisionError
from lightbus.event.envelope import MESSAGE_ID
from lightbus.transport import Consumer, PubAck

MAX_PAYLOAD = 1024 * 1024  # bytes, the default of nats-server


class Clock:
    """A broker's time, in seconds since the epoch."""

    def now(self) -> float:
        """Return the current time."""
        return time.time()

    def seconds_until(self, deadline: float) -> float | None:
        """Return how long to wait for a deadline; None means until the clock is advanced."""
        return max(0.0, deadline - self.now())


class ManualClock(Clock):
    """A clock that stands still until `MemoryBroker.advance()` moves it."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self.time = start

    def now(self) -> float:
        """Return the time the clock was advanced to."""
        return self.time

    def seconds_until(self, deadline: float) -> float | None:
        """Wait for the clock to be advanced, unless the deadline has passed."""
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
    """An unsettled delivery; due again at `deadline`."""

    attempt: int
    deadline: float


@dataclass(slots=True)
class MemoryDurable:
    """A listener's position in a stream.

    Attributes:
        subject: the subject it listens to; a final `>` matches any rest.
        ack_wait: seconds after which an unsettled event is due again.
        ordered: whether an event is delivered only after the previous one is settled.
    """

    subject: str
    ack_wait: float
    ordered: bool
    position: int  # sequence of the last message that was delivered at least once
    pending: dict[int, _Pending] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    deleted: bool = False
    takers: int = 0  # open subscriptions

    def matches(self, subject: str) -> bool:
        """Whether it listens to a subject."""
        if self.subject.endswith(">"):
            return subject.startswith(self.subject[:-1])
        return subject == self.subject


@dataclass(slots=True)
class _MemoryStream:
    messages: dict[int, Stored] = field(default_factory=dict)  # by sequence, in its order
    last: int = 0
    ids: dict[str, int] = field(default_factory=dict)
    durables: dict[str, MemoryDurable] = field(default_factory=dict)


class MemoryBroker:
    """Streams and durables, guarded by one lock; the in-memory counterpart of a NATS server.

    Args:
        clock: decides when events are due; the real time by default.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self._lock = threading.RLock()
        self._streams: defaultdict[str, _MemoryStream] = defaultdict(_MemoryStream)
        self._watchers: set[Callable[[], None]] = set()

    def advance(self, seconds: float) -> None:
        """Advance a `ManualClock`; events that become due are delivered.

        Raises:
            TypeError: the broker uses the real time.
        """
        if not isinstance(self.clock, ManualClock):
            raise TypeError("only a broker with a ManualClock can be advanced")
        self.clock.time += seconds
        self._notify()

    def messages(self, stream: str) -> list[Stored]:
        """Return a stream's messages, oldest first; a stream that does not exist has none."""
        with self._lock:
            return list(self._streams[stream].messages.values())

    def unsettled(self, stream: str, durable: str) -> int:
        """Return how many events of a durable are delivered and not settled."""
        with self._lock:
            return len(self._streams[stream].durables[durable].pending)

    def delete_durable(self, stream: str, durable: str) -> None:
        """Delete a durable, as an operator may."""
        with self._lock:
            self._streams[stream].durables.pop(durable).deleted = True
        self._notify()

    def store(
        self, stream: str, subject: str, body: bytes, headers: Mapping[str, str], *, replace: bool = False
    ) -> PubAck:
        """Append a message unless its id is already stored; `replace` removes other messages of its subject."""
        with self._lock:
            state = self._streams[stream]
            message_id = headers.get(MESSAGE_ID, "")
            if message_id and message_id in state.ids:
                return PubAck(stream, state.ids[message_id], duplicate=True)
            if replace:
                self.remove_subject(stream, subject)
            state.last = sequence = state.last + 1
            state.messages[sequence] = Stored(sequence, subject, body, dict(headers), self.clock.now())
            if message_id:
                state.ids[message_id] = sequence
        self._notify()
        return PubAck(stream, sequence, duplicate=False)

    def remove(self, stream: str, sequence: int) -> bool:
        """Delete a message; False when it no longer existed."""
        with self._lock:
            return self._streams[stream].messages.pop(sequence, None) is not None

    def remove_subject(self, stream: str, subject: str) -> None:
        """Delete all messages of a subject."""
        with self._lock:
            for message in self.messages(stream):
                if message.subject == subject:
                    del self._streams[stream].messages[message.sequence]

    def is_served(self, stream: str, durable: str) -> bool:
        """Whether a worker takes events of a durable or holds some."""
        with self._lock:
            consumer = self._streams[stream].durables.get(durable)
            return consumer is not None and bool(consumer.takers or consumer.pending)

    def join(self, stream: str, subject: str, consumer: Consumer) -> MemoryDurable:
        """Return a durable, created if missing.

        Raises:
            ProvisionError: it exists for another event.
        """
        with self._lock:
            state = self._streams[stream]
            durable = state.durables.get(consumer.durable)
            if durable is None:
                position = _start(state, consumer)
                durable = MemoryDurable(subject, consumer.ack_wait, consumer.ordered, position)
                state.durables[consumer.durable] = durable
            elif durable.subject != subject:
                raise ProvisionError(
                    f"durable {consumer.durable!r} of stream {stream!r} already listens to {durable.subject!r},"
                    f" not {subject!r}; choose another listener_name"
                )
            durable.takers += 1
            return durable

    def leave(self, durable: MemoryDurable) -> None:
        """Stop taking a durable's events; call it once for each `join()`."""
        with self._lock:
            durable.takers -= 1

    def next(self, stream: str, durable: MemoryDurable) -> tuple[Stored, int] | None:
        """Deliver the next due event of a durable with its attempt, or None when nothing is due."""
        with self._lock:
            if durable.deleted:
                raise ConsumerLost(f"a durable of stream {stream!r} was deleted")
            now = self.clock.now()
            state = self._streams[stream]
            for sequence in _overdue(durable, now) if durable.pending else ():
                if sequence in state.messages:
                    return self._deliver(durable, state.messages[sequence], now)
                self.settle(durable, sequence)  # it was deleted since
            while durable.position < state.last and not (durable.ordered and durable.pending):
                durable.position += 1
                message = state.messages.get(durable.position)
                if message is not None and durable.matches(message.subject):
                    return self._deliver(durable, message, now)
            return None

    def _deliver(self, durable: MemoryDurable, message: Stored, now: float) -> tuple[Stored, int]:
        attempt = durable.attempts.get(message.sequence, 0) + 1
        durable.attempts[message.sequence] = attempt
        durable.pending[message.sequence] = _Pending(attempt, now + durable.ack_wait)
        return message, attempt

    def next_deadline(self, durable: MemoryDurable) -> float | None:
        """Return when the next unsettled event is due again."""
        with self._lock:
            return min((pending.deadline for pending in durable.pending.values()), default=None)

    def settle(self, durable: MemoryDurable, sequence: int) -> None:
        """End an event for a durable, whichever delivery of it is settled."""
        with self._lock:
            durable.pending.pop(sequence, None)
            durable.attempts.pop(sequence, None)
        if durable.ordered:
            self._notify()

    def postpone(self, durable: MemoryDurable, sequence: int, attempt: int, seconds: float) -> None:
        """Set when an unsettled event is due again; a superseded delivery is ignored."""
        with self._lock:
            pending = durable.pending.get(sequence)
            if pending is not None and pending.attempt == attempt:
                pending.deadline = self.clock.now() + seconds
        self._notify()

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call a function, from any thread, whenever an event may be due."""
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


def _overdue(durable: MemoryDurable, now: float) -> list[int]:
    return sorted(sequence for sequence, pending in durable.pending.items() if pending.deadline <= now)


def _start(state: _MemoryStream, consumer: Consumer) -> int:
    if consumer.since == "beginning":
        return 0
    if consumer.since == "now":
        return state.last
    messages = list(state.messages.values())
    first = bisect.bisect_left([message.time for message in messages], consumer.since.timestamp())
    return messages[first].sequence - 1 if first < len(messages) else state.last


_brokers: dict[str, MemoryBroker] = {}


def broker(url: str) -> MemoryBroker:
    """Return the broker behind a `memory://name` URL, created if missing."""
    return _brokers.setdefault(url, MemoryBroker())
