"""The streams and listeners of a prefix, as the server knows them, whether or not a process runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightbus import naming
from lightbus.jetstream.connection.connection import Connection
from lightbus.jetstream.streams.health import Alarm, Progress, alarms, progress
from lightbus.jetstream.streams.resources import STREAM_NOT_FOUND

_ONLY_COUNT = 1_000_000_000_000  # an offset past the last subject, so that the server only counts them


@dataclass(frozen=True, slots=True)
class ListenerStatus:
    """A listener's durable.

    Attributes:
        name, stream: names of the durable and its stream.
        event: full name of the event it listens to, or its subject if that is outside the prefix.
        progress: how far it is.
        dead_letters: how many it has.
        unreadable: how many messages there are in their place that no listener wrote.
        is_served: whether a worker takes its events, as far as the server knows.
        alarms: its problems.
    """

    name: str
    stream: str
    event: str
    progress: Progress
    dead_letters: int
    unreadable: int
    is_served: bool
    alarms: Sequence[Alarm]


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """A stream of events.

    Attributes:
        events, bytes: how many it holds.
        first, last: sequences of the oldest and the latest one.
        replicas: how many servers store it.
        listeners: its durables.
    """

    name: str
    events: int
    bytes: int
    first: int
    last: int
    replicas: int
    listeners: Sequence[ListenerStatus]


async def streams(connection: Connection, prefix: str, unreadable: Mapping[str, int]) -> list[StreamStatus]:
    """Return the event streams of a prefix, by name.

    Args:
        unreadable: how many messages in the place of dead letters no listener wrote, by the listener's subject filter.
    """
    served = {
        durable["name"]: bool(durable["num_waiting"] or durable["num_ack_pending"])
        async for durable in _listed(
            connection,
            f"CONSUMER.LIST.{naming.replay_stream(prefix)}",
            "consumers",
            absent=(STREAM_NOT_FOUND,),
        )
    }
    statuses = [
        await _stream(connection, prefix, info, unreadable, served)
        async for info in _event_streams(connection, prefix)
    ]
    return sorted(statuses, key=lambda stream: stream.name)


@dataclass(frozen=True, slots=True, order=True)
class StreamExtent:
    """Which messages a stream holds.

    Attributes:
        first, last: sequences of the oldest and the latest one.
        created: when the stream was made; one that is made anew begins again at sequence 1.
    """

    name: str
    first: int
    last: int
    created: str


async def stream_extents(connection: Connection, prefix: str) -> list[StreamExtent]:
    """Return the extents of the event streams of a prefix, by name."""
    return sorted(
        [
            StreamExtent(
                *(info["config"]["name"], info["state"]["first_seq"], info["state"]["last_seq"]),
                info["created"],
            )
            async for info in _event_streams(connection, prefix)
        ]
    )


async def _event_streams(connection: Connection, prefix: str) -> AsyncIterator[dict[str, Any]]:
    """Iterate over the server's information about the event streams of a prefix."""
    async for info in _listed(connection, "STREAM.LIST", "streams"):
        subjects = info["config"].get("subjects") or []
        if any(subject.startswith(f"{prefix}.") for subject in subjects):
            yield info


async def _stream(
    connection: Connection,
    prefix: str,
    info: dict[str, Any],
    unreadable: Mapping[str, int],
    served: Mapping[str, bool],
) -> StreamStatus:
    name, state = info["config"]["name"], info["state"]
    listeners = [
        await _listener(connection, prefix, info, durable, unreadable, served)
        async for durable in _listed(connection, f"CONSUMER.LIST.{name}", "consumers")
        if durable["config"].get("durable_name")
    ]
    return StreamStatus(
        name,
        state["messages"],
        state["bytes"],
        state["first_seq"],
        state["last_seq"],
        info["config"]["num_replicas"],
        sorted(listeners, key=lambda listener: listener.name),
    )


async def _listener(
    connection: Connection,
    prefix: str,
    stream: dict[str, Any],
    durable: dict[str, Any],
    unreadable: Mapping[str, int],
    served: Mapping[str, bool],
) -> ListenerStatus:
    """Return the status of a listener; `served` says which durables of replays have workers."""
    name, stream_name = durable["name"], durable["stream_name"]
    subject = durable["config"].get("filter_subject", "")
    subjects = naming.dead_letter_subjects(prefix, name, stream_name)
    foreign = unreadable.get(subjects, 0)
    now = progress(durable)  # a worker whose handlers are all busy waits for replays only
    is_served = now.waiting > 0 or served.get(naming.replay_durable(stream_name, name), now.in_flight > 0)
    return ListenerStatus(
        name,
        stream_name,
        subject.removeprefix(f"{prefix}."),
        now,
        max(0, await _dead_letters(connection, prefix, subjects) - foreign),
        foreign,
        is_served,
        alarms(stream, durable),
    )


async def _dead_letters(connection: Connection, prefix: str, subjects: str) -> int:
    """Count the dead letters of a listener; each has a subject of its own."""
    request = {"subjects_filter": subjects, "offset": _ONLY_COUNT}
    operation = f"STREAM.INFO.{naming.dead_letter_stream(prefix)}"
    info = await connection.lookup(operation, request, absent=(STREAM_NOT_FOUND,))
    return 0 if info is None else int(info.get("total", 0))


async def _listed(
    connection: Connection, operation: str, key: str, absent: Collection[int] = ()
) -> AsyncIterator[dict[str, Any]]:
    """Iterate over a list of the server, page by page; it is empty for the `absent` error codes."""
    offset = 0
    while True:
        answer = await connection.lookup(operation, {"offset": offset}, absent=absent)
        if answer is None:
            return
        page = answer.get(key) or []
        for info in page:
            yield info
        offset += len(page)
        if not page or offset >= answer["total"]:
            return
