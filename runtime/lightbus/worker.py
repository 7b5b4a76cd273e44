"""One listener at work: take an event, decode it, call the handler, settle. The only place that settles."""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import Callable
from dataclasses import dataclass

from lightbus.caller import Caller
from lightbus.deadletter import Failure, failure_of
from lightbus.envelope import EventMessage
from lightbus.errors import (
    LightbusError,
    ListenerFailed,
    PermissionDenied,
    TransportError,
)
from lightbus.handlers import Handler
from lightbus.hold import Hold
from lightbus.logs import log
from lightbus.permits import Permits
from lightbus.prefetch import Prefetch
from lightbus.schema import EventContract
from lightbus.settle import (
    ACK,
    HANDLED,
    Ack,
    DeadLetter,
    Decision,
    Failed,
    Outcome,
    Policy,
    Retry,
    Shutdown,
    Unreadable,
    settle,
    text_of,
)
from lightbus.transport import Consumer, Delivery, Subscription, Transport

_handling: contextvars.ContextVar[asyncio.Task[None] | None] = contextvars.ContextVar(
    "handling", default=None
)

_TURN = 0.005  # seconds slots go on with events that are here already, before others get their turn
_RETRY_AFTER_TROUBLE = 5.0  # seconds before an event is tried again whose dead letter was not confirmed
_REJOIN = 30.0  # seconds before replays are joined again, when that did not work


@dataclass(frozen=True, slots=True)
class Listening:
    """What a worker needs to know.

    Attributes:
        contract: contract of the event listened to.
        consumer: the durable to join.
        handler: the user's function.
        policy: the answer to failures.
        concurrency: how many events are handled at a time.
    """

    contract: EventContract
    consumer: Consumer
    handler: Handler
    policy: Policy
    concurrency: int


class Worker:
    """Runs one listener on the current event loop until it is stopped or fails.

    Each unit of concurrency is a slot, a task that takes one event after another. One slot more takes the
    replays of dead letters; it shares the handler with the others, so that no more events are handled at
    a time than was asked for. What goes wrong with replays never stops the listener.

    Args:
        listening: the listener.
        transport: a connected transport.
        on_failure: called once, on this loop, when the listener cannot go on.
    """

    def __init__(
        self,
        listening: Listening,
        transport: Transport,
        on_failure: Callable[[Listening, ListenerFailed], None],
    ) -> None:
        self.listening = listening
        self._transport = transport
        self._on_failure = on_failure
        self._subscription: Subscription | None = None
        self._replays: Subscription | None = None
        self._slots: list[asyncio.Task[None]] = []
        self._slots_left = listening.concurrency + 1
        self._permits = Permits(listening.concurrency)
        self._replayer: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._hold = Hold(listening.consumer.durable, listening.policy.timeout)
        self._unburied: dict[tuple[int, int], Outcome] = {}  # of events whose dead letter failed
        self._caller = Caller(listening.contract, listening.handler, listening.policy, self._hold)
        self._turn_ends = 0.0  # loop time
        self._stopping = self._failed = False

    @property
    def durable(self) -> str:
        """Name of the durable this worker serves."""
        return self.listening.consumer.durable

    def in_handler(self) -> bool:
        """Whether the caller is a handler of this worker: its task, or the thread that runs it."""
        slot = _handling.get()
        if slot is None or slot not in (*self._slots, self._replayer):
            return False
        try:
            return asyncio.current_task() is slot
        except RuntimeError:  # no event loop in this thread
            return True

    async def start(self) -> None:
        """Join the durable and begin to take events.

        Raises:
            ProvisionError, TransportError: the durable cannot be joined.
        """
        listening = self.listening
        self._subscription = await self._transport.subscribe(listening.consumer)
        self._prefetch = Prefetch(listening.concurrency, self._subscription.ack_wait)
        self._caller.start(listening.concurrency, self.durable)
        self._slots = [
            asyncio.create_task(self._slot(self._subscription), name=f"{self.durable}/{number}")
            for number in range(listening.concurrency)
        ]
        self._replayer = asyncio.create_task(self._take_replays(), name=f"{self.durable}/replays")
        for slot in (*self._slots, self._replayer):
            slot.add_done_callback(self._slot_ended)
        self._keeper = asyncio.create_task(
            self._hold.keep(
                self._subscription,
                lambda: self._replays.buffered if self._replays is not None else (),
                listening.concurrency,
                self._prefetch.stuck,
            ),
            name=f"{self.durable}/hold",
        )

    async def stop(self, grace: float) -> None:
        """Take no more events, let running handlers finish, give the rest back.

        Args:
            grace: seconds to wait for handlers; those still running then are cancelled and their events
                are delivered again.
        """
        self._stopping = True
        await self._take_no_more()
        if slots := [task for task in (*self._slots, self._replayer) if task is not None]:
            _, late = await asyncio.wait(slots, timeout=grace)
            for slot in late:
                slot.cancel()
            if late:
                log.warning("%s: %d handler(s) did not finish within %g s", self.durable, len(late), grace)
                await asyncio.wait(late, timeout=1.0)
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        self._hold.stop()
        for delivery in tuple(self._hold.deliveries):
            await self._carry_out(delivery, Retry(0))
        self._caller.stop()

    async def _take_no_more(self) -> None:
        """Close both subscriptions; what was taken already is still in hand."""
        if self._subscription is not None:
            await self._subscription.close()
        if self._replays is not None:
            await self._replays.close()
        elif self._replayer is not None:
            self._replayer.cancel()  # it is about to join, or waits to do so

    async def _slot(self, subscription: Subscription) -> None:
        """Handle one event after another; each slot is one unit of concurrency."""
        try:
            await self._take_from(subscription, self._prefetch)
        except LightbusError as error:
            await self._fail(error, ListenerFailed(self.durable, str(error)))
        except Exception as error:
            log.exception("%s: a defect in the listener's loop", self.durable)
            await self._fail(error, ListenerFailed(self.durable, f"{type(error).__name__}: {text_of(error)}"))

    def _slot_ended(self, _: asyncio.Task[None]) -> None:
        self._slots_left -= 1
        if not self._slots_left and self._keeper is not None:
            self._keeper.cancel()  # nothing is left in hand

    async def _take_replays(self) -> None:
        """Handle replays of the listener's dead letters as they come, as far as the server lets us."""
        while True:
            try:
                self._replays = await self._transport.subscribe_replays(self.listening.consumer)
                await self._take_from(self._replays)
                return
            except PermissionDenied as error:
                log.warning("%s: takes no replays of its dead letters: %s", self.durable, error)
                return
            except TransportError as error:
                log.warning("%s: takes no replays of its dead letters for now: %s", self.durable, error)
            except Exception:
                log.exception("%s: a defect while taking replays", self.durable)
            if self._replays is not None:
                await self._replays.close()
                self._replays = None
            await asyncio.sleep(_REJOIN)

    async def _take_from(self, subscription: Subscription, prefetch: Prefetch | None = None) -> None:
        """Handle what a subscription brings until it is closed; without a prefetch one event at a time comes."""
        slot = asyncio.current_task()
        assert slot is not None
        _handling.set(slot)
        held, permits, clock = self._hold.deliveries, self._permits, asyncio.get_running_loop().time
        while True:
            delivery = subscription.next()
            if delivery is None:
                delivery = await subscription.take()
                if delivery is None:
                    return
            held.add(delivery)
            if not permits.take_now():
                await permits.take()
            try:
                if self._stopping:
                    return  # while it waited; `stop()` gives it back
                began = clock()
                if began > self._turn_ends:
                    self._turn_ends = began + _TURN
                    await asyncio.sleep(0)
                    began = clock()  # others had their turns meanwhile, which is not this event's doing
                    self._turn_ends = began + _TURN
                known = self._unburied.pop(_key(delivery), None) if self._unburied else None
                if known is not None:
                    await self._settle(delivery, known, None)  # only its dead letter is missing
                else:
                    outcome, message = await self._caller.call(delivery, slot, began)
                    if outcome is HANDLED:  # whose decision the table has, too
                        await self._carry_out(delivery, ACK)
                    else:
                        await self._settle(delivery, outcome, message)
            finally:
                permits.give_back()
            if prefetch is not None:
                subscription.ahead = prefetch.handled(clock() - began)

    async def _settle(self, delivery: Delivery, outcome: Outcome, message: EventMessage | None) -> None:
        """Decide what becomes of an event, say so, and do it."""
        decision = settle(outcome, delivery.attempt, self.listening.policy, random.random())
        self._report(outcome, decision, message, delivery)
        if isinstance(decision, Shutdown):
            await self._take_no_more()  # or the event that is given back would come here again
        await self._carry_out(delivery, decision, outcome)
        if isinstance(decision, Shutdown):
            error = decision.error
            reason = f"{type(error).__name__}: {text_of(error)}"
            await self._fail(error, ListenerFailed(self.durable, reason, message.id if message else None))

    async def _carry_out(
        self, delivery: Delivery, decision: Decision, outcome: Outcome | None = None
    ) -> None:
        """Tell the server. This is the one settle point; an event it cannot reach returns after `ack_wait`."""
        try:
            match decision:
                case Ack():
                    await delivery.ack()
                case Retry(after):
                    await delivery.retry(after)
                case DeadLetter():
                    await self._bury(delivery, decision, outcome)
                case Shutdown():
                    await delivery.retry(0)
        except TransportError as trouble:
            log.warning("%s: not settled, will be delivered again: %s", self.durable, trouble)
        finally:
            self._hold.deliveries.discard(delivery)

    async def _bury(self, delivery: Delivery, decision: DeadLetter, outcome: Outcome | None) -> None:
        if isinstance(outcome, (Failed, Unreadable)):
            failure = failure_of(outcome.error, decision.reason)
        else:
            failure = Failure(decision.reason)
        try:
            await delivery.dead_letter(failure)
            self._unburied.pop(_key(delivery), None)
        except TransportError as trouble:
            log.error("%s: an event stays pending, its dead letter failed: %s", self.durable, trouble)
            if outcome is not None:
                self._unburied[_key(delivery)] = outcome  # so that the true reason is kept next time
            await delivery.retry(_RETRY_AFTER_TROUBLE)

    def _report(
        self, outcome: Outcome, decision: Decision, message: EventMessage | None, delivery: Delivery
    ) -> None:
        if isinstance(decision, Shutdown):
            return  # a shutdown is reported by the bus, with the failure
        event = message.id if message else f"at sequence {delivery.sequence}"
        event += f" (replay of dead letter {delivery.replay_of})" if delivery.replay_of else ""
        trace = outcome.error if isinstance(outcome, Failed) else None
        what = (
            text_of(outcome.error) if isinstance(outcome, (Failed, Unreadable)) else "no attempt had a result"
        )
        match decision:
            case Retry(after):
                log.warning(
                    "%s: event %s failed on attempt %d, next try in %.1f s: %s",
                    *(self.durable, event, delivery.attempt, after, what),
                    exc_info=trace,
                )
            case DeadLetter(reason):
                log.error(
                    "%s: event %s goes to the dead letters: %s", self.durable, event, reason, exc_info=trace
                )
            case Ack():
                log.error("%s: event %s failed and is dropped: %s", self.durable, event, what, exc_info=trace)

    async def _fail(self, cause: BaseException, failure: ListenerFailed) -> None:
        """Take no more events, and say so; what other slots have in hand is finished."""
        if self._failed:
            return
        self._failed = True
        await self._take_no_more()
        failure.__cause__ = cause
        self._on_failure(self.listening, failure)


def _key(delivery: Delivery) -> tuple[int, int]:
    return delivery.replay_of, delivery.sequence
