"""SIGTERM, SIGINT and SIGHUP: the first signal stops in good order, the same one again stops at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine
from typing import Any

from lightbus.logs import log

_ENDING = [number for number in signal.Signals if number.name in ("SIGTERM", "SIGINT", "SIGHUP")]
"""SIGHUP does not exist on Windows."""


def first_signal() -> asyncio.Future[signal.Signals]:
    """Return a future for the first SIGTERM, SIGINT or SIGHUP, which a terminal sends when it closes.

    The same signal again ends the process at once. Another one does not: Ctrl-C reaches every process of
    a terminal, and `lightbus dev` then also sends the service a SIGTERM.
    """
    loop = asyncio.get_running_loop()
    first: asyncio.Future[signal.Signals] = loop.create_future()
    seen: set[signal.Signals] = set()

    def received(number: signal.Signals) -> None:
        if number in seen:
            log.warning("%s again: stopping at once, unfinished events will be delivered again", number.name)
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        seen.add(number)
        if not first.done():
            first.set_result(number)

    def on_loop(number: int) -> None:
        loop.call_soon_threadsafe(received, signal.Signals(number))

    for number in _ENDING:
        if number.name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN:
            continue  # started by nohup
        try:
            loop.add_signal_handler(number, received, number)
        except NotImplementedError:  # on Windows
            signal.signal(number, lambda number, _: on_loop(number))
    return first


async def unless(signalled: asyncio.Future[signal.Signals], work: Coroutine[Any, Any, None]) -> bool:
    """Run a coroutine, but cancel it when a signal comes. Returns whether it ran to its end."""
    task = asyncio.create_task(work)
    either: set[asyncio.Future[Any]] = {task, signalled}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
        return True
    while not task.done():  # nats-py, and wait_for() of Python 3.11, may swallow a cancellation
        task.cancel()
        await asyncio.wait({task}, timeout=5.0)
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("while stopping: %s", error)
    return False


def run_until_signal(work: Coroutine[Any, Any, None]) -> bool:
    """Run a coroutine in an event loop of its own, as `unless` does."""

    async def run() -> bool:
        return await unless(first_signal(), work)

    return asyncio.run(run())
