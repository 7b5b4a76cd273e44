"""Threads for blocking code that never keep the process from ending.

`concurrent.futures.ThreadPoolExecutor` joins its threads at exit, so one handler that never returns would
make the process immortal; and it refuses work once the exit has begun, which would fail the last events.
"""

from __future__ import annotations

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
        self._name = name
        self._count = 0
        for _ in range(count):
            self._start_one()

    def _start_one(self) -> None:
        threading.Thread(target=self._run, name=f"{self._name}/{self._count}", daemon=True).start()
        self._count += 1

    def replace_one(self) -> None:
        """Start another thread in the place of one that is stuck; should that one come back, both go on."""
        self._start_one()

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Have a function called by the next free thread."""
        future: Future[R] = Future()
        self._work.put((future, lambda: fn(*args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let each thread end after its present call; nothing is waited for or cancelled."""
        for _ in range(self._count):
            self._work.put(None)

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            future, call = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except StopIteration as error:  # a future cannot hold one, so it would never end
                wrapped = RuntimeError(
                    "StopIteration out of a blocking function, as of next() without default"
                )
                wrapped.__cause__ = error
                future.set_exception(wrapped)
            except BaseException as error:
                future.set_exception(error)
            del item, future, call  # an idle thread keeps nothing alive
