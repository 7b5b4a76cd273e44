"""A worker's share of a durable on a broker, and how its deliveries are settled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import msgspec

from lightbus.event.dead_letter import DeadLetter, Failure
from lightbus.memory.broker import MemoryBroker, MemoryDurable, Stored
from lightbus.memory.dead_letters import MemoryDeadLetters, read
from lightbus.transport import Delivery


@dataclass(frozen=True, slots=True)
class MemoryDeliveries:
    """Turns a durable's messages into deliveries.

    Attributes:
        stream, name: names of the stream and the durable.
    """

    broker: MemoryBroker
    dead_letters: MemoryDeadLetters
    stream: str
    name: str
    durable: MemoryDurable

    def event(self, message: Stored, attempt: int) -> Delivery:
        """Return the delivery of an event."""
        return Delivery(
            message.subject,
            message.body,
            message.headers,
            message.sequence,
            attempt,
            datetime.fromtimestamp(message.time, UTC),
            0,
            MemoryEventSettler(self, message.sequence, attempt),
        )

    def replay(self, message: Stored, attempt: int) -> Delivery | None:
        """Return the delivery of a dead letter's replay; end a message that is not a replay, and return None."""
        dead_letter = read(message, is_replay=True)
        if dead_letter.problem:
            self.broker.settle(self.durable, message.sequence)
            self.broker.remove(self.stream, message.sequence)
            return None
        settler = MemoryReplaySettler(self, message.sequence, attempt, dead_letter)
        return Delivery.of_replay(dead_letter, attempt, settler)


class MemorySubscription:
    """See `lightbus.transport.Subscription`; nothing is fetched ahead here.

    Args:
        deliver: turns a message and its attempt into a delivery; None for a message that is not a replay.
    """

    def __init__(self, source: MemoryDeliveries, deliver: Callable[[Stored, int], Delivery | None]) -> None:
        self._broker, self._stream, self._durable = source.broker, source.stream, source.durable
        self._deliver = deliver
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self.ahead = 0
        self._broker.watch(self._wake)

    @property
    def ack_wait(self) -> float:
        """Seconds until an unsettled event is delivered again."""
        return self._durable.ack_wait

    @property
    def buffered(self) -> Collection[Delivery]:
        """Nothing."""
        return ()

    def next(self) -> Delivery | None:
        """Return the next event that is due."""
        while not self._closed and (due := self._broker.next(self._stream, self._durable)):
            if (delivery := self._deliver(*due)) is not None:
                return delivery
        return None

    async def take(self) -> Delivery | None:
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

    async def shed(self, may_go: Callable[[Delivery], bool]) -> None:
        """Reset `ahead`; nothing is buffered."""
        self.ahead = 0

    async def close(self) -> None:
        """End every waiting `take()`; nothing is buffered."""
        if self._closed:
            return
        self._closed = True
        self._broker.leave(self._durable)
        self._broker.unwatch(self._wake)
        self._changed.set()

    def _wake(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed.set)


class MemoryEventSettler(msgspec.Struct, frozen=True, eq=False):
    """Settles the delivery of an event; see `lightbus.transport.Delivery`.

    Attributes:
        source: the durable it comes from.
        sequence: the sequence of its message on the broker.
        attempt: which delivery it is, from 1.
    """

    source: MemoryDeliveries
    sequence: int
    attempt: int

    async def ack(self) -> None:
        """Settle: the event is done."""
        self._end()

    async def retry(self, after: float) -> None:
        """Settle: deliver the event again later."""
        self.source.broker.postpone(self.source.durable, self.sequence, self.attempt, after)

    async def dead_letter(self, delivery: Delivery, failure: Failure) -> None:
        """Settle: copy the event to the dead letters, then end it."""
        self.source.dead_letters.keep(self._dead_letter(delivery, failure))
        self._end()

    def _dead_letter(self, delivery: Delivery, failure: Failure) -> DeadLetter:
        now = datetime.fromtimestamp(self.source.broker.clock.now(), UTC)
        return delivery.first_dead_letter(self.source.stream, self.source.name, failure, now)

    def _end(self) -> None:
        self.source.broker.settle(self.source.durable, self.sequence)

    async def in_progress(self) -> None:
        """Restart the event's `ack_wait`."""
        durable = self.source.durable
        self.source.broker.postpone(durable, self.sequence, self.attempt, durable.ack_wait)


class MemoryReplaySettler(MemoryEventSettler, frozen=True, eq=False):
    """Settles the delivery of a replay: its dead letter is removed, or replaced by the next failure.

    Attributes:
        source, sequence, attempt: as for `MemoryEventSettler`.
        replayed: the dead letter.
    """

    replayed: DeadLetter

    async def ack(self) -> None:
        """Settle: remove the dead letter if it is that of this event, then end its replay."""
        current = self.source.dead_letters.current(self.replayed.place)
        if current and current.number == self.replayed.number and current.is_same_event(self.replayed):
            self.source.dead_letters.remove(current.number)
        self._end()

    async def dead_letter(self, delivery: Delivery, failure: Failure) -> None:
        """Settle: replace the dead letter, unless it is that of another event, then end the replay."""
        current = self.source.dead_letters.current(self.replayed.place)
        if current is None or current.problem or current.is_same_event(self.replayed):
            self.source.dead_letters.keep(self._dead_letter(delivery, failure))
        self._end()

    def _dead_letter(self, delivery: Delivery, failure: Failure) -> DeadLetter:
        return replace(self.replayed, failure=failure, attempts=delivery.attempt)

    def _end(self) -> None:
        super()._end()
        self.source.broker.remove(self.source.stream, self.sequence)
