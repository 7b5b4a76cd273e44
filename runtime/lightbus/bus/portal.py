"""An event loop in a thread, through which blocking calls reach asynchronous code."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

from lightbus.bus.loops import new_loop
from lightbus.errors import BusClosed

T = TypeVar("T")


class _Call(Generic[T]):
    """A coroutine that a thread waits for.

    A lock is the lightest thing a thread can wait on; a `concurrent.futures.Future` took half of a blocking fire.
    """

    __slots__ = ("_coroutine", "_ended", "_task")

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._task: asyncio.Task[T] | None = None
        self._ended = threading.Lock()
        self._ended.acquire()

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run it, on its loop."""
        self._task = loop.create_task(self._coroutine)
        self._task.add_done_callback(lambda _: self._ended.release())

    def cancel(self) -> None:
        """End it early, on its loop."""
        if self._task is not None:
            self._task.cancel()

    def abandon(self) -> None:
        """End it before it began, as its loop has ended."""
        if self._task is None:
            self._coroutine.close()
            self._ended.release()

    def result(self) -> T:
        """Wait for the outcome, in any other thread."""
        self._ended.acquire()
        if self._task is None or self._task.cancelled():
            raise BusClosed("the bus was closed during the call, whose outcome is not known")
        return self._task.result()


class Portal:
    """Runs coroutines on one event loop for callers in other threads.

    Calls that come together are begun together, for one wake-up of the loop.

    Args:
        loop: a loop that runs already, such as the one of `lightbus run`; None starts an own one in a
            daemon thread.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._thread: threading.Thread | None = None
        if loop is None:
            loop = new_loop()
            self._thread = threading.Thread(target=self._run, args=(loop,), name="lightbus", daemon=True)
            self._thread.start()
        self.loop = loop
        self._calls: deque[_Call[Any]] = deque()
        self._is_due = False

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            while left := asyncio.all_tasks(loop):  # or the threads that wait for them would wait for ever
                for task in left:
                    task.cancel()
                loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and wait for its result; never call it from the loop's own thread.

        Raises:
            BusClosed: the loop ended before the result was there.
        """
        call = _Call(coroutine)
        self._calls.append(call)
        try:
            if not self._is_due or self.loop.is_closed():
                self._is_due = True
                self.loop.call_soon_threadsafe(self._begin)
        except RuntimeError:  # the loop is closed
            self._abandon()
            raise BusClosed("this bus was closed; create a new one") from None
        try:
            return call.result()
        except BusClosed:
            raise
        except BaseException:
            self._end(call)  # Ctrl-C in the caller must not leave the work behind
            raise

    def _begin(self) -> None:
        self._is_due = False  # before the calls are taken, so that none is overlooked
        while self._calls:
            self._calls.popleft().begin(self.loop)

    def _end(self, call: _Call[Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, and the call with it
            self.loop.call_soon_threadsafe(call.cancel)

    def _abandon(self) -> None:
        while self._calls:
            self._calls.popleft().abandon()

    def stop(self) -> None:
        """End an own loop and its thread; a loop that was handed in goes on."""
        if self._thread is not None:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
            self._thread = None
            self._is_due = False
            self._abandon()


def loop_is_running() -> bool:
    """Whether this thread runs an event loop, so that it must not block."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
