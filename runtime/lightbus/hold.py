"""The events a worker holds: kept from being delivered again, and let go of when a handler takes too long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from lightbus.errors import TransportError
from lightbus.logs import log
from lightbus.transport import Delivery, Subscription

_LONG = (
    1.0  # seconds that all handlers have run for, after which what waits behind them goes to other workers
)


class Hold:
    """What is in the hands of one worker.

    Attributes:
        deliveries: taken from the server and not settled yet.

    Args:
        durable: name of the durable, for messages.
        timeout: seconds a handler may take.
    """

    def __init__(self, durable: str, timeout: float) -> None:
        self.deliveries: set[Delivery] = set()
        self._durable, self._timeout = durable, timeout
        self._running: dict[asyncio.Task[None], float] = {}  # since when, the oldest first
        self._overdue: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def begin(self, slot: asyncio.Task[None], now: float) -> None:
        """Take note that a slot calls the handler; one timer watches them all."""
        self._running[slot] = now
        if self._timer is None:
            self._timer = self._loop.call_at(now + self._timeout, self._look)

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
            if since + self._timeout > now:
                self._timer = self._loop.call_at(since + self._timeout, self._look)
                return
            if slot not in self._overdue:
                self._overdue.add(slot)
                slot.cancel()

    async def keep(
        self,
        subscription: Subscription,
        replays: Callable[[], Collection[Delivery]],
        concurrency: int,
        on_stuck: Callable[[], None],
    ) -> None:
        """Tell the server every third of `ack_wait` that what is here is being worked on; runs until cancelled.

        What waits here while every handler has been running for long goes back, so that another worker gets it.
        """
        while True:
            await asyncio.sleep(subscription.ack_wait / 3)
            if subscription.buffered and self._is_stuck(concurrency):
                log.info("%s: %d events go to other workers", self._durable, len(subscription.buffered))
                on_stuck()
                await subscription.shed()
            for delivery in (*self.deliveries, *subscription.buffered, *replays()):
                try:
                    await delivery.in_progress()
                except TransportError as error:
                    log.debug("%s: could not extend an event's time: %s", self._durable, error)

    def _is_stuck(self, concurrency: int) -> bool:
        running = self._running.values()
        return len(running) >= concurrency and self._loop.time() - max(running) > _LONG

    def stop(self) -> None:
        """Watch no longer."""
        if self._timer is not None:
            self._timer.cancel()
