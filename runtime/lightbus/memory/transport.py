"""Buses on a broker: publishing, listening, settling, and the dead letters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from lightbus import naming
from lightbus.errors import ConnectionFailed, EventTooLarge
from lightbus.event.dead_letter import DeadLetter, Failure, Filter
from lightbus.event.envelope import HEADROOM, MESSAGE_ID, message_size
from lightbus.memory.broker import Durable, MemoryBroker, Stored, broker
from lightbus.naming import Place
from lightbus.transport import Consumer, Delivery, Outgoing, PubAck

MAX_PAYLOAD = 1024 * 1024  # bytes, as nats-server's default


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
            raise ConnectionFailed("memory://", "the transport is closed", "Create a new bus.")
        size, limit = message_size(event.body, event.headers), MAX_PAYLOAD - HEADROOM
        if size > limit:
            raise EventTooLarge(f"{event.api}.{event.event}", event.id, size, limit)
        stream = naming.stream(self._prefix, event.api)
        subject = naming.subject(self._prefix, event.api, event.event)
        return self._broker.store(stream, subject, event.body, event.headers)

    async def room(self) -> None:
        """There is always room; others get their turn."""
        await asyncio.sleep(0)

    async def subscribe(self, consumer: Consumer) -> MemorySubscription:
        """Join a durable."""
        stream = naming.stream(self._prefix, consumer.api)
        subject = naming.subject(self._prefix, consumer.api, consumer.event)
        durable = self._broker.join(stream, subject, consumer)
        return MemorySubscription(self._broker, self.dead_letters, stream, consumer.durable, durable)

    async def subscribe_replays(self, consumer: Consumer) -> MemorySubscription:
        """Join the replays sent to a listener."""
        origin = naming.stream(self._prefix, consumer.api)
        stream, name = naming.replay_stream(self._prefix), naming.replay_durable(origin, consumer.durable)
        subjects = naming.replay_subjects(self._prefix, origin, consumer.durable)
        durable = self._broker.join(stream, subjects, replace(consumer, durable=name, since="beginning"))
        return ReplaySubscription(self._broker, self.dead_letters, stream, name, durable)

    @property
    def trouble(self) -> str:
        """Nothing can go wrong between here and here."""
        return ""

    async def close(self) -> None:
        """Stop using the broker, which keeps what it has."""
        self._connected = False


class MemorySubscription:
    """See `lightbus.transport.Subscription`."""

    def __init__(
        self, broker: MemoryBroker, dead_letters: MemoryDeadLetters, stream: str, name: str, durable: Durable
    ) -> None:
        self._broker, self._dead_letters, self._stream, self._name = broker, dead_letters, stream, name
        self._durable = durable
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self.ahead = 0  # nothing is fetched ahead here
        broker.watch(self._wake)

    @property
    def ack_wait(self) -> float:
        """Seconds until an unsettled event is delivered again."""
        return self._durable.ack_wait

    @property
    def buffered(self) -> Collection[MemoryDelivery]:
        """Nothing is fetched ahead here."""
        return ()

    def next(self) -> MemoryDelivery | None:
        """Return the next event that is due."""
        if not self._closed and (found := self._broker.next(self._stream, self._durable)):
            return self._delivery(*found)
        return None

    async def take(self) -> MemoryDelivery | None:
        """Wait for the next event that is due."""
        while not self._closed:
            self._changed.clear()
            if delivery := self.next():
                return delivery
            deadline = self._broker.next_deadline(self._durable)
            seconds = None if deadline is None else self._broker.clock.seconds_until(deadline)
            try:
                await asyncio.wait_for(self._changed.wait(), seconds)
            except TimeoutError:
                continue
        return None

    def _delivery(self, message: Stored, attempt: int) -> MemoryDelivery:
        place = Place(self._stream, self._name, message.sequence, datetime.fromtimestamp(message.time, UTC))
        return MemoryDelivery(self._broker, self._dead_letters, self._durable, message, place, attempt)

    async def shed(self, may_go: Callable[[Delivery], bool]) -> None:
        """Nothing is buffered here."""
        self.ahead = 0

    async def close(self) -> None:
        """End every waiting `take()`; nothing is buffered here."""
        if self._closed:
            return
        self._closed = True
        self._broker.leave(self._durable)
        self._broker.unwatch(self._wake)
        self._changed.set()

    def _wake(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed.set)


class ReplaySubscription(MemorySubscription):
    """A worker's share of the replays sent to its listener."""

    def _delivery(self, message: Stored, attempt: int) -> MemoryDelivery:
        dead_letter = _dead_letter(message)
        return ReplayDelivery(
            self._broker,
            self._dead_letters,
            self._durable,
            message,
            dead_letter.place,
            attempt,
            dead_letter,
            self._stream,
        )


@dataclass(frozen=True, slots=True, eq=False)
class MemoryDelivery:
    """See `lightbus.transport.Delivery`."""

    _broker: MemoryBroker
    _dead_letters: MemoryDeadLetters
    _durable: Durable
    _message: Stored
    _place: Place
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
        return self._place.sequence

    @property
    def time(self) -> datetime:
        """When the event was stored."""
        return self._place.stored

    @property
    def replay_of(self) -> int:
        """No dead letter: it comes from its stream."""
        return 0

    async def ack(self) -> None:
        """Settle: the event is done."""
        self._broker.settle(self._durable, self._message.sequence)

    async def retry(self, after: float) -> None:
        """Settle: deliver the event again later."""
        self._broker.postpone(self._durable, self._message.sequence, self.attempt, after)

    async def dead_letter(self, failure: Failure) -> None:
        """Settle: copy the event to the dead letters."""
        dead_letter = DeadLetter.first(
            *(self._place, self.subject, self.headers, self.body),
            attempts=self.attempt,
            failure=failure,
            now=datetime.fromtimestamp(self._broker.clock.now(), UTC),
        )
        self._dead_letters.keep(dead_letter)
        self._broker.settle(self._durable, self._message.sequence)

    async def in_progress(self) -> None:
        """Restart the event's `ack_wait`."""
        self._broker.postpone(self._durable, self._message.sequence, self.attempt, self._durable.ack_wait)


@dataclass(frozen=True, slots=True, eq=False)
class ReplayDelivery(MemoryDelivery):
    """One delivery of a replay, told as the event it was."""

    _replayed: DeadLetter
    _stream: str

    @property
    def subject(self) -> str:
        """The subject the event was published on."""
        return self._replayed.subject

    @property
    def headers(self) -> Mapping[str, str]:
        """The event's own headers."""
        return self._replayed.headers

    @property
    def replay_of(self) -> int:
        """The dead letter's number."""
        return self._replayed.number

    async def ack(self) -> None:
        """Settle: the event is done, so its dead letter goes first."""
        self._dead_letters.remove(self.replay_of)
        self._end()

    async def dead_letter(self, failure: Failure) -> None:
        """Settle: note the new failure in the place of the last one."""
        self._dead_letters.keep(replace(self._replayed, failure=failure, attempts=self.attempt))
        self._end()

    def _end(self) -> None:
        self._broker.settle(self._durable, self._message.sequence)
        self._broker.remove(self._stream, self._message.sequence)


class MemoryDeadLetters:
    """See `lightbus.transport.DeadLetters`; with what deliveries need besides."""

    def __init__(self, broker: MemoryBroker, prefix: str) -> None:
        self._broker, self._prefix = broker, prefix
        self._stream = naming.dead_letter_stream(prefix)
        self._replays = naming.replay_stream(prefix)

    def keep(self, dead_letter: DeadLetter) -> None:
        """Store a dead letter, in place of an earlier one of the same listener and event."""
        subject = naming.dead_letter_subject(self._prefix, dead_letter.place)
        headers = dead_letter.encode({MESSAGE_ID: dead_letter.message_id}, MAX_PAYLOAD)
        self._broker.store(self._stream, subject, dead_letter.body, headers, replace=True)

    def remove(self, number: int) -> bool:
        """Delete a dead letter; False when it was gone."""
        return self._broker.remove(self._stream, number)

    async def find(self, wanted: Filter) -> AsyncIterator[DeadLetter]:
        """Go through those that match."""
        for message in self._broker.messages(self._stream):
            dead_letter = _dead_letter(message)
            if wanted.matches(dead_letter):
                yield dead_letter

    async def count(self) -> int:
        """Return how many there are."""
        return len(self._broker.messages(self._stream))

    async def replay(self, dead_letter: DeadLetter) -> bool:
        """Send a dead letter to its listener once more, unless it is on its way."""
        if dead_letter.number in await self.replaying():
            return False
        sent = replace(dead_letter, replays=dead_letter.replays + 1, failure=Failure(""))
        subject = naming.replay_subject(self._prefix, dead_letter.place, dead_letter.number)
        self._broker.store(self._replays, subject, dead_letter.body, sent.encode({}, MAX_PAYLOAD))
        return True

    async def discard(self, dead_letter: DeadLetter) -> bool:
        """Remove a dead letter and its replay."""
        subject = naming.replay_subject(self._prefix, dead_letter.place, dead_letter.number)
        self._broker.remove_subject(self._replays, subject)
        return self.remove(dead_letter.number)

    async def replaying(self) -> Set[int]:
        """Return the numbers of the dead letters on their way."""
        return {_dead_letter(message).number for message in self._broker.messages(self._replays)}

    async def latest(self, dead_letter: DeadLetter) -> int:
        """Return the number the dead letter has now, 0 when it is gone."""
        subject = naming.dead_letter_subject(self._prefix, dead_letter.place)
        found = [message for message in self._broker.messages(self._stream) if message.subject == subject]
        return found[-1].sequence if found else 0

    async def is_served(self, dead_letter: DeadLetter) -> bool:
        """Whether any worker takes the listener's replays now."""
        place = dead_letter.place
        return self._broker.is_served(self._replays, naming.replay_durable(place.stream, place.listener))


def _dead_letter(message: Stored) -> DeadLetter:
    found = naming.place_of(message.subject)
    assert found is not None, "only dead letters and replays come here"
    time = datetime.fromtimestamp(message.time, UTC)
    return DeadLetter.decode(found[0], found[1] or message.sequence, message.headers, message.body, time)
