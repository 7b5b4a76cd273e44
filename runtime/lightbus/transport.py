"""The seam between the bus and what carries its events.

Two transports keep this contract, `lightbus.jetstream` and `lightbus.memory`; tests/conformance runs
the same suite against both. All calls of one transport happen on one event loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

import msgspec

from lightbus.event.dead_letter import DeadLetter, Failure, Filter

Since = Literal["beginning", "now"] | datetime
"""Where a new durable starts: all stored events, only later ones, or those from a time on."""

Provision = Literal["create", "verify"]
"""What to do about streams and durables that are missing: make them, or refuse to work."""

DEFAULT_ACK_WAIT = 30.0  # seconds


class Outgoing(msgspec.Struct, frozen=True):
    """An event on its way to the server.

    Attributes:
        api, event: names of the event.
        id: its id; publishing the same id again stores nothing.
        body, headers: the bytes and headers to store.
    """

    api: str
    event: str
    id: str
    body: bytes
    headers: Mapping[str, str]


class PubAck(msgspec.Struct, frozen=True):
    """The server's word that an event is stored.

    Attributes:
        stream: the stream that keeps it.
        sequence: its place in the stream, from 1.
        duplicate: whether an event with this id was there already, so that nothing new was stored.
    """

    stream: str
    sequence: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Consumer:
    """A listener's durable, as the listener wants it.

    Attributes:
        api, event: the event listened to.
        durable: the durable's name; processes that use the same one share its events.
        since: where the durable starts when it does not exist yet.
        ack_wait: seconds after which an event without a sign of life is delivered again.
        ordered: whether an event is delivered only after the one before it was settled for good.
    """

    api: str
    event: str
    durable: str
    since: Since = "beginning"
    ack_wait: float = DEFAULT_ACK_WAIT
    ordered: bool = False


class Delivery(Protocol):
    """One delivery of one event to one listener. Settle it exactly once, in any of three ways.

    The replay of a dead letter is told as the event it was: subject, sequence and time are the event's own.
    """

    @property
    def subject(self) -> str:
        """The subject the event was published on."""
        ...

    @property
    def body(self) -> bytes:
        """The stored bytes."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The stored headers."""
        ...

    @property
    def sequence(self) -> int:
        """The event's place in its stream."""
        ...

    @property
    def attempt(self) -> int:
        """1 on the first delivery to this durable; counts on across workers and restarts."""
        ...

    @property
    def time(self) -> datetime:
        """When the event was stored."""
        ...

    @property
    def replay_of(self) -> int:
        """The number of the dead letter that is replayed; 0 for an event that comes from its stream."""
        ...

    async def ack(self) -> None:
        """Settle: the event is done; its dead letter, if this is a replay, is removed before.

        Raises:
            TransportError: the dead letter could not be removed; the event is not settled.
        """
        ...

    async def retry(self, after: float) -> None:
        """Settle: deliver the event again, to any worker, in `after` seconds."""
        ...

    async def dead_letter(self, failure: Failure) -> None:
        """Settle: keep a copy in the dead letters, and only then end the event.

        The copy takes the place of an earlier one for the same listener and event.

        Raises:
            TransportError: the copy was not confirmed; the event is not settled.
        """
        ...

    async def in_progress(self) -> None:
        """Restart the event's `ack_wait`: somebody is still working on it."""
        ...


class Subscription(Protocol):
    """A worker's share of a durable.

    Attributes:
        ahead: how many events to have here beyond the free handler slots, 0 at first. Its user sets it.
    """

    ahead: int

    @property
    def ack_wait(self) -> float:
        """Seconds after which the server delivers an unsettled event again; may differ from what was asked."""
        ...

    @property
    def buffered(self) -> Collection[Delivery]:
        """Events that have arrived and were not taken yet; their `ack_wait` runs already."""
        ...

    def next(self) -> Delivery | None:
        """Return the next event if one is here already, else None; raises as `take()` does."""
        ...

    async def take(self) -> Delivery | None:
        """Wait for the next event; None once the subscription is closed.

        Every waiting `take()` is a free handler slot, and asks the server for one event.

        Raises:
            ConsumerLost: the durable was deleted on the server.
            TransportError: the server refuses for good.
        """
        ...

    async def shed(self, may_go: Callable[[Delivery], bool]) -> None:
        """Give events nobody took back to the server, so that other workers get them; `ahead` is 0 again.

        Args:
            may_go: whether an event is among them, as each that goes has used up a delivery.
        """
        ...

    async def close(self) -> None:
        """Stop asking, end every waiting `take()`, and give events nobody took back to the server.

        Closing twice is harmless.
        """
        ...


class DeadLetters(Protocol):
    """The dead letters of a prefix, for people and tools."""

    def find(self, wanted: Filter) -> AsyncIterator[DeadLetter]:
        """Go through those that match, of the ones there now, oldest first and a bounded number at a time."""
        ...

    async def count(self) -> int:
        """Return how many there are."""
        ...

    async def replay(self, dead_letter: DeadLetter) -> bool:
        """Send a dead letter to its listener, and no other, once more; it stays until it has been handled.

        Returns:
            False when it is on its way already, so that nothing was sent.

        Raises:
            TransportError: it was not sent, or that is not known; sending it again is safe.
        """
        ...

    async def discard(self, dead_letter: DeadLetter) -> bool:
        """Remove a dead letter for good, and a replay of it that nobody has taken.

        Returns:
            False when it was gone.
        """
        ...

    async def replaying(self) -> Set[int]:
        """Return the numbers of the dead letters whose replays are waiting or in a handler's hands."""
        ...

    async def latest(self, dead_letter: DeadLetter) -> int:
        """Return the number that the same listener's dead letter of the same event has now, 0 when it has none."""
        ...

    async def is_served(self, dead_letter: DeadLetter) -> bool:
        """Whether any worker of the dead letter's listener takes replays now."""
        ...


class Transport(Protocol):
    """A connection to whatever keeps the events."""

    async def connect(self) -> None:
        """Connect, within a bound.

        Raises:
            ConnectionFailed, JetStreamUnavailable: with what to do about it.
        """
        ...

    def publish(self, event: Outgoing, *, timeout: float) -> Coroutine[Any, Any, PubAck]:
        """Store an event, making its stream when that is missing and the transport may.

        The event is sent by the call itself when that is possible at once, so that several that are called before
        the first is awaited travel together.

        Args:
            event: what to store.
            timeout: seconds until the outcome counts as unknown; retries happen within.

        Returns:
            A coroutine that waits for the server's word. It must be awaited, once. It raises:

            PublishFailed: it was not stored. EventTooLarge: and never will be.
            PublishUnknown: no answer in time; it may have been stored.
        """
        ...

    async def room(self) -> None:
        """Let what was published be sent, and wait until there is room for more."""
        ...

    async def subscribe(self, consumer: Consumer) -> Subscription:
        """Join a durable, making it and its stream when they are missing and the transport may.

        Raises:
            ProvisionError: one is missing, or exists with settings that do not fit.
        """
        ...

    async def subscribe_replays(self, consumer: Consumer) -> Subscription:
        """Join the replays that are sent to a listener; raises as `subscribe` does."""
        ...

    @property
    def dead_letters(self) -> DeadLetters:
        """The dead letters of the transport's prefix."""
        ...

    @property
    def trouble(self) -> str:
        """Why nothing can be sent or received at the moment, in words for people; empty when all is well."""
        ...

    async def close(self) -> None:
        """Disconnect; afterwards nothing of this transport runs."""
        ...
