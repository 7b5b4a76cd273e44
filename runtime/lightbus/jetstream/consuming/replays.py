"""Replays of dead letters, as a listener receives them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from lightbus import naming
from lightbus.errors import PermissionDenied, TransportError
from lightbus.event.dead_letter import DeadLetter, Failure
from lightbus.jetstream.connection.message import Message
from lightbus.jetstream.consuming.delivery import PullDelivery
from lightbus.jetstream.consuming.origin import Origin
from lightbus.jetstream.consuming.subscription import Pace, PullSubscription
from lightbus.logs import log
from lightbus.naming import Place

RARELY = Pace(300.0, 30.0)  # replays are seldom, and every listener waits for them


class ReplaySubscription(PullSubscription):
    """A worker's share of the replays sent to its listener; see `lightbus.transport.Subscription`."""

    def _delivery(self, message: Message, origin: Origin) -> PullDelivery | None:
        found = naming.place_of(message.subject)
        if found is None:  # no event either, and no listener's to keep: it would come again for ever
            self.refusals.add(message.subject, "is no replay of a dead letter")
            with contextlib.suppress(TransportError):
                self.send(message.reply, b"+TERM it is no replay of a dead letter")
            return None
        return ReplayDelivery(message, origin, self, *found)


class ReplayDelivery(PullDelivery):
    """One delivery of a replay, told as the event it was; see `lightbus.transport.Delivery`."""

    __slots__ = ("_place", "_replayed", "replay_of")

    def __init__(
        self, message: Message, origin: Origin, subscription: ReplaySubscription, place: Place, number: int
    ) -> None:
        super().__init__(message, origin, subscription)
        self._place, self.replay_of = place, number
        self._replayed = DeadLetter.decode(place, number, message.headers, message.body, super().time)

    @property
    def subject(self) -> str:
        """The subject the event was published on."""
        return self._replayed.subject

    @property
    def headers(self) -> Mapping[str, str]:
        """The event's own headers."""
        return self._replayed.headers

    @property
    def sequence(self) -> int:
        """The event's place in its stream."""
        return self._place.sequence

    @property
    def time(self) -> datetime:
        """When the event was stored."""
        return self._place.stored

    async def ack(self) -> None:
        """Settle: the event is done, so its dead letter goes first."""
        try:
            await self._subscription.dead_letters.remove(self.replay_of)
        except PermissionDenied as error:  # trying again would only run the handler again
            log.error(
                "%s: dead letter %d was handled and stays all the same: %s",
                *(self._subscription.durable, self.replay_of, error),
            )
        await self._subscription.confirm(self._message.reply, b"+ACK")

    def _dead_letter(self, failure: Failure) -> DeadLetter:
        return replace(self._replayed, failure=failure, attempts=self.attempt)
