"""The events a worker holds: kept from being delivered again, and let go of when a handler takes too long."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection

from lightbus.errors import TransportError
from lightbus.listening.decide import Policy, can_spare
from lightbus.logs import log
from lightbus.transport import Delivery, Subscription

# seconds that all handlers have run for, after which what waits behind them goes to other workers
_LONG = 1.0


class Hold:
    """What is in the hands of one worker.

    Attributes:
        deliveries: taken from the server and not settled yet.
        waiting: those of them that a slot has taken while as many handlers run as may.
        is_ending: whether slots begin nothing new.

    Args:
        durable: name of the durable, for messages.
        policy: how long a handler may take, and how many attempts an event has.
        concurrency: how many handlers run at a time.
    """

    def __init__(self, durable: str, policy: Policy, concurrency: int) -> None:
        self.deliveries: set[Delivery] = set()
        self.waiting: set[Delivery] = set()
        self.is_ending = False
        self._durable, self._policy, self._concurrency = durable, policy, concurrency
        self._running: dict[asyncio.Task[None], float] = {}  # since when, the oldest first
        self._overdue: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()

    # -- handlers ------------------------------------------------------------------------------------

    def begin(self, slot: asyncio.Task[None], now: float) -> None:
        """Take note that a slot calls the handler; one timer watches them all."""
        self._running[slot] = now
        if self._timer is None:
            self._timer = self._loop.call_at(now + self._policy.timeout, self._look)

    def end(self, slot: asyncio.Task[None]) -> None:
        """Take note that a slot's handler is done."""
        del self._running[slot]
        if self._overdue:
            self.was_overdue(slot)  # a handler that took no notice of its cancellation

    def was_overdue(self, slot: asyncio.Task[None]) -> bool:
        """Whether the cancellation that reached a slot came from here; told once."""
        if slot not in self._overdue:
            return False
        self._overdue.discard(slot)
        slot.uncancel()
        return True

    def _look(self) -> None:
        """Cancel handlers whose time is over; look again when that of the next one will be."""
        self._timer = None
        now = self._loop.time()
        for slot, since in self._running.items():
            if since + self._policy.timeout > now:
                self._timer = self._loop.call_at(since + self._policy.timeout, self._look)
                return
            if slot not in self._overdue:
                self._overdue.add(slot)
                slot.cancel()

    async def let_go_on(self, slot: asyncio.Task[None]) -> None:
        """Free a slot of cancellations that its handler made, left behind or took no notice of."""
        while slot.cancelling():
            self.is_ending = self.is_ending or self.is_over
            slot.uncancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)  # where one arrives that is still to come

    # -- deliveries ----------------------------------------------------------------------------------

    def keep(
        self,
        subscription: Subscription,
        replays: Callable[[], Collection[Delivery]],
        on_stuck: Callable[[], None],
    ) -> None:
        """Tell the server every third of `ack_wait` that what is here is being worked on, until `stop()`.

        What waits here while every handler has been running for long goes back, so that another worker gets it.
        """
        keeping = self._keep(subscription, replays, on_stuck)
        self._keeper = asyncio.create_task(keeping, name=f"{self._durable}/hold")

    async def _keep(
        self,
        subscription: Subscription,
        replays: Callable[[], Collection[Delivery]],
        on_stuck: Callable[[], None],
    ) -> None:
        while True:
            await asyncio.sleep(subscription.ack_wait / 3)
            if self._is_stuck():
                on_stuck()
                try:
                    await self._shed(subscription)
                except TransportError as error:
                    log.warning("%s: events stay here behind slow handlers: %s", self._durable, error)
                except Exception:
                    log.exception("%s: a defect while giving events back", self._durable)
            for delivery in (*self.deliveries, *subscription.buffered, *replays()):
                try:
                    await delivery.in_progress()
                except TransportError as error:
                    log.debug("%s: could not extend an event's time: %s", self._durable, error)
                except Exception:
                    log.exception("%s: a defect while extending an event's time", self._durable)

    def _is_stuck(self) -> bool:
        running = self._running.values()
        return len(running) >= self._concurrency and self._loop.time() - max(running) > _LONG

    async def _shed(self, subscription: Subscription) -> None:
        """Give back what no handler has begun with, unless that could use up an event's attempts."""
        waiting = list(filter(self._may_go, self.waiting))
        buffered = sum(map(self._may_go, subscription.buffered))
        if waiting or buffered:
            log.info("%s: %d events go to other workers", self._durable, len(waiting) + buffered)
        if subscription.ahead or buffered:
            await subscription.shed(self._may_go)
        for delivery in waiting:
            self.waiting.discard(delivery)
            self.deliveries.discard(delivery)
            await delivery.retry(0)

    def _may_go(self, delivery: Delivery) -> bool:
        return can_spare(delivery.attempt, self._policy)

    # -- the end -------------------------------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        """Whether slots that are cancelled shall end, by `stop()`, or by an event loop that ends with all its tasks."""
        return self._keeper is not None and self._keeper.cancelling() > 0

    def stop(self) -> None:
        """Watch and keep no longer."""
        if self._timer is not None:
            self._timer.cancel()
        if self._keeper is not None:
            self._keeper.cancel()

    async def stopped(self) -> None:
        """Wait until nothing is kept any more."""
        if self._keeper is not None:
            await asyncio.wait([self._keeper])
