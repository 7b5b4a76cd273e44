"""An event loop in a thread, through which blocking calls reach asynchronous code."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import sys
import threading
from collections import deque
from collections.abc import Coroutine
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

import msgspec

from lightbus.errors import BusClosed, UsageError

T = TypeVar("T")

_CALL = "lightbus/call"  # name of the tasks that a thread waits for
_PATIENCE = 5.0  # seconds for calls to end once their session is closed; a bound, as they end at once
_CLOSED = "this bus was closed; create a new one"


def new_loop() -> asyncio.AbstractEventLoop:
    """Return a new event loop, uvloop's where it is installed; the caller closes it."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def loop_is_running() -> bool:
    """Whether this thread runs an event loop, so that it must not block."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def require_threads() -> None:
    """Refuse a process in which gevent runs threads as greenlets, all in one thread of the operating system.

    An event loop in one of them would seem to run in all, so that each blocking call would hang or be refused.
    """
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_module_patched("threading"):
        raise UsageError(
            "gevent has replaced the threads of this process by greenlets (monkey.patch_all()), so the bus cannot have a"
            " thread for its event loop. Use workers with real threads, such as gunicorn's gthread, or asyncio."
        )


class _Call(msgspec.Struct, Generic[T], eq=False):
    """A coroutine whose outcome a thread waits for.

    A `SimpleQueue` is about the lightest thing a thread can wait on; a `concurrent.futures.Future` took half of a
    blocking fire.

    Attributes:
        coroutine: what to run.
        context: the context variables of the thread, for code of the user's that the coroutine calls.
        ended: receives the finished task, or None if the loop ended before the task began.
        task: the task that runs it.
    """

    coroutine: Coroutine[Any, Any, T]
    context: contextvars.Context
    ended: SimpleQueue[asyncio.Task[T] | None]
    task: asyncio.Task[T] | None = None


class Portal:
    """Runs coroutines on one event loop for callers in other threads.

    Concurrent calls start together, so that the loop wakes up once.

    Args:
        loop: a running loop, such as the one of `lightbus run`; None starts one in a daemon thread.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._thread: threading.Thread | None = None
        if loop is None:
            require_threads()
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
            while tasks := asyncio.all_tasks(
                loop
            ):  # the threads that wait for them would otherwise wait forever
                for task in tasks:
                    task.cancel()
                loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and wait for its result; never call it from the loop's own thread.

        Raises:
            BusClosed: the loop ended before the call began, or `stop()` lost patience with it.
        """
        call = _Call(coroutine, contextvars.copy_context(), SimpleQueue())
        self._calls.append(call)
        try:
            if not self._is_due or self.loop.is_closed():
                self._is_due = True
                self.loop.call_soon_threadsafe(self._begin)
        except RuntimeError:  # the loop is closed
            self._abandon()
            raise BusClosed(_CLOSED) from None
        task = None
        try:
            task = call.ended.get()
            if task is None:
                raise BusClosed(_CLOSED)
            if task.cancelled():
                raise BusClosed("the bus was closed during the call, whose outcome is not known")
            return task.result()
        except BaseException:
            if task is None:
                self._cancel(call)  # Ctrl-C in the caller must not leave the work behind
            raise
        finally:
            del call, task  # they hold the error, whose traceback holds this frame

    def _begin(self) -> None:
        self._is_due = False  # reset first, so that no call is missed
        while self._calls:
            call = self._calls.popleft()
            call.task = self.loop.create_task(call.coroutine, name=_CALL, context=call.context)
            call.task.add_done_callback(call.ended.put)

    def _cancel(self, call: _Call[Any]) -> None:
        def cancel() -> None:
            if call.task is not None:
                call.task.cancel()

        with contextlib.suppress(RuntimeError):  # the loop is closed, and so is the call
            self.loop.call_soon_threadsafe(cancel)

    def _abandon(self) -> None:
        """End the calls that have not begun."""
        while self._calls:
            call = self._calls.popleft()
            call.coroutine.close()
            call.ended.put(None)

    def leave(self) -> None:
        """End the portal's own loop and thread, without waiting; a loop that was passed in keeps running."""
        if self._thread is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self.loop.call_soon_threadsafe(self.loop.stop)

    def stop(self) -> None:
        """Let the calls end, then the portal's own loop and thread; a loop that was passed in keeps running.

        The sessions are closed, so the calls end by themselves, and say what is known of their events.
        """
        ending = _ended_calls()
        try:
            asyncio.run_coroutine_threadsafe(ending, self.loop).result(2 * _PATIENCE)
        except (RuntimeError, TimeoutError):  # the loop is closed, or no longer runs
            ending.close()
        if self._thread is not None:
            self.leave()
            self._thread.join()
            self._thread = None
            self._is_due = False
            self._abandon()


async def _ended_calls() -> None:
    """Wait until the calls on the running loop have ended, for a limited time."""
    calls = [task for task in asyncio.all_tasks() if task.get_name() == _CALL]
    if calls:
        await asyncio.wait(calls, timeout=_PATIENCE)
