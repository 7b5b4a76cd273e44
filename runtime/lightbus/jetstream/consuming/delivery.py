"""A durable's messages as deliveries of events or of replays, and how each kind is settled (ADR-15)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from lightbus import naming
from lightbus.errors import PermissionDenied
from lightbus.event.dead_letter import DeadLetter, Failure
from lightbus.jetstream.connection.connection import Connection
from lightbus.jetstream.connection.wire import Message
from lightbus.jetstream.stored.dead_letters import JetStreamDeadLetters
from lightbus.jetstream.stored.direct_get import NotReadable
from lightbus.jetstream.streams.resources import NANOSECONDS
from lightbus.logs import log
from lightbus.transport import Delivery

_CONFIRMATION = 10.0  # seconds for the server to confirm an acknowledgement
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Origin(NamedTuple):
    """The server's data about a delivery, from the subject of its acknowledgement.

    Attributes:
        attempt: how often the event was delivered, this time included.
        sequence: its sequence in the stream.
        stored: when it was stored, in nanoseconds since 1970.
    """

    attempt: int
    sequence: int
    stored: int

    @property
    def time(self) -> datetime:
        """When the event was stored."""
        return _EPOCH + timedelta(microseconds=self.stored // 1000)


class Origins:
    """Reads the acknowledgement subjects of one durable."""

    def __init__(self, stream: str, durable: str) -> None:
        # $JS.ACK.<stream>.<durable>.<attempt>.<sequence>.<delivered>.<stored>.<left>; the longer second form has
        # a domain and an account before the stream, and a token at the end
        self._subject = re.compile(
            rf"\$JS\.ACK\.(?P<long>[^.*>]+\.[^.*>]+\.)?{re.escape(stream)}\.{re.escape(durable)}\."
            r"([1-9][0-9]{0,18})\.([1-9][0-9]{0,18})\.[0-9]{1,20}\.([0-9]{1,19})\.[0-9]{1,20}"
            r"(?(long)(?:\.[^*>]+)?)"
        )

    def read(self, subject: str) -> Origin | None:
        """Parse the subject of an acknowledgement; None when it does not belong to this durable."""
        match = self._subject.fullmatch(subject)
        if match is None:
            return None
        _, attempt, sequence, stored = match.groups()
        return Origin(int(attempt), int(sequence), int(stored))


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Turns a durable's messages into deliveries."""

    connection: Connection
    dead_letters: JetStreamDeadLetters
    stream: str
    durable: str

    def event(self, message: Message, origin: Origin) -> Delivery:
        """Return the delivery of an event."""
        return Delivery(
            message.subject,
            message.body,
            message.headers,
            origin.sequence,
            origin.attempt,
            origin.time,
            0,
            EventSettler(self, message.reply),
            message.is_cut,
        )

    def replay(self, message: Message, origin: Origin) -> Delivery | None:
        """Return the delivery of a dead letter's replay, None for a message that is not a replay."""
        place, number = naming.place_of(message.subject) or (None, 0)
        dead_letter = DeadLetter.decode(
            place if number else None,
            number,
            message.headers,
            message.body,
            origin.time,
            limit=self.connection.max_payload,
            is_cut=message.is_cut,
        )
        if dead_letter.problem:
            return None
        return Delivery.of_replay(
            dead_letter, origin.attempt, ReplaySettler(self, message.reply, dead_letter)
        )


class EventSettler(msgspec.Struct, frozen=True, eq=False):
    """Settles the delivery of an event; see `lightbus.transport.Delivery`.

    Attributes:
        source: the durable it comes from.
        reply: the subject of its acknowledgement.
    """

    source: Deliveries
    reply: str

    async def ack(self) -> None:
        """Settle: the event is done."""
        self.source.connection.send(self.reply, b"+ACK")

    async def retry(self, after: float) -> None:
        """Settle: deliver the event again later."""
        delay = f'-NAK {{"delay": {int(after * NANOSECONDS)}}}' if after > 0 else "-NAK"
        self.source.connection.send(self.reply, delay.encode())

    async def dead_letter(self, delivery: Delivery, failure: Failure) -> None:
        """Settle: copy the event to the dead letters, wait for the confirmation, then end it on the stream."""
        await self.source.dead_letters.keep(self._dead_letter(delivery, failure))
        await self._confirm(f"+TERM {failure.reason}".encode())

    def _dead_letter(self, delivery: Delivery, failure: Failure) -> DeadLetter:
        now = datetime.now(UTC)
        return delivery.first_dead_letter(self.source.stream, self.source.durable, failure, now)

    async def in_progress(self) -> None:
        """Restart the event's `ack_wait`."""
        self.source.connection.send(self.reply, b"+WPI")

    async def _confirm(self, acknowledgement: bytes) -> None:
        """Send an acknowledgement, and wait until the server has it.

        Raises:
            TransportError: the server did not confirm it in time.
        """
        await self.source.connection.request(self.reply, acknowledgement, _CONFIRMATION)


class ReplaySettler(EventSettler, frozen=True, eq=False):
    """Settles the delivery of a replay: its dead letter is removed, or replaced by the next failure.

    Attributes:
        source, reply: as for `EventSettler`.
        replayed: the dead letter.
    """

    replayed: DeadLetter

    async def ack(self) -> None:
        """Settle: remove the dead letter if it is that of this event, then end its replay."""
        number = self.replayed.number
        current = await self._current()
        if current and current.number == number and current.is_same_event(self.replayed):
            try:
                await self.source.dead_letters.remove(number)
            except PermissionDenied as error:  # a retry would only run the handler again
                self._report(f"was handled, but cannot be removed: {error}")
        elif current:
            self._report(f"was not removed: {current.number} is of another event, or a later failure")
        await self._confirm(b"+ACK")

    async def dead_letter(self, delivery: Delivery, failure: Failure) -> None:
        """Settle: replace the dead letter, unless it is that of another event, then end the replay."""
        current = await self._current()
        if current is None or current.problem or current.is_same_event(self.replayed):
            await EventSettler.dead_letter(self, delivery, failure)
        else:
            self._report(f"was not replaced: {current.number} is of another event")
            await self._confirm(f"+TERM {failure.reason}".encode())

    async def _current(self) -> DeadLetter | None:
        """Return the dead letter on the replay's subject, None when there is none; the replay's own if unreadable."""
        try:
            return await self.source.dead_letters.current(self.replayed.place)
        except (PermissionDenied, NotReadable):
            return self.replayed

    def _report(self, outcome: str) -> None:
        log.error("%s: dead letter %d %s", self.source.durable, self.replayed.number, outcome)

    def _dead_letter(self, delivery: Delivery, failure: Failure) -> DeadLetter:
        return replace(self.replayed, failure=failure, attempts=delivery.attempt)
