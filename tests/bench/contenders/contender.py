"""The protocol of contenders: one JSON object per line, calls on stdin, answers on stdout.

`python -m tests.bench.contenders.NAME ROLE` creates the role with the settings of the first line, and serves
calls of its methods until stdin ends. It also runs on Python 3.9, for a peer that needs it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional  # noqa: UP035 - Python 3.9

Answer = Dict[str, Any]  # noqa: UP006


class Role:
    """The work of a process in a benchmark; every public method can be called remotely."""

    blocking = False
    """Whether the methods are plain functions, served without an event loop."""

    async def open(self) -> None:
        """Prepare, as a user's process would before its first event."""

    async def close(self) -> None:
        """Disconnect."""


class Stopwatch:
    """Wall and CPU seconds of this process."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.monotonic(), time.process_time()

    def stop(self) -> Answer:
        """Return the time since the watch was created."""
        return {"seconds": time.monotonic() - self.wall, "cpu": time.process_time() - self.cpu}


class Tally:
    """Counts handled events. `began` and the CPU time start with the first event."""

    def __init__(self, keep_times: bool = False) -> None:
        self.handled = 0
        self.watch: Optional[Stopwatch] = None  # noqa: UP045 - Python 3.9
        self.times: Optional[List[float]] = [] if keep_times else None  # noqa: UP006, UP045

    def one(self) -> None:
        """Count an event."""
        if self.watch is None:
            self.watch = Stopwatch()
        self.handled += 1
        if self.times is not None:
            self.times.append(time.monotonic())

    def answer(self) -> Answer:
        """Return the count, when it began, and the CPU seconds since then."""
        began, cpu = (None, 0.0) if self.watch is None else (self.watch.wall, self.watch.stop()["cpu"])
        return {"handled": self.handled, "began": began, "cpu": cpu}


async def spread(fire: Callable[[], Awaitable[Any]], count: int, width: int) -> None:
    """Fire `count` events, `width` at a time; every contender uses this function."""
    numbers = iter(range(count))

    async def lane() -> None:
        for _ in numbers:
            await fire()

    await asyncio.gather(*(lane() for _ in range(width)))


async def paced(fire: Callable[[], Awaitable[Any]], count: int, gap: float) -> Answer:
    """Fire one event every `gap` seconds, so that none waits; return when each was fired."""
    fired = []
    for _ in range(count):
        await asyncio.sleep(gap)
        fired.append(time.monotonic())
        await fire()
    return {"fired": fired}


def serve(roles: Dict[str, Callable[..., Role]]) -> None:  # noqa: UP006
    """Create the role that the command line names, and answer calls until stdin ends."""
    with _answers() as say:
        settings = json.loads(sys.stdin.readline())
        if settings.pop("uvloop", False):
            import uvloop  # pyright: ignore[reportMissingImports] - only where it is measured

            uvloop.install()
        else:
            sys.modules["uvloop"] = None  # type: ignore[assignment]  # as if it were not installed
        role = roles[sys.argv[1]](**settings)
        if role.blocking:
            _serve_blocking(role, say)
        else:
            asyncio.run(_serve(role, say))


@contextmanager
def _answers() -> Iterator[Callable[[Answer], None]]:
    """Reserve stdout for answers; what libraries print goes to stderr."""
    with os.fdopen(os.dup(1), "w") as channel:
        os.dup2(2, 1)

        def say(answer: Answer) -> None:
            channel.write(json.dumps(answer) + "\n")
            channel.flush()

        try:
            yield say
        except Exception as error:
            say({"error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()})
            sys.exit(1)


async def _serve(role: Role, say: Callable[[Answer], None]) -> None:
    await role.open()
    say({"answer": {"pid": os.getpid()}})
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        call = json.loads(line)
        say({"answer": await getattr(role, call["call"])(**call["with"])})
    await role.close()


def _serve_blocking(role: Role, say: Callable[[Answer], None]) -> None:
    say({"answer": {"pid": os.getpid()}})
    for line in sys.stdin:
        call = json.loads(line)
        say({"answer": getattr(role, call["call"])(**call["with"])})
