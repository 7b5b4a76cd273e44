"""What `lightbus inspect` does: events go to standard output, everything else to standard error."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import click
from msgspec import UNSET

from lightbus.cli.terminal.moments import moment
from lightbus.cli.terminal.signals import first_signal, unless
from lightbus.cli.terminal.tables import aligned, shown, terminal_width
from lightbus.errors import TransportError
from lightbus.event.envelope import Envelope
from lightbus.jetstream.stored.history import History, StoredEvent, Wanted
from lightbus.jetstream.streams.plan import connected
from lightbus.logs import log

OK, MISSING = 0, 1
_COLUMNS = ("STORED", "EVENT", "ID", "DATA")
_PAGE = 1000  # lines that are lined up with each other, so that any number takes the same memory
_POLL = 0.5  # seconds between two looks for new events


def show_events(
    url: str | None, prefix: str, wanted: Wanted, limit: int | None, *, follow: bool, as_json: bool
) -> int:
    """Print stored events; returns the exit code, 1 when one that was named is not there.

    Args:
        url: the server's address; None looks it up.
        prefix: first token of the bus's streams.
        wanted: which events.
        limit: how many of the latest; None for all.
        follow: whether to go on with new ones until SIGINT or SIGTERM.
        as_json: whether to write one JSON object a line.
    """
    screen = _Screen(as_json, terminal_width())
    found: set[str] = set()

    async def work() -> None:
        async with connected(url, given="--url") as connection:
            history = History(connection, prefix, wanted)
            await show(_latest(history.unread(), limit))
            while follow:
                await asyncio.sleep(_POLL)
                try:
                    await show(history.unread())
                except TransportError as error:
                    log.debug("no look at new events: %s", error)  # the connection says when it is back

    async def show(events: AsyncIterator[StoredEvent]) -> None:
        async for event in events:
            screen.add(event)
            found.add(_id(event) if wanted.ids else "")
        screen.show()

    async def work_unless_interrupted() -> bool:
        return await unless(first_signal(), work())

    asyncio.run(work_unless_interrupted())
    if missing := sorted(wanted.ids - found):
        click.echo(
            f"there is no event {', '.join(map(shown, missing))} in the streams of {prefix!r}", err=True
        )
    return MISSING if missing else OK


async def _latest(events: AsyncIterator[StoredEvent], limit: int | None) -> AsyncIterator[StoredEvent]:
    """Pass on the last ones, or all of them as they come."""
    last: deque[StoredEvent] = deque(maxlen=limit)
    async for event in events:
        if limit is None:
            yield event
        else:
            last.append(event)
    for event in last:
        yield event


class _Screen:
    """Prints events, some at a time, so that their columns line up.

    Args:
        as_json: whether to write one JSON object a line instead.
        width: columns of the terminal, at which lines are cut; None for whole lines.
    """

    def __init__(self, as_json: bool, width: int | None) -> None:
        self._as_json, self._width = as_json, width
        self._rows: list[tuple[str, ...]] = []
        self._is_headed = False

    def add(self, event: StoredEvent) -> None:
        """Take an event in, and print what has come together."""
        if self._as_json:
            click.echo(json.dumps(_facts(event), ensure_ascii=False))
            return
        self._rows.append(_row(event))
        if len(self._rows) == _PAGE:
            self.show()

    def show(self) -> None:
        """Print what was not printed yet."""
        if self._rows:
            lines = aligned([_COLUMNS, *self._rows], self._width)
            click.echo("\n".join(lines[1:] if self._is_headed else lines))
            self._rows, self._is_headed = [], True


def _row(event: StoredEvent) -> tuple[str, ...]:
    content = event.content
    if isinstance(content, Envelope):
        return moment(event.stored), event.name, content.id, json.dumps(content.data, ensure_ascii=False)
    return moment(event.stored), event.name, "?", f"unreadable: {content}"


def _facts(event: StoredEvent) -> dict[str, Any]:
    """Return what is known of an event for programs; of one that cannot be read, why, and its bytes in base64."""
    facts = {
        "event": event.name,
        "stream": event.stream,
        "sequence": event.sequence,
        "stored": moment(event.stored),
    }
    content = event.content
    if not isinstance(content, Envelope):
        return facts | {"unreadable": str(content), "body": base64.b64encode(event.body).decode()}
    fired = None if content.time is UNSET else moment(content.time)
    return facts | {"id": content.id, "source": content.source, "fired": fired, "data": content.data}


def _id(event: StoredEvent) -> str:
    return event.content.id if isinstance(event.content, Envelope) else ""
