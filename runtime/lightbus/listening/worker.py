"""One listener at work: its slots take events, call the handler and settle, until it is stopped."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from dataclasses import dataclass

from lightbus.errors import LightbusError, ListenerFailed, PermissionDenied, TransportError
from lightbus.listening.call import Caller, in_context
from lightbus.listening.decide import HANDLED, Outcome, Policy, Shutdown, description_of
from lightbus.listening.handler import Handler
from lightbus.listening.hold import Hold
from lightbus.listening.loop_watch import LoopWatch
from lightbus.listening.permits import Permits
from lightbus.listening.prefetch import Prefetch
from lightbus.listening.settle import Settling
from lightbus.logs import log
from lightbus.message import EventMessage
from lightbus.schema import EventContract
from lightbus.transport import Consumer, Delivery, Subscription, Transport

_handling: contextvars.ContextVar[asyncio.Task[None] | None] = contextvars.ContextVar(
    "handling", default=None
)

_TURN = 0.005  # seconds for which slots handle buffered events before other tasks run
_REJOIN = 30.0  # seconds before another attempt to join the replays


@dataclass(frozen=True, slots=True)
class Listening:
    """A listener, as its worker needs it.

    Attributes:
        consumer: the durable to join.
        concurrency: how many events are handled at a time.
    """

    contract: EventContract
    consumer: Consumer
    handler: Handler
    policy: Policy
    concurrency: int


class Worker:
    """Runs one listener on the current event loop until it is stopped or fails.

    Each unit of concurrency is a slot, a task that takes one event after another. One more slot takes the replays
    of dead letters; it shares the permits of the others, so that `concurrency` holds. Trouble with replays never
    stops the listener.

    Args:
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
        self._settling = Settling(self.durable, listening.policy)
        self._hold = Hold(self.durable, listening.policy, listening.concurrency, self._settling)
        self._caller = Caller(
            self.durable, listening.contract, listening.handler, listening.policy, self._hold
        )
        self._turn_ends = 0.0  # loop time
        self._failing: asyncio.Task[None] | None = None

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
        """Join the durable and start to take events.

        Raises:
            ProvisionError, TransportError: the durable cannot be joined.
        """
        listening = self.listening
        self._subscription = await self._transport.subscribe(listening.consumer)
        prefetch = Prefetch(listening.concurrency, self._subscription.ack_wait)
        self._caller.start(listening.concurrency, self.durable)
        self._slots = [
            asyncio.create_task(self._slot(self._subscription, prefetch), name=f"{self.durable}/{number}")
            for number in range(listening.concurrency)
        ]
        self._replayer = asyncio.create_task(self._take_replays(), name=f"{self.durable}/replays")
        for slot in (*self._slots, self._replayer):
            slot.add_done_callback(self._slot_ended)
        self._hold.keep(
            self._subscription,
            lambda: self._replays.buffered if self._replays is not None else (),
            prefetch.stuck,
        )

    async def stop(self, grace: float) -> None:
        """Stop taking events, let running handlers finish, give the rest back.

        Args:
            grace: seconds to wait for handlers; those still running then are cancelled and their events
                are delivered again.
        """
        self._hold.is_ending = True
        await self._stop_taking()
        late: set[asyncio.Task[None]] = set()
        if slots := [task for task in (*self._slots, self._replayer) if task is not None]:
            _, late = await asyncio.wait(slots, timeout=grace)
        self._hold.stop()
        if late:
            log.warning("%s: %d handler(s) did not finish within %g s", self.durable, len(late), grace)
            for slot in late:
                slot.cancel()
            await asyncio.wait(late, timeout=1.0)
        await self._hold.stopped()
        for delivery in tuple(self._settling.held):
            await self._settling.retry(delivery, 0)
        self._caller.stop()
        if self._failing is not None:
            await asyncio.wait([self._failing])

    async def _stop_taking(self) -> None:
        """Close both subscriptions; events that were taken stay held."""
        if self._subscription is not None:
            await self._subscription.close()
        if self._replays is not None:
            await self._replays.close()
        elif self._replayer is not None:
            self._replayer.cancel()  # it is about to join, or waits to do so

    async def _slot(self, subscription: Subscription, prefetch: Prefetch) -> None:
        """Handle one event after another until the subscription is closed."""
        try:
            await self._take_all(subscription, prefetch)
        except LightbusError as error:
            self._fail(error, str(error))
        except Exception as error:
            log.exception("%s: unexpected error in the listener loop", self.durable)
            self._fail(error, description_of(error))

    def _slot_ended(self, slot: asyncio.Task[None]) -> None:
        """Report a slot that ends unexpectedly, and stop everything else after the last one."""
        error = asyncio.CancelledError("its task was cancelled") if slot.cancelled() else slot.exception()
        if error is not None and not self._hold.is_ending and not self._hold.is_over:
            self._fail(error, f"a slot ended: {description_of(error)}")
        self._slots_left -= 1
        if not self._slots_left:
            self._hold.stop()
            self._caller.stop()

    async def _take_replays(self) -> None:
        """Handle replays of the listener's dead letters as they come, if the server allows it."""
        while True:
            try:
                self._replays = await self._transport.subscribe_replays(self.listening.consumer)
                await self._take_all(self._replays)
                return
            except PermissionDenied as error:
                log.warning("%s: cannot take replays of its dead letters: %s", self.durable, error)
                return
            except TransportError as error:
                log.warning("%s: cannot take replays of its dead letters for now: %s", self.durable, error)
            except Exception:
                log.exception("%s: unexpected error while taking replays", self.durable)
            if self._replays is not None:
                await self._replays.close()
                self._replays = None
            if self._hold.is_ending or self._failing is not None:
                return
            await asyncio.sleep(_REJOIN)

    async def _take_all(self, subscription: Subscription, prefetch: Prefetch | None = None) -> None:
        """Handle the events of a subscription until it is closed; without a prefetch one arrives at a time."""
        watch = LoopWatch(self.durable, self.listening.handler)
        await watch.run(self._take_from(subscription, prefetch, watch))

    async def _take_from(
        self, subscription: Subscription, prefetch: Prefetch | None, watch: LoopWatch
    ) -> None:
        slot = asyncio.current_task()
        assert slot is not None
        _handling.set(slot)
        hold, held, permits, settling = self._hold, self._settling.held, self._permits, self._settling
        clock = asyncio.get_running_loop().time
        while True:
            delivery = subscription.next()
            if delivery is None:
                failure = outcome = message = None  # an idle slot keeps no event alive
                watch.is_idle = True
                delivery = None if hold.is_ending else await subscription.take()
                if delivery is None:
                    return
            held.add(delivery)
            if not permits.take_now() and not await self._permit(delivery):
                continue
            try:
                if hold.is_ending:
                    return  # it waited for a permit; `stop()` gives it back
                began = clock()
                if began > self._turn_ends:
                    self._turn_ends = began + _TURN
                    await asyncio.sleep(0)
                    began = clock()  # the turns of other tasks do not count as this event's time
                    self._turn_ends = began + _TURN
                watch.delivery = delivery  # not earlier: the pause above ends the time of the one before
                if settling.unconfirmed and (failure := settling.recall(delivery)) is not None:
                    await settling.dead_letter(delivery, failure)
                else:
                    outcome, message = await in_context(
                        contextvars.copy_context(), self._caller.call(delivery, slot, began)
                    )
                    if outcome is HANDLED:
                        await settling.ack(delivery)
                    else:
                        await self._settle(delivery, outcome, message)
            finally:
                permits.give_back()
            if prefetch is not None:
                subscription.ahead = prefetch.handled(clock() - began)

    async def _permit(self, delivery: Delivery) -> bool:
        """Wait until a handler may run; False when the event has been given back in the meantime."""
        self._hold.waiting.add(delivery)
        try:
            await self._permits.take()
        finally:
            self._hold.waiting.discard(delivery)
        if delivery in self._settling.held:
            return True
        self._permits.give_back()
        return False

    async def _settle(self, delivery: Delivery, outcome: Outcome, message: EventMessage | None) -> None:
        """Settle an event that was not handled; a shutdown also ends the listener."""
        decision = self._settling.decide(delivery, outcome, message)
        if isinstance(decision, Shutdown):
            await self._stop_taking()  # otherwise the event that is given back would return here
        await self._settling.carry_out(delivery, decision, outcome)
        if isinstance(decision, Shutdown):
            self._fail(decision.error, description_of(decision.error), message.id if message else None)

    def _fail(self, cause: BaseException, reason: str, event_id: str | None = None) -> None:
        """Stop taking events and report the failure; other slots finish the events they hold."""
        if self._failing is not None:
            return

        async def fail() -> None:
            try:
                await self._stop_taking()
            finally:
                failure = ListenerFailed(self.durable, reason, event_id)
                failure.__cause__ = cause
                self._on_failure(self.listening, failure)

        self._failing = asyncio.create_task(fail(), name=f"{self.durable}/failing")
