"""`lightbus inspect`: prints stored events on standard output, everything else on standard error."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from msgspec import UNSET

from lightbus.cli.terminal.console import print_json, print_message
from lightbus.cli.terminal.signals import run_until_signal
from lightbus.cli.terminal.tables import PagedTable
from lightbus.cli.terminal.times import format_time
from lightbus.errors import TransportError
from lightbus.event.envelope import Envelope
from lightbus.foreign import escaped
from lightbus.jetstream.stored.history import EventFilter, History, StoredEvent
from lightbus.jetstream.streams.plan import connected
from lightbus.logs import log

OK, INCOMPLETE = 0, 1
_COLUMNS = ("STORED", "EVENT", "ID", "DATA")
_POLL = 0.5  # seconds between two looks for new events


def show_events(
    url: str | None, prefix: str, selection: EventFilter, limit: int | None, *, follow: bool, as_json: bool
) -> int:
    """Print stored events, the latest `limit` of them unless it is None.

    With `follow`, continue with new ones until SIGINT or SIGTERM.

    Returns:
        The exit code: 1 when an event of `selection.ids` is missing, or a stream cannot be read.
    """
    table = PagedTable(_COLUMNS)
    missing = set(selection.ids)
    unreadable: set[str] = set()

    async def work() -> None:
        async with connected(url, origin="--url") as connection:
            history = History(connection, prefix, selection)
            is_bounded = limit is not None or selection.ids
            await show(history.latest(limit) if is_bounded else history.unread())
            report(history.unreadable)
            while follow:
                await asyncio.sleep(_POLL)
                try:
                    await show(history.unread())
                    report(history.unreadable)
                except TransportError as error:
                    log.debug("cannot look for new events: %s", error)  # the connection logs its return

    async def show(events: AsyncIterator[StoredEvent]) -> None:
        async for event in events:
            if as_json:
                print_json(_facts(event))
            else:
                table.add(_row(event))
            if isinstance(event.content, Envelope):
                missing.discard(event.content.id)
        table.flush()

    def report(reasons: Mapping[str, str]) -> None:
        for stream in sorted(reasons.keys() - unreadable):
            print_message(f"events of {escaped(stream)} are not shown: {reasons[stream]}")
        unreadable.update(reasons)

    run_until_signal(work())
    if missing:
        print_message(
            f"there is no event {', '.join(map(escaped, sorted(missing)))} in the streams of {prefix!r}"
        )
    return INCOMPLETE if missing or unreadable else OK


def _row(event: StoredEvent) -> tuple[str, ...]:
    content = event.content
    if isinstance(content, Envelope):
        data = json.dumps(content.data, ensure_ascii=False)
        return format_time(event.stored), event.name, content.id, data
    return format_time(event.stored), event.name, "?", f"unreadable: {content}"


def _facts(event: StoredEvent) -> dict[str, Any]:
    """Return an event for programs; if it cannot be read, the reason and its bytes in base64."""
    facts = {
        "event": event.name,
        "stream": event.stream,
        "sequence": event.sequence,
        "stored": format_time(event.stored),
    }
    content = event.content
    if not isinstance(content, Envelope):
        return facts | {"unreadable": str(content), "body": base64.b64encode(event.body).decode()}
    fired = None if content.time is UNSET else format_time(content.time)
    return facts | {"id": content.id, "source": content.source, "fired": fired, "data": content.data}
