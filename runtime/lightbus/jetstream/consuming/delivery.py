"""One event in a worker's hands, and the four things it can tell the server about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lightbus.event.dead_letter import DeadLetter, Failure
from lightbus.jetstream.connection.message import Message
from lightbus.jetstream.consuming.origin import Origin
from lightbus.jetstream.streams.resources import NANOSECONDS
from lightbus.naming import Place

if TYPE_CHECKING:
    from lightbus.jetstream.consuming.subscription import PullSubscription


class PullDelivery:
    """One delivery; see `lightbus.transport.Delivery`."""

    __slots__ = ("_message", "_origin", "_subscription", "attempt")

    replay_of = 0

    def __init__(self, message: Message, origin: Origin, subscription: PullSubscription) -> None:
        self._message, self._origin, self._subscription = message, origin, subscription
        self.attempt = origin.attempt

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
        return self._origin.sequence

    @property
    def time(self) -> datetime:
        """When the event was stored."""
        return self._origin.time

    async def ack(self) -> None:
        """Settle: the event is done."""
        self._subscription.send(self._message.reply, b"+ACK")

    async def retry(self, after: float) -> None:
        """Settle: deliver the event again later."""
        delay = f'-NAK {{"delay": {int(after * NANOSECONDS)}}}' if after > 0 else "-NAK"
        self._subscription.send(self._message.reply, delay.encode())

    async def dead_letter(self, failure: Failure) -> None:
        """Settle: copy the event to the dead letters, wait for the confirmation, then end it on the stream."""
        await self._subscription.dead_letters.keep(self._dead_letter(failure))
        await self._subscription.confirm(self._message.reply, f"+TERM {failure.reason}".encode())

    def _dead_letter(self, failure: Failure) -> DeadLetter:
        stream, durable = self._subscription.stream, self._subscription.durable
        place = Place(stream, durable, self.sequence, self.time)
        return DeadLetter.first(
            *(place, self.subject, self.headers, self.body),
            attempts=self.attempt,
            failure=failure,
            now=datetime.now(UTC),
        )

    async def in_progress(self) -> None:
        """Restart the event's `ack_wait`."""
        self._subscription.send(self._message.reply, b"+WPI")
