"""SIGTERM and SIGINT: the first asks for an orderly end, the same one again insists."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger("lightbus")


def first_signal() -> asyncio.Future[signal.Signals]:
    """Return a future for the first SIGTERM or SIGINT.

    The same signal again ends the process at once. The other one does not: Ctrl-C reaches every process of
    a terminal, and `lightbus dev` then passes a SIGTERM on to the service as well.
    """
    loop = asyncio.get_running_loop()
    first: asyncio.Future[signal.Signals] = loop.create_future()
    seen: set[signal.Signals] = set()

    def received(number: signal.Signals) -> None:
        if number in seen:
            log.warning("%s again: stopping at once, events in hand are delivered again", number.name)
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        seen.add(number)
        if not first.done():
            first.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, received, number)
    return first


async def unless(signalled: asyncio.Future[signal.Signals], work: Coroutine[Any, Any, None]) -> bool:
    """Do something, but give it up when a signal comes; returns whether it came to its end."""
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
