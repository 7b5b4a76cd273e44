"""The groups of contenders that take turns, and the rows of the table: who is compared with whom, and the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.bench.measure import Bound
from tests.bench.runs import Entry

Way = Literal["fire", "listen"]

OURS, RAW = "Lightbus", "nats-py"


def _fire(name: str, width: int, share: float = 1.0) -> tuple[Entry, ...]:
    """Return the contenders that can fire `width` events at a time, in the same harness."""
    arguments = {"width": width}
    return (
        Entry(OURS, "ours", "ours", "fire", arguments=arguments),
        Entry(f"{RAW} publish", "raw", "raw", "fire", arguments=arguments),
        Entry("FastStream", "peer", "peers.faststream", "fire", arguments=arguments),
        Entry("eventiq", "peer", "peers.eventiq", "fire", arguments=arguments),
        Entry("Lightbus 1 on Redis", "redis", "peers.lightbus1", "fire", arguments=arguments, share=share),
    )


@dataclass(frozen=True)
class Group:
    """Contenders that do the same work in turns.

    Attributes:
        name: for `--only`.
        title: of its plot and table.
        way: how to run a round.
        count: events per round; `quick` in a quick run.
        entries: the contenders.
    """

    name: str
    title: str
    way: Way
    count: int
    quick: int
    entries: tuple[Entry, ...]
    uvloop: bool = False


_ASYNC = Entry(f"{RAW} publish_async", "raw", "raw", "fire", "fire_async", {"width": 256})
_FETCH = Entry(f"{RAW} fetch(100) + ack", "raw", "raw", "fetch")
_NOOP = Entry(OURS, "ours", "ours", "listen")
_AWAITS = Entry(
    f"{OURS}, 100 at a time, 1 ms", "ours", "ours", "listen", arguments={"concurrency": 100, "work": 0.001}
)

GROUPS = (
    Group(
        "one",
        "fire, one at a time",
        "fire",
        2_000,
        500,
        (
            *_fire("one", 1, 0.2),
            Entry(f"{OURS} sync", "ours", "ours", "fire_sync", arguments={"width": 1}),
            Entry(f"{OURS} sync, 8 threads", "ours", "ours", "fire_sync", arguments={"width": 8}),
        ),
    ),
    Group("flight", "fire, 256 in flight", "fire", 10_000, 2_048, (*_fire("flight", 256, 0.03), _ASYNC)),
    Group(
        "batch",
        "fire, batches of 1,000",
        "fire",
        10_000,
        2_000,
        (
            Entry(OURS, "ours", "ours", "fire", "batches", {"size": 1000}),
            Entry(f"{RAW} publish_async", "raw", "raw", "fire", "fire_async", {"width": 1000}),
        ),
    ),
    Group(
        "listen",
        "listen, a handler that does nothing",
        "listen",
        10_000,
        2_000,
        (
            _NOOP,
            _AWAITS,
            _FETCH,
            Entry(f"{RAW} push callback + ack", "raw", "raw", "callback"),
            Entry("FastStream pull", "peer", "peers.faststream", "listen"),
            Entry("FastStream push", "peer", "peers.faststream", "listen", arguments={"pull": False}),
            Entry("eventiq", "peer", "peers.eventiq", "listen", share=0.2),
            Entry("Lightbus 1 on Redis", "redis", "peers.lightbus1", "listen", share=0.05),
        ),
    ),
    Group(
        "flight-uvloop",
        "fire, 256 in flight, on uvloop",
        "fire",
        10_000,
        2_048,
        (*_fire("flight", 256)[:4], _ASYNC),
        uvloop=True,
    ),
    Group(
        "listen-uvloop",
        "listen, on uvloop",
        "listen",
        10_000,
        2_000,
        (
            _NOOP,
            _FETCH,
            Entry("FastStream pull", "peer", "peers.faststream", "listen"),
            Entry("FastStream push", "peer", "peers.faststream", "listen", arguments={"pull": False}),
        ),
        uvloop=True,
    ),
)


@dataclass(frozen=True)
class Versus:
    """A row: one contender of a group against another.

    Attributes:
        work: the work, as the table names it.
        group: name of the group.
        mine, other: names of the entries.
        of: the compared quantity: time per event, or events per second.
        bound: the target.
    """

    work: str
    group: str
    mine: str
    other: str
    of: Literal["time", "rate"]
    bound: Bound | None


_SYNC, _THREADS = f"{OURS} sync", f"{OURS} sync, 8 threads"

VERSUS = (
    Versus("`await fire_async(...)` one at a time", "one", OURS, f"{RAW} publish", "time", Bound(1.15, True)),
    Versus("`fire_async`, 256 in flight", "flight", OURS, f"{RAW} publish_async", "rate", Bound(1.2, False)),
    Versus("`fire_async`, 256 in flight", "flight", OURS, "FastStream", "rate", Bound(3, False)),
    Versus("`fire_async`, 256 in flight", "flight", OURS, "eventiq", "rate", None),
    Versus("`fire_async`, 256 in flight", "flight", OURS, "Lightbus 1 on Redis", "rate", None),
    Versus("`fire_many`, batches of 1,000", "batch", OURS, f"{RAW} publish_async", "rate", Bound(1.5, False)),
    Versus("sync `fire()` from a script", "one", _SYNC, f"{RAW} publish", "time", Bound(1.5, True)),
    Versus("sync `fire()` from 8 threads", "one", _THREADS, _SYNC, "rate", Bound(3, False)),
    Versus("listener, no-op handler", "listen", OURS, f"{RAW} fetch(100) + ack", "rate", Bound(2.5, False)),
    Versus("listener, no-op handler", "listen", OURS, "FastStream pull", "rate", Bound(8, False)),
    Versus("listener, no-op handler", "listen", OURS, "FastStream push", "rate", Bound(4, False)),
    Versus("listener, no-op handler", "listen", OURS, "eventiq", "rate", None),
    Versus("listener, no-op handler", "listen", OURS, "Lightbus 1 on Redis", "rate", None),
    Versus("`concurrency=100`, a handler of 1 ms", "listen", _AWAITS.name, OURS, "rate", Bound(0.8, False)),
)
