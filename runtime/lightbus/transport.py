"""The contract between the bus and its transports.

Two transports implement it, `lightbus.jetstream` and `lightbus.memory`; tests/conformance runs the same suite against
both. All calls of one transport happen on one event loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

import msgspec

from lightbus.event.dead_letter import DeadLetter, Failure, Filter
from lightbus.naming import Place

Since = Literal["beginning", "now"] | datetime
"""Where a new durable starts: with all stored events, only later ones, or those since a time."""

Provision = Literal["create", "verify"]
"""Whether missing streams and durables are created, or are an error."""

DEFAULT_ACK_WAIT = 30.0  # seconds


class Outgoing(msgspec.Struct, frozen=True):
    """An event on its way to the server.

    Attributes:
        api, event: names of the API and the event.
        id: its id; publishing the same id again stores nothing.
        body, headers: the bytes and headers to store.
    """

    api: str
    event: str
    id: str
    body: bytes
    headers: Mapping[str, str]


class PubAck(msgspec.Struct, frozen=True):
    """The server's acknowledgement that an event is stored.

    Attributes:
        stream: the stream that keeps it.
        sequence: its sequence in the stream, from 1.
        duplicate: whether an event with this id was already stored, so that nothing was added.
    """

    stream: str
    sequence: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Consumer:
    """A listener's durable, as the listener declares it.

    Attributes:
        api, event: the event listened to.
        durable: the durable's name; processes that use the same one share its events.
        since: where the durable starts when it does not exist yet.
        ack_wait: seconds after which an event that is neither settled nor in progress is delivered again.
        ordered: whether an event is delivered only after the previous one is finally settled.
    """

    api: str
    event: str
    durable: str
    since: Since = "beginning"
    ack_wait: float = DEFAULT_ACK_WAIT
    ordered: bool = False


class Settler(Protocol):
    """What a transport does to settle one delivery; see the methods of `Delivery`."""

    async def ack(self) -> None:
        """See `Delivery.ack`."""
        ...

    async def retry(self, after: float) -> None:
        """See `Delivery.retry`."""
        ...

    async def dead_letter(self, delivery: Delivery, failure: Failure) -> None:
        """See `Delivery.dead_letter`."""
        ...

    async def in_progress(self) -> None:
        """See `Delivery.in_progress`."""
        ...


class Delivery(msgspec.Struct, frozen=True, eq=False):
    """One delivery of one event to one listener. Settle it exactly once: `ack`, `retry` or `dead_letter`.

    The replay of a dead letter is presented as the original event.

    Attributes:
        subject: the subject the event was published on.
        body, headers: the stored bytes and headers.
        sequence: the event's sequence in its stream.
        attempt: 1 on the first delivery to this durable; counts on across workers and restarts.
        time: when the event was stored.
        replay_of: the number of the dead letter that is replayed; 0 for an event that comes from its stream.
        settler: the transport's part of it.
        is_cut: whether its header block has no end.
    """

    subject: str
    body: bytes
    headers: Mapping[str, str]
    sequence: int
    attempt: int
    time: datetime
    replay_of: int
    settler: Settler
    is_cut: bool = False

    @classmethod
    def of_replay(cls, dead_letter: DeadLetter, attempt: int, settler: Settler) -> Delivery:
        """Return the delivery of a dead letter's replay."""
        return cls(
            subject=dead_letter.subject,
            body=dead_letter.body,
            headers=dead_letter.headers,
            sequence=dead_letter.place.sequence,
            attempt=attempt,
            time=dead_letter.place.stored,
            replay_of=dead_letter.number,
            settler=settler,
        )

    def first_dead_letter(self, stream: str, listener: str, failure: Failure, now: datetime) -> DeadLetter:
        """Return the dead letter of an event that its listener gives up for the first time."""
        place = Place(stream, listener, self.sequence, self.time)
        return DeadLetter.first(
            place,
            self.subject,
            self.headers,
            self.body,
            attempts=self.attempt,
            failure=failure,
            now=now,
        )

    def ack(self) -> Coroutine[Any, Any, None]:
        """Settle: the event is done. If this is a replay, its dead letter is removed first.

        Raises:
            TransportError: the dead letter could not be removed; the event is not settled.
        """
        return self.settler.ack()

    def retry(self, after: float) -> Coroutine[Any, Any, None]:
        """Settle: deliver the event again, to any worker, in `after` seconds."""
        return self.settler.retry(after)

    def dead_letter(self, failure: Failure) -> Coroutine[Any, Any, None]:
        """Settle: keep a copy in the dead letters, and only then end the event.

        The copy replaces an earlier one of the same listener and event.

        Raises:
            TransportError: the copy was not confirmed; the event is not settled.
        """
        return self.settler.dead_letter(self, failure)

    def in_progress(self) -> Coroutine[Any, Any, None]:
        """Restart the event's `ack_wait`, because it is still being worked on."""
        return self.settler.in_progress()


class Subscription(Protocol):
    """A worker's share of a durable.

    Attributes:
        ahead: how many events to buffer beyond the free handler slots, 0 at first; set by the worker.
    """

    ahead: int

    @property
    def ack_wait(self) -> float:
        """Seconds after which the server delivers an unsettled event again; may differ from the requested value."""
        ...

    @property
    def buffered(self) -> Collection[Delivery]:
        """Events that have arrived and are not taken yet; their `ack_wait` is already running."""
        ...

    def next(self) -> Delivery | None:
        """Return the next event if one is already buffered, else None; raises as `take()` does."""
        ...

    async def take(self) -> Delivery | None:
        """Wait for the next event; None once the subscription is closed.

        Every waiting `take()` is a free handler slot, and asks the server for one event.

        Raises:
            ConsumerLost: the durable was deleted on the server.
            TransportError: the server refuses permanently.
        """
        ...

    async def shed(self, may_go: Callable[[Delivery], bool]) -> None:
        """Give buffered events back to the server for other workers, and reset `ahead` to 0.

        Args:
            may_go: whether to give an event back; giving it back uses up one of its deliveries.
        """
        ...

    async def close(self) -> None:
        """Stop pulling, end every waiting `take()`, and give buffered events back to the server.

        Closing twice is harmless.
        """
        ...


class DeadLetters(Protocol):
    """The dead letters of a prefix, for operators and tools."""

    def find(self, selection: Filter) -> AsyncIterator[DeadLetter]:
        """Iterate over the dead letters that match and exist now, oldest first; reads a bounded number at a time.

        Messages that no listener wrote are among them, and have a `problem`.
        """
        ...

    async def count(self) -> int:
        """Return how many there are."""
        ...

    async def replay(self, dead_letter: DeadLetter) -> bool:
        """Send a dead letter to its own listener again; it stays until the replay has been handled.

        Returns:
            False when a replay is already on its way; nothing was sent.

        Raises:
            TransportError: it was not sent, or the outcome is unknown; it is safe to try again.
        """
        ...

    async def discard(self, dead_letter: DeadLetter) -> bool:
        """Remove a dead letter permanently, and its replay if no worker has taken it.

        Returns:
            False when it no longer existed.
        """
        ...

    async def replaying(self) -> Set[tuple[Place, int]]:
        """Return place and number of the dead letters whose replays are waiting or being handled.

        Anyone may store a message under a number that a dead letter of another place has.
        """
        ...

    async def latest(self, dead_letter: DeadLetter) -> int:
        """Return the current number of the same listener's dead letter of the same event, 0 when there is none."""
        ...

    async def is_served(self, dead_letter: DeadLetter) -> bool:
        """Whether any worker of the dead letter's listener is taking replays now."""
        ...


class Transport(Protocol):
    """A connection to the place where events are stored."""

    async def connect(self) -> None:
        """Connect, within a bound.

        Raises:
            ConnectionFailed, JetStreamUnavailable: with advice.
        """
        ...

    def publish(self, event: Outgoing, *, timeout: float) -> Coroutine[Any, Any, PubAck]:
        """Store an event; create its stream if it is missing and the transport may.

        If possible the call itself sends the event, so that several calls made before the first is awaited
        travel together.

        Args:
            timeout: seconds until the outcome counts as unknown; retries happen within.

        Returns:
            A coroutine that waits for the acknowledgement, to be awaited exactly once. It raises:

            PublishFailed: it was not stored. EventTooLarge: it was not stored and never will be.
            PermissionDenied, ProvisionError: it was not stored; the user may not publish it, or its stream is missing.
            PublishUnknown: it was sent, and an answer is missing; it may have been stored.
        """
        ...

    async def room(self) -> None:
        """Let published events be sent, and wait until there is room for more."""
        ...

    async def subscribe(self, consumer: Consumer) -> Subscription:
        """Join a durable; create it and its stream if they are missing and the transport may.

        Raises:
            ProvisionError: one is missing, or exists with settings that do not fit.
        """
        ...

    async def subscribe_replays(self, consumer: Consumer) -> Subscription:
        """Join the replays sent to a listener; raises as `subscribe` does."""
        ...

    @property
    def dead_letters(self) -> DeadLetters:
        """The dead letters of the transport's prefix."""
        ...

    @property
    def address(self) -> str:
        """Where it connects to, for people, without a password."""
        ...

    @property
    def largest(self) -> int:
        """How many bytes an event may have, headers included; known once connected."""
        ...

    @property
    def trouble(self) -> str:
        """Why nothing can be sent or received at the moment, for people; empty when all is well."""
        ...

    async def close(self) -> None:
        """Disconnect; afterwards no task of this transport runs."""
        ...
