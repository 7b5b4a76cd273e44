"""The stored events of a prefix, read without a consumer."""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator
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
from lightbus.jetstream.streams.status import stream_states


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
        self._read: dict[str, int] = {}  # the last sequence read, by stream
        self.unreadable: dict[str, str] = {}

    async def unread(self) -> AsyncIterator[StoredEvent]:
        """Iterate over stored events that were not read yet, in the order they were stored.

        A stream that cannot be read is left out, and recorded in `unreadable`.

        Raises:
            TransportError: no answer came.
        """
        states = await stream_states(self._connection, self._prefix)
        readers = [self._of_stream(name, first, last) for name, first, last in states]
        heads: list[tuple[datetime, int, StoredEvent]] = []
        for number, reader in enumerate(readers):
            await _put_next(heads, number, reader)
        while heads:
            _, number, event = heapq.heappop(heads)
            yield event
            await _put_next(heads, number, readers[number])

    async def _of_stream(self, name: str, first: int, last: int) -> AsyncIterator[StoredEvent]:
        is_continued = name in self._read
        start = self._read[name] + 1 if is_continued else first
        since = None if is_continued else self._selection.since
        messages = direct_get.messages(self._connection, name, self._subjects, start, last, since)
        try:
            async for message in messages:
                self._read[name] = message.sequence
                event = self._event(name, message)
                if self._selection.matches(event):
                    yield event
        except (NotReadable, PermissionDenied) as error:
            self.unreadable[name] = str(error)
            return
        self._read[name] = max(last, start - 1)

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


async def _put_next(
    heads: list[tuple[datetime, int, StoredEvent]], number: int, reader: AsyncIterator[StoredEvent]
) -> None:
    """Push the next event of a reader, if there is one, onto the heap."""
    if (event := await anext(reader, None)) is not None:
        heapq.heappush(heads, (event.stored, number, event))
