"""`lightbus status`: streams and listeners as the server has them, and what is wrong with them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from lightbus.cli.terminal.tables import aligned, terminal_width
from lightbus.jetstream.streams.plan import connected
from lightbus.jetstream.streams.status import ListenerStatus, StreamStatus, streams

OK, ALARM = 0, 1

_STREAM_COLUMNS = ("STREAM", "EVENTS", "BYTES", "SEQUENCES", "REPLICAS")
_LISTENER_COLUMNS = ("STATE", "LISTENER", "EVENT", "PENDING", "IN FLIGHT", "REDELIVERED", "DEAD LETTERS")


def show_status(url: str | None, prefix: str, *, as_json: bool) -> int:
    """Print the status; returns the exit code, 1 when there is an alarm.

    Args:
        url: the server's address; None looks it up.
        prefix: first token of the bus's streams.
        as_json: whether to write one JSON object a line.
    """

    async def look() -> list[StreamStatus]:
        async with connected(url, given="--url") as server:
            return await streams(server, prefix)

    found = asyncio.run(look())
    listeners = [listener for stream in found for listener in stream.listeners]
    if as_json:
        for facts in (*map(_stream_facts, found), *map(_listener_facts, listeners)):
            click.echo(json.dumps(facts, ensure_ascii=False))
    else:
        _print(found, listeners, prefix)
    return ALARM if any(listener.alarms for listener in listeners) else OK


def _print(found: Sequence[StreamStatus], listeners: Sequence[ListenerStatus], prefix: str) -> None:
    if not found:
        click.echo(f"there are no streams of the prefix {prefix!r}", err=True)
        return
    rows = [
        (one.name, f"{one.events:,}", f"{one.bytes:,}", _sequences(one), str(one.replicas)) for one in found
    ]
    click.echo("\n".join(aligned([_STREAM_COLUMNS, *rows], terminal_width())))
    if listeners:
        colours = ["red" if listener.alarms else None for listener in listeners]
        table = aligned([_LISTENER_COLUMNS, *map(_row, listeners)], terminal_width(), colours)
        click.echo("\n" + "\n".join(table))
    for alarm in (alarm for listener in listeners for alarm in listener.alarms):
        click.echo("\n" + click.style(f"{alarm.kind}: ", fg="red", bold=True) + alarm.text)


def _sequences(stream: StreamStatus) -> str:
    return f"{stream.first:,} to {stream.last:,}" if stream.events else "none"


def _row(listener: ListenerStatus) -> tuple[str, ...]:
    now = listener.progress
    counts = (now.pending, now.in_flight, now.redelivered, listener.dead_letters)
    state = ", ".join(alarm.kind for alarm in listener.alarms) or "ok"
    return (state, listener.name, listener.event, *(f"{count:,}" for count in counts))


def _stream_facts(stream: StreamStatus) -> dict[str, Any]:
    facts = asdict(stream)
    del facts["listeners"]
    return {"kind": "stream"} | facts


def _listener_facts(listener: ListenerStatus) -> dict[str, Any]:
    facts = asdict(listener)
    return {"kind": "listener", **facts.pop("progress"), **facts}
