"""The seam between the bus and what carries its events.

Two transports keep this contract, `lightbus.jetstream` and `lightbus.memory`; tests/conformance runs
the same suite against both. All calls of one transport happen on one event loop.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

Since = Literal["beginning", "now"] | datetime
"""Where a new durable starts: all stored events, only later ones, or those from a time on."""

DEFAULT_ACK_WAIT = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class Outgoing:
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


@dataclass(frozen=True, slots=True)
class PubAck:
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
    """

    api: str
    event: str
    durable: str
    since: Since = "beginning"
    ack_wait: float = DEFAULT_ACK_WAIT


class Delivery(Protocol):
    """One delivery of one event to one listener. Settle it exactly once, in any of three ways."""

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

    async def ack(self) -> None:
        """Settle: the event is done."""
        ...

    async def retry(self, after: float) -> None:
        """Settle: deliver the event again, to any worker, in `after` seconds."""
        ...

    async def dead_letter(self, reason: str, error: str) -> None:
        """Settle: keep a copy in the dead letters, and only then end the event.

        Raises:
            TransportError: the copy was not confirmed; the event is not settled.
        """
        ...

    async def in_progress(self) -> None:
        """Restart the event's `ack_wait`: somebody is still working on it."""
        ...


class Subscription(Protocol):
    """A worker's share of a durable."""

    @property
    def ack_wait(self) -> float:
        """Seconds after which the server delivers an unsettled event again; may differ from what was asked."""
        ...

    @property
    def buffered(self) -> Collection[Delivery]:
        """Events that have arrived and were not taken yet; their `ack_wait` runs already."""
        ...

    async def take(self) -> Delivery | None:
        """Wait for the next event; None once the subscription is closed.

        Every waiting `take()` is a free handler slot, and asks the server for one event.

        Raises:
            ConsumerLost: the durable was deleted on the server.
            TransportError: the server refuses for good.
        """
        ...

    async def close(self) -> None:
        """Stop asking, end every waiting `take()`, and give events nobody took back to the server.

        Closing twice is harmless.
        """
        ...


class Transport(Protocol):
    """A connection to whatever keeps the events."""

    async def connect(self) -> None:
        """Connect, within a bound.

        Raises:
            ConnectionFailed, JetStreamUnavailable: with what to do about it.
        """
        ...

    async def publish(self, event: Outgoing, *, timeout: float) -> PubAck:
        """Store an event, making its stream when that is missing.

        Args:
            event: what to store.
            timeout: seconds until the outcome counts as unknown; retries happen within.

        Raises:
            PublishFailed: it was not stored. EventTooLarge: and never will be.
            PublishUnknown: no answer in time; it may have been stored.
        """
        ...

    async def subscribe(self, consumer: Consumer) -> Subscription:
        """Join a durable, making it and its stream when missing.

        Raises:
            ProvisionError: it exists with settings that do not fit.
        """
        ...

    async def close(self) -> None:
        """Disconnect; afterwards nothing of this transport runs."""
        ...
