"""The service whose processes the fault tests start, pause and kill: `lightbus run --bus
tests.faults.service`.

Its handlers follow the event's order and record that they did. `LEDGER` names the file they append to, `GAPS` the
file for stretches in which the event loop did not turn; `LISTENERS` holds the options of each listener in JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightbus
from lightbus import Backoff, EventMessage
from tests.faults.jobs import JobApi
from tests.hostile import FormulaApi

_POLL = 0.02  # seconds between two checks for the file that a handler waits for

_TURN = 0.05  # seconds between two looks at whether the event loop turns
_GAP = 0.25  # seconds without a turn that are recorded

_scheduled = Path("/proc/thread-self/schedstat")

_ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
_gaps = os.open(os.environ["GAPS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

_tasks: list[asyncio.Task[None]] = []  # the event loop itself holds none

bus = lightbus.create(
    service_name="worker", apis=[JobApi, FormulaApi], grace=float(os.environ.get("GRACE", "30"))
)


def note(kind: str, listener: str, event: EventMessage) -> None:
    """Append a complete line at once, so that lines of several processes never mix."""
    line = {
        "kind": kind,
        "listener": listener,
        "id": event.id,
        "number": event.kwargs["number"],
        "attempt": event.attempt,
        "pid": os.getpid(),
        "at": time.monotonic(),
    }
    os.write(_ledger, json.dumps(line).encode() + b"\n")


async def watch() -> None:
    """Record the stretches in which the event loop does not turn."""
    last, waited = time.monotonic(), without_a_core()
    while True:
        await asyncio.sleep(_TURN)
        now, in_all = time.monotonic(), without_a_core()
        if now - last > _GAP:
            line = {"pid": os.getpid(), "at": now, "lasted": now - last, "waited": in_all - waited}
            os.write(_gaps, json.dumps(line).encode() + b"\n")
        last, waited = now, in_all


def without_a_core() -> float:
    """Return how many seconds the event loop's thread has been ready to run while other processes had the cores.

    Source: the second number of schedstat, in nanoseconds (the Linux kernel's documentation of scheduler statistics).
    """
    return int(_scheduled.read_text().split()[1]) / 1e9 if _scheduled.exists() else 0.0


def obey(event: EventMessage, order: str) -> float:
    """Carry out an order, except the time it takes, which is returned in seconds."""
    word, _, argument = order.partition(":")
    if word == "raise" and event.attempt <= int(argument or 1_000):
        raise ValueError("as ordered")
    if word == "die":
        os._exit(1)
    return float(argument) if word == "slow" else 0.0


async def opened(gate: str) -> None:
    """Wait for a file."""
    while True:
        if exists(gate):
            return
        await asyncio.sleep(_POLL)


def exists(path: str) -> bool:
    """Whether a file exists."""
    return Path(path).exists()


def async_handler(listener: str) -> Callable[..., Any]:
    """Create the handler of a listener."""

    async def handle(event: EventMessage, number: int, order: str = "work", **_further: Any) -> None:
        note("begin", listener, event)
        await asyncio.sleep(obey(event, order))
        word, _, argument = order.partition(":")
        if word in ("hold", "follow"):
            await opened(argument)
        if word == "follow":
            await bus.job.followed.fire_async(number=number)
        note("end", listener, event)

    return handle


def sync_handler(listener: str) -> Callable[..., Any]:
    """Create the handler of a listener that runs in threads; it does not support orders to wait for a file."""

    def handle(event: EventMessage, number: int, order: str) -> None:
        note("begin", listener, event)
        time.sleep(obey(event, order))
        note("end", listener, event)

    return handle


async def before_server_start() -> None:
    _tasks.append(asyncio.create_task(watch()))
    for name, options in json.loads(os.environ["LISTENERS"]).items():
        make = sync_handler if options.pop("sync", False) else async_handler
        if (backoff := options.pop("backoff", None)) is not None:
            options["backoff"] = Backoff(**backoff)
        api, _, event = options.pop("event", "job.wanted").partition(".")
        endpoint: Any = getattr(getattr(bus, api), event)
        endpoint.listen(make(name), listener_name=name, **options)
