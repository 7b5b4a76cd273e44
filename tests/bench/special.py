"""The rows without a race of contenders: latency, the library's own time, workers, memory, many listeners."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import psutil  # pyright: ignore[reportMissingModuleSource]

from tests.bench.measure import Bound, Spread
from tests.bench.processes import Contender, Spec, started
from tests.bench.runs import Entry, Surroundings, begun
from tests.bench.scenarios import OURS, RAW
from tests.bench.stage import Place, order
from tests.bench.table import Row, number

_FIRE = Entry(OURS, "ours", "ours", "fire")
_LISTEN = Entry(OURS, "ours", "ours", "listen")
_MEBIBYTE = 1 << 20
_CATCH_UP = 180.0  # seconds, at most, that a listener gets for the long stream

Tick = Callable[[], None]
Facts = Mapping[str, Any]


def resident(pid: int) -> float:
    """Return a process's resident memory in MiB."""
    return float(psutil.Process(pid).memory_info().rss / _MEBIBYTE)


async def latency(around: Surroundings, quick: bool, tick: Tick) -> tuple[list[Row], Facts]:
    """Fire 200 events a second on an idle system; bursts of Lightbus and nats-py take turns."""
    bursts, size = (3, 60) if quick else (8, 150)
    pairs = {
        OURS: (_FIRE, _LISTEN),
        RAW: (Entry(RAW, "raw", "raw", "fire"), Entry(RAW, "raw", "raw", "callback")),
    }
    found: dict[str, list[list[float]]] = {name: [] for name in pairs}
    async with AsyncExitStack() as stack:
        running: dict[str, tuple[Contender, Contender]] = {}
        for name, (sender, receiver) in pairs.items():
            prefix = around.stage.fresh("latency")
            await around.stage.make_stream(prefix)
            one, other = [
                await stack.enter_async_context(
                    started(
                        await around.spec(entry, prefix, fires=entry is sender),
                        path=around.stage.path,
                        log=around.stage.log,
                    )
                )
                for entry in (sender, receiver)
            ]
            running[name] = one, other
            await other.call("start", name=around.stage.fresh("l"), keep_times=True)
            await one.call("paced", count=20, gap=0.005)
        for _ in range(bursts):
            for name, (one, other) in running.items():
                fired = (await one.call("paced", count=size, gap=0.005))["fired"]
                await asyncio.sleep(0.05)
                handled = (await other.call("times"))["handled"][-size:]
                found[name].append([after - before for before, after in zip(fired, handled, strict=True)])
            tick()
    rows = []
    for percent in (50, 99):

        def at(values: list[float], percent: int = percent) -> float:
            return statistics.quantiles(values, n=100)[percent - 1] * 1e6

        mine, theirs = ([at(burst) for burst in found[name]] for name in (OURS, RAW))
        # the p99 of one burst depends on one or two events, so the ratio covers all bursts together
        everything = {name: at([value for burst in found[name] for value in burst]) for name in found}
        each = [a / b for a, b in zip(mine, theirs, strict=True)]
        rows.append(
            Row(
                f"fire to handler, idle, p{percent}",
                f"{number(everything[OURS])} µs",
                f"{RAW} publish to callback: {number(everything[RAW])} µs",
                Spread(everything[OURS] / everything[RAW], min(each), max(each)),
                Bound(1.3, True),
            )
        )
    return rows, {
        name: [value * 1e6 for burst in bursts_ for value in burst] for name, bursts_ in found.items()
    }


async def library(around: Surroundings, quick: bool, tick: Tick) -> tuple[list[Row], Facts]:
    """Time the library with the transport stubbed out."""
    count, rounds = (5_000, 3) if quick else (20_000, 7)
    settings = {"order": order(), **(await around.stage.sample()).settings}
    spec = Spec("library", "library", settings)
    fire, handle = [], []
    async with started(spec, path=around.stage.path, log=around.stage.log) as contender:
        for number_ in range(rounds + 1):
            one = await contender.call("fire", count=count)
            other = await contender.call("handle", count=count, name=f"r{number_}")
            if number_:
                fire.append(one["cpu"] / count * 1e6)  # nothing waits, and other processes disturb it less
                handle.append(other["cpu"] / count * 1e6)
            tick()
    both = Spread.of([a + b for a, b in zip(fire, handle, strict=True)])
    parts = f"fire {number(statistics.median(fire))}, handle {number(statistics.median(handle))} µs"
    row = Row(
        "library time an event, both sides", parts, "transport stubbed out", both, Bound(8, True, "µs"), "µs"
    )
    return [row], {"fire": fire, "handle": handle}


async def workers(around: Surroundings, quick: bool, tick: Tick) -> tuple[list[Row], Facts]:
    """Let 1 to 4 processes share one durable."""
    count, rounds = (4_000, 1) if quick else (20_000, 3)
    prefix = around.stage.fresh("workers")
    place = await around.stage.make_stream(prefix)
    await around.stage.fill(place, await around.stage.sample(), count)
    spec = await around.spec(_LISTEN, prefix, fires=False)
    rates: dict[int, list[float]] = {number_: [] for number_ in (1, 2, 3, 4)}
    async with AsyncExitStack() as stack:
        crew = [
            await stack.enter_async_context(started(spec, path=around.stage.path, log=around.stage.log))
            for _ in rates
        ]
        for _ in range(rounds):
            for size, samples in rates.items():
                samples.append(await _shared(around, place, crew[:size], count))
                tick()
    await around.stage.delete_stream(place)
    curve = {size: Spread.of(samples) for size, samples in rates.items()}
    row = Row(
        "4 worker processes on one durable",
        f"{number(curve[4].median)}/s",
        f"1 process: {number(curve[1].median)}/s",
        Spread.of([many / one for many, one in zip(rates[4], rates[1], strict=True)]),
    )
    return [row], {str(size): spread.median for size, spread in curve.items()}


async def _shared(around: Surroundings, place: Place, crew: list[Contender], count: int) -> float:
    """Return the rate of processes that share a fresh durable."""
    name = around.stage.fresh("r")
    made = [await member.call("start", name=name) for member in crew]
    durables = made[0]["durables"]
    await begun(crew[0])
    ended = await around.stage.settled(place, durables)
    told = [await member.call("progress") for member in crew]
    for member in crew:
        await member.call("stop")
    await around.stage.delete_durables(place, durables)
    assert sum(each["handled"] for each in told) >= count, "events were lost"
    began: float = min(each["began"] for each in told if each["began"])
    return count / (ended - began)


async def memory(around: Surroundings, quick: bool, tick: Tick) -> tuple[list[Row], Facts]:
    """Measure a listener before its first event, and while it catches up with a long stream."""
    count = 20_000 if quick else 1_000_000
    prefix = around.stage.fresh("memory")
    place = await around.stage.make_stream(prefix)
    spec = await around.spec(_LISTEN, prefix, fires=False)
    points: list[tuple[float, int, float]] = []
    async with started(spec, path=around.stage.path, log=around.stage.log) as contender:
        await contender.call("start", name="idle")
        await asyncio.sleep(0.5)
        idle = resident(contender.pid)
        await contender.call("stop")
        await around.stage.fill(place, await around.stage.sample(), count)
        tick()
        await contender.call("start", name="long")
        await begun(contender)
        began = time.monotonic()
        handled = 0
        while handled < count and time.monotonic() - began < _CATCH_UP:
            await asyncio.sleep(0.5)
            handled = (await contender.call("progress"))["handled"]
            points.append((time.monotonic() - began, handled, resident(contender.pid)))
        took = points[-1][0]
        await contender.call("stop")
        tick()
    await around.stage.delete_stream(place)
    warm = next(rss for _, done, rss in points if done >= handled // 10)
    grown = max(rss for _, _, rss in points[len(points) // 10 :]) - warm
    rows = [
        Row("memory of an idle listener", f"{idle:.0f} MiB", "", _exact(idle), Bound(60, True, "MiB"), "MiB"),
        Row(
            f"growth over {handled:,} events",
            f"{warm:.0f} MiB after a tenth",
            f"caught up at {number(handled / took)}/s",
            _exact(grown),
            Bound(2, True, "MiB"),
            "MiB",
            "" if handled >= count else f"stopped after {_CATCH_UP:.0f} s of {count:,} events",
        ),
    ]
    return rows, {
        "seconds": [p[0] for p in points],
        "handled": [p[1] for p in points],
        "rss": [p[2] for p in points],
    }


def _exact(value: float) -> Spread:
    return Spread(value, value, value)


async def many(around: Surroundings, quick: bool, tick: Tick) -> tuple[list[Row], Facts]:
    """Run 1 to 200 listeners in one process; each gets every event."""
    count, rounds = (5_000, 1) if quick else (50_000, 3)
    sizes = (1, 50) if quick else (1, 10, 50, 200)
    rates: dict[int, list[float]] = {size: [] for size in sizes}
    starts: dict[int, list[float]] = {size: [] for size in sizes}
    connections: dict[int, int] = {}
    memory_: dict[int, float] = {}
    for _ in range(rounds):
        for size in sizes:
            rate, start, connections[size], memory_[size] = await _many(around, size, count // size)
            rates[size].append(rate)
            starts[size].append(start)
            tick()
    start_up = Spread.of(starts[50])
    rate_ratio = Spread.of([a / b for a, b in zip(rates[50], rates[1], strict=True)])
    rows = [
        Row(
            "50 listeners: connections",
            f"{connections[50]}",
            "",
            _exact(connections[50]),
            Bound(1, True, ""),
            "",
        ),
        Row("50 listeners: start-up", f"{start_up.median:.2f} s", "", start_up, Bound(2, True, "s"), "s"),
        Row(
            "50 listeners: events handled in all",
            f"{number(statistics.median(rates[50]))}/s",
            f"1 listener: {number(statistics.median(rates[1]))}/s",
            rate_ratio,
            Bound(0.9, False),
        ),
    ]
    facts = {
        "rate": {str(size): statistics.median(found) for size, found in rates.items()},
        "start_up": {str(size): statistics.median(found) for size, found in starts.items()},
        "memory": {str(size): found for size, found in memory_.items()},
    }
    return rows, facts


async def _many(around: Surroundings, size: int, each: int) -> tuple[float, float, int, float]:
    """Return events per second over all listeners, seconds to start them, connections, and MiB."""
    prefix = around.stage.fresh("many")
    place = await around.stage.make_stream(prefix)
    await around.stage.fill(place, await around.stage.sample(), each)
    spec = await around.spec(_LISTEN, prefix, fires=False)
    async with started(spec, path=around.stage.path, log=around.stage.log) as contender:
        made = await contender.call("start", name="many", listeners=size)
        found = await contender.call("progress")
        while found["handled"] < each * size:
            await asyncio.sleep(0.02)
            found = await contender.call("progress")
        ended = await around.stage.settled(place, made["durables"])
        held = [c for c in psutil.Process(contender.pid).net_connections("tcp") if c.status == "ESTABLISHED"]
        rss = resident(contender.pid)
        await contender.call("stop")
    await around.stage.delete_stream(place)
    return each * size / (ended - found["began"]), made["seconds"], len(held), rss
