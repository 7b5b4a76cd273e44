"""How cost grows with the size of an event, and with the number of events in an API."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from tests.bench.measure import rate, take_turns
from tests.bench.processes import started
from tests.bench.runs import Entry, Surroundings, available, firing, listening
from tests.bench.scenarios import OURS, RAW
from tests.bench.stage import generate

SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
EVENTS = (1, 10, 100, 1_000)
_IN_FLIGHT = 8_000_000  # bytes
_BYTES = 150_000_000  # per round, at most

Tick = Callable[[], None]


async def payload(around: Surroundings, quick: bool, tick: Tick) -> dict[str, Any]:
    """Fire and handle events of 100 bytes to 1 MB; Lightbus and nats-py take turns."""
    found: dict[str, dict[str, float]] = {}
    for size in SIZES[::2] if quick else SIZES:
        width = max(1, min(256, _IN_FLIGHT // size))
        count = max(20, min(500 if quick else 3_000, _BYTES // size))
        sized = replace(around, size=size)
        fire, fetch = {"width": width}, {"batch": min(100, width)}
        groups = (
            (firing, "fire", (_entry("fire", fire), _raw("fire", fire, "fire_async"))),
            (listening, "listen", (_entry("listen", {}), _raw("fetch", fetch))),
        )
        for session, way, entries in groups:
            async with AsyncExitStack() as stack:
                rounds, _ = await available(session, sized, entries, count, stack)
                samples = await take_turns(rounds, 1 if quick else 3, lambda: None)
            for name, taken in samples.items():
                found.setdefault(f"{name}, {way}", {})[str(size)] = rate(taken).median
        tick()
    return found


def _entry(role: str, arguments: dict[str, Any]) -> Entry:
    return Entry(OURS, "ours", "ours", role, arguments=arguments)


def _raw(role: str, arguments: dict[str, Any], method: str = "fire") -> Entry:
    return Entry(RAW, "raw", "raw", role, method, arguments)


async def events(around: Surroundings, quick: bool, tick: Tick) -> dict[str, Any]:
    """Fire in turn the 1 to 1,000 events of an API."""
    found: dict[str, dict[str, float]] = {"start_up": {}, "first": {}, "rate": {}}
    for size in EVENTS[::3] if quick else EVENTS:
        path = generate(around.stage.folder / f"client{size}", size)
        prefix = around.stage.fresh("events")
        place = await around.stage.make_stream(prefix)
        spec = await around.spec(_entry("fire", {}), prefix, fires=True)
        spec = replace(spec, settings={**spec.settings, "events": size})
        async with started(spec, path=path, log=around.stage.log) as contender:
            told = await contender.call("started")
            found["start_up"][str(size)] = told["start_up"]
            found["first"][str(size)] = told["others"] / max(1, size - 1)
            count = 1_024 if quick else 4_096
            await contender.call("fire", count=count, width=256)
            found["rate"][str(size)] = (
                count / (await contender.call("fire", count=count, width=256))["seconds"]
            )
        await around.stage.delete_stream(place)
        tick()
    return found
