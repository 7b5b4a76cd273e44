"""Calls the handler with a delivery, and returns the outcome."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import types
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any, TypeVar

from msgspec import UnsetType

from lightbus.errors import HandlerTimeout, InvalidEvent, UnreadableEvent
from lightbus.event import envelope
from lightbus.listening.decide import (
    HANDLED,
    Crashed,
    Defective,
    Failed,
    Invalid,
    OnError,
    Outcome,
    Policy,
    exhausted,
)
from lightbus.listening.handler import Handler, hidden_signature
from lightbus.listening.hold import Hold
from lightbus.listening.loop_watch import read_in_thread
from lightbus.listening.threads import DaemonThreads, Errand
from lightbus.message import EventMessage
from lightbus.schema import EventContract
from lightbus.transport import Delivery

T = TypeVar("T")

_LARGE = 16 * 1024
"""Bytes of a body that is read in a thread, so that other listeners continue: an event that does not fit its schema as it
is, such as one of a newer producer, takes up to 25 µs a byte."""


class Caller:
    """Calls a listener's handler, on the event loop or in threads.

    Args:
        durable: the listener's name in the log.
        policy: how many attempts an event has, and how long a call may take.
        hold: ends a call that takes too long, and recognises its own cancellations.
    """

    def __init__(
        self, durable: str, contract: EventContract, handler: Handler, policy: Policy, hold: Hold
    ) -> None:
        self._durable = durable
        self._contract, self._handler, self._policy, self._hold = contract, handler, policy, hold
        self._threads: DaemonThreads | None = None

    def start(self, concurrency: int, name: str) -> None:
        """Start the threads that a sync handler runs in, one for each unit of concurrency."""
        if not self._handler.is_async:
            self._threads = DaemonThreads(concurrency, name)

    def stop(self) -> None:
        """Let the threads end after their current call."""
        if self._threads is not None:
            self._threads.shutdown()

    async def call(
        self, delivery: Delivery, slot: asyncio.Task[None], now: float
    ) -> tuple[Outcome, EventMessage | None]:
        """Decode an event and call the handler with it.

        Whatever the handler does, the slot continues: every exception is an outcome, even `KeyboardInterrupt`, and a
        handler that cancels the slot's task has failed. Only the end of the worker ends a slot. An unexpected error
        while the event is read is an outcome, too.

        Args:
            slot: the current task.
            now: the time of the event loop.

        Returns:
            The outcome, and the event if it could be read and had attempts left.
        """
        if delivery.attempt > 1 and exhausted(delivery.attempt, self._policy):
            return Crashed(), None
        try:
            if len(delivery.body) <= _LARGE:
                message = read(delivery, self._contract)
            else:
                message = await read_in_thread(
                    lambda: read(delivery, self._contract), self._durable, delivery, self._handler
                )
                now = asyncio.get_running_loop().time()  # the handler's time begins here
        except (UnreadableEvent, InvalidEvent) as error:
            return Invalid(error), None
        except (
            BaseException
        ) as error:  # a panic of native code is no Exception, nor is all that user code raises
            if isinstance(error, asyncio.CancelledError) and slot.cancelling():
                raise
            if isinstance(error, GeneratorExit) and not _is_running(slot):
                raise
            return Defective(error), None
        outcome: Outcome = HANDLED
        self._hold.begin(slot, now)
        try:
            if self._threads is None:
                await self._handler(message)
            else:
                await self._call_in_thread(message, self._threads)
        except asyncio.CancelledError as error:
            if self._hold.take_overdue(slot):
                outcome = Failed(HandlerTimeout(self._policy.timeout))
            elif slot.cancelling() and self._hold.is_over:
                raise
            else:
                outcome = Failed(error)
        except BaseException as error:
            if isinstance(error, GeneratorExit) and not _is_running(slot):
                raise
            outcome = self._failed(error)
        finally:
            self._hold.end(slot)
        if slot.cancelling():
            await self._hold.resume(slot)
        try:
            return outcome, message
        finally:
            outcome = HANDLED  # an error's traceback holds this frame, which must not hold the error

    def _failed(self, error: BaseException) -> Failed | Invalid:
        invalid = hidden_signature(self._handler, self._contract, error)
        if invalid is None:
            return Failed(error)
        return Invalid(invalid) if self._policy.on_error is OnError.DEAD_LETTER else Failed(invalid)

    async def _call_in_thread(self, message: EventMessage, threads: DaemonThreads) -> None:
        context = contextvars.copy_context()
        errand = Errand(lambda: context.run(self._handler, message))
        call = threads.submit(errand.run)
        try:
            await asyncio.wrap_future(call)
        except asyncio.CancelledError:
            threads.abandon(call)
            raise
        result = errand.take()
        if inspect.isawaitable(result):  # a sync function that returned a coroutine, as a lambda may
            await in_context(context, _result_of(result))


def _is_running(slot: asyncio.Task[None]) -> bool:
    """Whether a slot is the current task; it is not while its coroutine is being discarded."""
    try:
        return asyncio.current_task() is slot
    except RuntimeError:  # no event loop runs any more
        return False


async def _result_of(awaitable: Awaitable[T]) -> T:
    return await awaitable


@types.coroutine
def in_context(context: contextvars.Context, work: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Run a coroutine in a context, as a task of its own would, but without the task."""
    step, argument = work.send, None
    while True:
        try:
            awaited = context.run(step, argument)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        finally:
            argument = None  # an exception that was passed on must not be kept by its own traceback
        try:
            argument = yield awaited
            step = work.send
        except GeneratorExit:
            context.run(work.close)
            raise
        except BaseException as error:
            step, argument = work.throw, error


def read(delivery: Delivery, contract: EventContract) -> EventMessage:
    """Decode a delivery into the event that the handler receives.

    Raises:
        UnreadableEvent: it is not a CloudEvent of this type, or its headers are incomplete.
        InvalidEvent: its payload does not match the schema.
    """
    if delivery.is_cut:
        raise UnreadableEvent("its header block is cut off")
    event = envelope.decode(delivery.body, delivery.headers)
    if event.type != contract.full_name:
        raise UnreadableEvent(f"its CloudEvents type is {event.type!r}, expected {contract.full_name!r}")
    return EventMessage(
        id=event.id,
        api_name=contract.api,
        event_name=contract.event,
        kwargs=contract.decode(event.data),
        time=delivery.time if isinstance(event.time, UnsetType) else event.time,
        source=event.source,
        attempt=delivery.attempt,
        trace=event.trace,
    )
