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
from typing import Any, ParamSpec, TypeVar

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
                continue
            try:
                future.set_result(call())
            except StopIteration as error:  # a future cannot hold it and would never complete
                wrapped = RuntimeError(
                    "StopIteration out of a blocking function, as from next() without a default"
                )
                wrapped.__cause__ = error
                future.set_exception(wrapped)
            except BaseException as error:
                future.set_exception(error)
            with self._lock:
                if future in self._abandoned:
                    self._abandoned.discard(future)
                    return  # another thread has replaced this one
            del item, future, call  # an idle thread keeps nothing alive
