"""The stored events of a prefix, read without a consumer."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from lightbus.errors import PermissionDenied, UnreadableEvent
from lightbus.event import envelope
from lightbus.event.dead_letter import own_headers
from lightbus.event.envelope import Envelope
from lightbus.jetstream.connection.connection import Connection
from lightbus.jetstream.stored import direct_get
from lightbus.jetstream.stored.direct_get import NotReadable, StoredMessage
from lightbus.jetstream.streams.status import StreamExtent, stream_extents

_LARGEST_PART = 16_384  # sequences of a stream that are read before the first of their events is passed on


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it is stored.

    Attributes:
        stream, sequence: where it is stored.
        stored: when it was stored.
        name: its full name, `auth.user_created`.
        body, headers: the message, without the headers that the server adds.
        content: the decoded event, or why it cannot be decoded.
    """

    stream: str
    sequence: int
    stored: datetime
    name: str
    body: bytes
    headers: dict[str, str]
    content: Envelope | UnreadableEvent


@dataclass(frozen=True, slots=True)
class EventFilter:
    """A selection of events: those that meet every condition.

    Attributes:
        names: full names, or patterns with `*` and `?`; empty for any.
        ids: event ids; empty for any.
        since, until: limits of the time they were stored; `until` is exclusive.
    """

    names: tuple[str, ...] = ()
    ids: frozenset[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, event: StoredEvent) -> bool:
        """Whether an event is selected."""
        event_id = event.content.id if isinstance(event.content, Envelope) else ""
        return (
            (not self.names or any(fnmatchcase(event.name, name) for name in self.names))
            and (not self.ids or event_id in self.ids)
            and (self.since is None or event.stored >= self.since)
            and (self.until is None or event.stored < self.until)
        )


class History:
    """Reads the selected events of a prefix.

    Attributes:
        unreadable: why streams could not be read, by name.
    """

    def __init__(self, connection: Connection, prefix: str, selection: EventFilter) -> None:
        self._connection, self._prefix, self._selection = connection, prefix, selection
        self._read: dict[tuple[str, str], int] = {}  # the last sequence read, by stream and its creation
        self.unreadable: dict[str, str] = {}

    async def unread(self) -> AsyncIterator[StoredEvent]:
        """Iterate over stored events that were not read yet, in the order they were stored.

        A stream that cannot be read is left out, and recorded in `unreadable`.

        Raises:
            TransportError: no answer came.
        """
        extents = await stream_extents(self._connection, self._prefix)
        async for event in _merged([self._forwards(extent) for extent in extents], 1):
            yield event

    async def latest(self, limit: int | None) -> AsyncIterator[StoredEvent]:
        """Iterate over the last `limit` events, in the order they were stored; they and all earlier ones count as read.

        Reads from the end, and stops at the limit or once it has met all ids of the selection, if it has any. Raises as
        `unread` does.
        """
        extents = await stream_extents(self._connection, self._prefix)
        events: deque[StoredEvent] = deque()
        missing = set(self._selection.ids)
        async for event in _merged([self._backwards(extent) for extent in extents], -1):
            if self._selection.since is not None and event.stored < self._selection.since:
                break
            if not self._selection.matches(event):
                continue
            events.appendleft(event)
            if isinstance(event.content, Envelope):
                missing.discard(event.content.id)
            if len(events) == limit or (self._selection.ids and not missing):
                break
        for stream in extents:
            if stream.name not in self.unreadable:
                self._read[stream.name, stream.created] = stream.last
        for event in events:
            yield event

    async def _forwards(self, stream: StreamExtent) -> AsyncIterator[StoredEvent]:
        place = stream.name, stream.created
        is_continued = place in self._read
        start = self._read[place] + 1 if is_continued else stream.first
        since = None if is_continued else self._selection.since
        async for event in self._events(stream.name, start, stream.last, since):
            self._read[place] = event.sequence
            if self._selection.matches(event):
                yield event
        if stream.name not in self.unreadable:
            self._read[place] = max(stream.last, start - 1)

    async def _backwards(self, stream: StreamExtent) -> AsyncIterator[StoredEvent]:
        """Iterate over the events of the subjects from the last one, part by part; parts grow while they hold few."""
        end, size = stream.last, direct_get.BATCH
        while end >= stream.first and stream.name not in self.unreadable:
            start = max(stream.first, end - size + 1)
            events = [event async for event in self._events(stream.name, start, end)]
            for event in reversed(events):
                yield event
            end = start - 1
            size = min(size * 4, _LARGEST_PART) if len(events) < direct_get.BATCH else direct_get.BATCH

    async def _events(
        self, stream: str, first: int, last: int, since: datetime | None = None
    ) -> AsyncIterator[StoredEvent]:
        """Iterate over all events of the subjects; if they cannot be read, that is recorded in `unreadable`."""
        try:
            async for message in direct_get.messages(
                self._connection, stream, self._subjects, first, last, since
            ):
                yield self._event(stream, message)
        except (NotReadable, PermissionDenied) as error:
            self.unreadable[stream] = str(error)

    @property
    def _subjects(self) -> str:
        """The narrowest subject filter that covers the selection."""
        match self._selection.names:
            case (name,) if not set(name) & set("*?[]> "):
                return f"{self._prefix}.{name}"
            case _:
                return f"{self._prefix}.>"

    def _event(self, stream: str, message: StoredMessage) -> StoredEvent:
        headers = own_headers(message.headers)
        content: Envelope | UnreadableEvent
        try:
            if message.is_cut:
                raise UnreadableEvent("its header block is cut off")
            content = envelope.decode(message.body, headers)
        except UnreadableEvent as error:
            content = error
        return StoredEvent(
            stream,
            message.sequence,
            message.time,
            message.subject.removeprefix(f"{self._prefix}."),
            message.body,
            headers,
            content,
        )


async def _merged(
    readers: Sequence[AsyncIterator[StoredEvent]], direction: int
) -> AsyncIterator[StoredEvent]:
    """Merge readers by the time their events were stored; the direction is 1, or -1 for the latest first."""
    heads: list[tuple[float, int, StoredEvent]] = []

    async def put_next(number: int) -> None:
        if (event := await anext(readers[number], None)) is not None:
            heapq.heappush(heads, (direction * event.stored.timestamp(), direction * number, event))

    for number in range(len(readers)):
        await put_next(number)
    while heads:
        _, number, event = heapq.heappop(heads)
        yield event
        await put_next(direction * number)
