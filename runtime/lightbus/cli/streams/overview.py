"""`lightbus status`: streams and listeners as the server has them, and what is wrong with them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from lightbus.cli.terminal.console import print_json, print_message, print_output
from lightbus.cli.terminal.tables import print_table
from lightbus.foreign import escaped
from lightbus.jetstream.stored.dead_letters import count_unreadable
from lightbus.jetstream.streams.plan import connected
from lightbus.jetstream.streams.status import ListenerStatus, StreamStatus
from lightbus.jetstream.streams.status import streams as look_up

OK, ALARM = 0, 1

_STREAM_COLUMNS = ("STREAM", "EVENTS", "BYTES", "SEQUENCES", "REPLICAS")
_LISTENER_COLUMNS = ("STATE", "LISTENER", "EVENT", "PENDING", "IN FLIGHT", "REDELIVERED", "DEAD LETTERS")


def show_status(url: str | None, prefix: str, *, as_json: bool) -> int:
    """Print the status; returns the exit code, 1 when there is an alarm."""

    async def look() -> list[StreamStatus]:
        async with connected(url, origin="--url") as server:
            return await look_up(server, prefix, await count_unreadable(server, prefix))

    streams = asyncio.run(look())
    listeners = [listener for stream in streams for listener in stream.listeners]
    if as_json:
        for facts in (*map(_stream_facts, streams), *map(_listener_facts, listeners)):
            print_json(facts)
    else:
        _print(streams, listeners, prefix)
    return ALARM if any(listener.alarms for listener in listeners) else OK


def _print(streams: Sequence[StreamStatus], listeners: Sequence[ListenerStatus], prefix: str) -> None:
    if not streams:
        print_message(f"there are no streams of the prefix {prefix!r}")
        return
    print_table([_STREAM_COLUMNS, *map(_stream_row, streams)])
    if listeners:
        print_output("")
        colours = ["red" if listener.alarms else None for listener in listeners]
        print_table([_LISTENER_COLUMNS, *map(_listener_row, listeners)], colours)
    if unserved := [escaped(listener.name) for listener in listeners if not listener.is_served]:
        print_message(
            f"no worker takes the events of {', '.join(unserved)}. If a service or its listener was renamed or removed,"
            " delete the durable that is left: nats consumer rm STREAM LISTENER"
        )
    for alarm in (alarm for listener in listeners for alarm in listener.alarms):
        print_output("\n" + click.style(f"{alarm.kind}: ", fg="red", bold=True) + escaped(alarm.text))


def _stream_row(stream: StreamStatus) -> tuple[str, ...]:
    sequences = f"{stream.first:,} to {stream.last:,}" if stream.events else "none"
    return stream.name, f"{stream.events:,}", f"{stream.bytes:,}", sequences, str(stream.replicas)


def _listener_row(listener: ListenerStatus) -> tuple[str, ...]:
    now = listener.progress
    counts = (now.pending, now.in_flight, now.redelivered)
    dead_letters = f"{listener.dead_letters:,}"
    if listener.unreadable:
        dead_letters += f", {listener.unreadable:,} unreadable"
    state = ", ".join(alarm.kind for alarm in listener.alarms) or (
        "ok" if listener.is_served else "no worker"
    )
    return (state, listener.name, listener.event, *(f"{count:,}" for count in counts), dead_letters)


def _stream_facts(stream: StreamStatus) -> dict[str, Any]:
    facts = asdict(stream)
    del facts["listeners"]
    return {"kind": "stream"} | facts


def _listener_facts(listener: ListenerStatus) -> dict[str, Any]:
    facts = asdict(listener)
    return {"kind": "listener", **facts.pop("progress"), **facts}
