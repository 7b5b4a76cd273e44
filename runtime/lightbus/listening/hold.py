"""The events and handlers of one worker: keeps events from redelivery, ends handlers that take too long."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Callable, Collection

from lightbus.errors import TransportError
from lightbus.listening.decide import Policy, can_spare
from lightbus.listening.settle import Settling
from lightbus.logs import log
from lightbus.transport import Delivery, Subscription

_LONG = 1.0  # seconds; once all handlers have run longer than this, waiting events go to other workers
_LOOK = 1.0  # seconds between two looks whether they have


class Hold:
    """The events that one worker holds and the handlers it runs.

    Args:
        durable: name of the durable, for log messages.
        policy: how long a handler may take, and how many attempts an event has.
        settling: holds the deliveries that are taken and not settled.

    Attributes:
        waiting: deliveries that a slot has taken and that wait for a running handler to finish.
        is_ending: whether slots start nothing new.
    """

    def __init__(self, durable: str, policy: Policy, concurrency: int, settling: Settling) -> None:
        self._settling = settling
        self.waiting: set[Delivery] = set()
        self.is_ending = False
        self._durable, self._policy, self._concurrency = durable, policy, concurrency
        self._running: dict[asyncio.Task[None], float] = {}  # loop time of the start, oldest first
        self._overdue: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()  # for the timer, which would keep that of an event

    # -- handlers ------------------------------------------------------------------------------------

    def begin(self, slot: asyncio.Task[None], now: float) -> None:
        """Record that a slot started its handler; one timer watches them all."""
        self._running[slot] = now
        if self._timer is None:
            self._timer = self._loop.call_at(now + self._policy.timeout, self._check, context=self._context)

    def end(self, slot: asyncio.Task[None]) -> None:
        """Record that a slot's handler is done."""
        del self._running[slot]
        if self._overdue:
            self.take_overdue(slot)  # the handler ignored its cancellation

    def take_overdue(self, slot: asyncio.Task[None]) -> bool:
        """Forget that a slot's handler took too long, and return whether it did."""
        if slot not in self._overdue:
            return False
        self._overdue.discard(slot)
        slot.uncancel()
        return True

    def _check(self) -> None:
        """Cancel handlers that exceeded the timeout; check again when the next one is due."""
        self._timer = None
        now = self._loop.time()
        for slot, since in self._running.items():
            if since + self._policy.timeout > now:
                self._timer = self._loop.call_at(since + self._policy.timeout, self._check)
                return
            if slot not in self._overdue:
                self._overdue.add(slot)
                slot.cancel()

    async def resume(self, slot: asyncio.Task[None]) -> None:
        """Clear cancellations of a slot that its handler requested or ignored."""
        while slot.cancelling():
            self.is_ending = self.is_ending or self.is_over
            slot.uncancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)  # where a pending one arrives

    # -- deliveries ----------------------------------------------------------------------------------

    def keep(
        self,
        subscription: Subscription,
        replays: Callable[[], Collection[Delivery]],
        on_stuck: Callable[[], None],
    ) -> None:
        """Restart the `ack_wait` of held events every third of it, until `stop()`.

        When every handler has been running for long, buffered events are given back for other workers within a
        second. An event that a slot has taken would return to that slot, so it is given back less often.

        Args:
            subscription: buffers events.
            replays: returns the replays that are buffered.
            on_stuck: called when every handler has been running for long.
        """

        async def keep_all() -> None:
            pause = subscription.ack_wait / 3
            due = self._loop.time() + pause
            while True:
                await asyncio.sleep(min(_LOOK, due - self._loop.time()))
                is_due = self._loop.time() >= due
                if self._is_stuck():
                    on_stuck()
                    await self._shed(subscription, self.waiting if is_due else ())
                if not is_due:
                    continue
                due = self._loop.time() + pause
                for delivery in (*self._settling.held, *subscription.buffered, *replays()):
                    await self._settling.keep(delivery)

        self._keeper = asyncio.create_task(keep_all(), name=f"{self._durable}/hold")

    def _is_stuck(self) -> bool:
        running = self._running.values()
        return len(running) >= self._concurrency and self._loop.time() - max(running) > _LONG

    async def _shed(self, subscription: Subscription, waiting: Collection[Delivery]) -> None:
        """Give back buffered and waiting events that have attempts to spare."""
        waiting = list(filter(self._may_go, waiting))
        buffered = sum(map(self._may_go, subscription.buffered))
        if waiting or buffered:
            log.info(
                "%s: giving back %d events that wait behind slow handlers",
                *(self._durable, len(waiting) + buffered),
            )
        try:
            if subscription.ahead or buffered:
                await subscription.shed(self._may_go)
            for delivery in waiting:
                self.waiting.discard(delivery)
                await self._settling.give_back(delivery)
        except TransportError as error:
            log.warning("%s: could not give back events: %s", self._durable, error)
        except Exception:
            log.exception("%s: unexpected error while giving events back", self._durable)

    def _may_go(self, delivery: Delivery) -> bool:
        return can_spare(delivery.attempt, self._policy)

    # -- stopping -------------------------------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        """Whether a cancelled slot must end: after `stop()`, or when the event loop ends with all its tasks."""
        return self._keeper is not None and self._keeper.cancelling() > 0

    def stop(self) -> None:
        """Stop watching handlers and keeping events."""
        if self._timer is not None:
            self._timer.cancel()
        if self._keeper is not None:
            self._keeper.cancel()

    async def stopped(self) -> None:
        """Wait until events are no longer kept."""
        if self._keeper is not None:
            await asyncio.wait([self._keeper])
