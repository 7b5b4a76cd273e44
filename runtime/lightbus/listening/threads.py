"""Threads for blocking code that never keep the process alive.

`concurrent.futures.ThreadPoolExecutor` joins its threads at exit, so a handler that never returns would keep the
process alive; and it refuses work once the exit has begun, which would fail the last events.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class DaemonThreads(Executor):
    """An executor of daemon threads, all started at once.

    Args:
        count: how many threads.
        name: first part of their names.
    """

    def __init__(self, count: int, name: str) -> None:
        self._work: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._count, self._name = count, name
        self._numbers = itertools.count()
        self._abandoned: set[Future[Any]] = set()
        self._lock = threading.Lock()  # guards `_abandoned`
        for _ in range(count):
            self._start_thread()

    def _start_thread(self) -> None:
        threading.Thread(target=self._run, name=f"{self._name}/{next(self._numbers)}", daemon=True).start()

    def abandon(self, call: Future[Any]) -> None:
        """Stop waiting for a call. Its thread cannot be stopped, so another one replaces it; it ends with the call."""
        with self._lock:
            if call.cancel() or call.done():
                return  # no thread is running it
            self._abandoned.add(call)
        self._start_thread()

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Call a function in the next free thread."""
        future: Future[R] = Future()
        self._work.put((future, lambda: fn(*args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let each thread end after its current call, without waiting or cancelling."""
        for _ in range(self._count):
            self._work.put(None)

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            future, call = item
            if not future.set_running_or_notify_cancel():
                del item, future, call
                continue
            try:
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)
            with self._lock:
                is_replaced = future in self._abandoned
                self._abandoned.discard(future)
            del item, future, call  # an idle thread keeps nothing alive
            if is_replaced:
                return


class Errand(Generic[R]):
    """A call in a thread whose result or error is taken once.

    `asyncio.wrap_future()` leaves its futures in a reference cycle, so what they hold stays in memory until the
    collector runs: they hold nothing. Nor can a future hold each exception.
    """

    def __init__(self, function: Callable[[], R]) -> None:
        self._function = function
        self._result: R | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Call the function; in the thread."""
        try:
            self._result = self._function()
        except BaseException as error:
            self._error = error

    def take(self) -> R:
        """Return what the function returned, or raise what it raised."""
        error, self._error = self._error, None
        if isinstance(error, StopIteration):  # a coroutine cannot raise it
            raise RuntimeError(
                "StopIteration out of a blocking function, as from next() without a default"
            ) from error
        try:
            if error is not None:
                raise error
            return self._result  # type: ignore[return-value]
        finally:
            error = self._result = None
