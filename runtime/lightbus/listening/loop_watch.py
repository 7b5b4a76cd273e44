"""Names the event that kept the event loop, so that no other listener on it could run."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from time import monotonic, sleep, thread_time
from typing import Any

from lightbus.errors import UnreadableEvent
from lightbus.event import envelope
from lightbus.foreign import escaped
from lightbus.listening.handler import Handler
from lightbus.listening.threads import Errand
from lightbus.logs import log
from lightbus.message import EventMessage
from lightbus.transport import Delivery

_LONG = 1.0  # seconds for which an event may keep the event loop before that is logged
_PULSE = 0.1  # seconds between two measurements of the loop's delay while an event is read in a thread


class LoopWatch:
    """Logs an event that keeps the event loop for long, so that no other listener on it can run.

    Times a slot from one suspension to the next, which costs an event nothing. A slot suspends after each turn, so the
    last event is the cause of a long time.

    Attributes:
        delivery: the slot's last event, None while it is idle.
        is_idle: whether the slot begins to wait for an event.
    """

    def __init__(self, durable: str, handler: Handler) -> None:
        self._durable, self._handler = durable, handler
        self.delivery: Delivery | None = None
        self.is_idle = False

    @types.coroutine
    def run(self, work: Coroutine[Any, Any, None]) -> Generator[Any, Any, None]:
        """Run a slot's work, step by step."""
        step: Callable[[Any], Any] = work.send
        argument: Any = None
        while True:
            began = monotonic()
            try:
                awaited = step(argument)
            except StopIteration:
                return
            finally:
                argument = None  # an exception that was passed on must not be kept by its own traceback
                if (seconds := monotonic() - began) > _LONG and self.delivery is not None:
                    self._report(self.delivery, seconds)
                if self.is_idle:
                    self.delivery, self.is_idle = None, False
            try:
                argument = yield awaited
                step = work.send
            except GeneratorExit:
                work.close()
                raise
            except BaseException as error:
                step, argument = work.throw, error

    def _report(self, delivery: Delivery, seconds: float) -> None:
        cause, handler = "it took long to read", self._handler
        if handler.is_async:
            cause += (
                f", or {handler.name} ({handler.place}) did not await; a sync function would run in a thread"
            )
        _report(self._durable, delivery, seconds, cause)


async def read_in_thread(
    read: Callable[[], EventMessage], durable: str, delivery: Delivery, handler: Handler
) -> EventMessage:
    """Read an event in a thread, and log it if that held up the event loop for long all the same.

    The thread and the loop share an interpreter, which native code may keep. A delay in which the loop's own tasks took more
    processor time than the thread is theirs.
    """
    thread = _ThreadTimes()
    errand = Errand(lambda: thread.of(read))
    pulse = _Pulse()
    try:
        await asyncio.to_thread(errand.run)
        return errand.take()
    finally:
        if (seconds := pulse.longest_delay(thread)) > _LONG:
            cause = (
                f"reading it for {handler.name} ({handler.place}) kept the interpreter, though in a thread of its own; its"
                " schema is expensive for so large a value"
            )
            _report(durable, delivery, seconds, cause)


class _ThreadTimes:
    """When a function ran in a thread, and its processor time; in seconds."""

    def __init__(self) -> None:
        self.began = self.ended = self.processor = 0.0

    def of(self, read: Callable[[], EventMessage]) -> EventMessage:
        # the loop still waits for the thread to start, which would count as the time of its own step
        sleep(0.001)
        self.began, processor = monotonic(), thread_time()
        try:
            return read()
        finally:
            self.ended, self.processor = monotonic(), thread_time() - processor


class _Pulse:
    """Notes how late the event loop is, ten times a second."""

    def __init__(self) -> None:
        self._delays: list[tuple[float, float, float]] = []  # due, at, processor time of the loop's thread
        self._set_timer()

    def _set_timer(self) -> None:
        self._due, self._processor = monotonic() + _PULSE, thread_time()
        self._timer = asyncio.get_running_loop().call_later(_PULSE, self._beat)

    def _beat(self) -> None:
        self._note()
        self._set_timer()

    def _note(self) -> None:
        if (now := monotonic()) - self._due > _LONG:
            self._delays.append((self._due, now, thread_time() - self._processor))

    def longest_delay(self, thread: _ThreadTimes) -> float:
        """Return the seconds of the longest delay by a thread, which has ended; 0 if there is none. Ends the pulse."""
        self._timer.cancel()
        self._note()
        delays = (
            min(at, thread.ended) - max(due, thread.began)
            for due, at, processor in self._delays
            if processor < thread.processor
        )
        return max(delays, default=0.0)


def _report(durable: str, delivery: Delivery, seconds: float, cause: str) -> None:
    try:
        event = escaped(envelope.decode(delivery.body, delivery.headers).id)[:200]
    except UnreadableEvent:
        event = f"at sequence {delivery.sequence}"
    log.warning("%s: event %s held up all listeners for %.1f s: %s", durable, event, seconds, cause)
