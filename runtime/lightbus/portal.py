"""An event loop in a thread, through which blocking calls reach asynchronous code."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from lightbus.errors import BusClosed

T = TypeVar("T")


class Portal:
    """Runs coroutines on one event loop for callers in other threads.

    Args:
        loop: a loop that runs already, such as the one of `lightbus run`; None starts an own one in a
            daemon thread.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._thread: threading.Thread | None = None
        if loop is None:
            loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._run, args=(loop,), name="lightbus", daemon=True)
            self._thread.start()
        self.loop = loop

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            for task in (left := asyncio.all_tasks(loop)):
                task.cancel()  # or the threads that wait for them would wait for ever
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and wait for its result; never call it from the loop's own thread.

        Raises:
            BusClosed: the loop ended before the result was there.
        """
        try:
            future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        except RuntimeError:  # the loop is closed
            coroutine.close()
            raise BusClosed("this bus was closed; create a new one") from None
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise BusClosed("the bus was closed during the call, whose outcome is not known") from None
        except BaseException:
            future.cancel()  # Ctrl-C in the caller must not leave the work behind
            raise

    def stop(self) -> None:
        """End an own loop and its thread; a loop that was handed in goes on."""
        if self._thread is not None:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
            self._thread = None


def loop_is_running() -> bool:
    """Whether this thread runs an event loop, so that it must not block."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
