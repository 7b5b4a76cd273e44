"""Lightbus on NATS, through the typed client that `lightbus-gen` generated."""

from __future__ import annotations

import asyncio
import threading
import time
from functools import partial
from typing import Any

import lightbus
from tests.bench.contenders.contender import Answer, Role, Stopwatch, Tally, paced, serve, spread

SERVICE = "shop"


def make_bus(url: str, prefix: str) -> Any:
    """Create the bus of the generated package, which the benchmark put on `sys.path`."""
    from bench_bus import Bus  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]

    return lightbus.create(Bus, url=url, prefix=prefix, service_name=SERVICE)


class Fire(Role):
    """Fires from an event loop."""

    def __init__(self, url: str, prefix: str, order: dict[str, Any], events: int = 1) -> None:
        self._url, self._prefix, self._order, self._events = url, prefix, order, events

    async def open(self) -> None:
        began = time.monotonic()
        self._bus = make_bus(self._url, self._prefix)
        orders = self._bus.orders
        names = ["placed", *(f"placed_{number}" for number in range(1, self._events))]
        self._endpoints = [getattr(orders, name) for name in names]
        await self._endpoints[0].fire_async(**self._order)
        self._start_up = time.monotonic() - began

    async def started(self) -> Answer:
        """Return the seconds until the first event is stored, and those of the first event of each other type."""
        watch = Stopwatch()
        for endpoint in self._endpoints[1:]:
            await endpoint.fire_async(**self._order)
        return {"start_up": self._start_up, "others": watch.stop()["seconds"]}

    async def fire(self, count: int, width: int) -> Answer:
        """Fire `width` events at a time, of several types in turn if there are several."""
        turn = 0
        endpoints, order = self._endpoints, self._order

        async def in_turn() -> None:
            nonlocal turn
            turn += 1
            await endpoints[turn % len(endpoints)].fire_async(**order)

        fire = in_turn if len(endpoints) > 1 else partial(endpoints[0].fire_async, **order)
        watch = Stopwatch()
        if width == 1:
            for _ in range(count):
                await fire()
        else:
            await spread(fire, count, width)
        return watch.stop()

    async def batches(self, count: int, size: int) -> Answer:
        """Fire batches with `fire_many`."""
        from bench_bus.orders import (  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]
            Placed,
        )

        batch = [Placed(**self._order)] * size
        watch = Stopwatch()
        for _ in range(count // size):
            await self._endpoints[0].fire_many_async(batch)
        return watch.stop()

    async def paced(self, count: int, gap: float) -> Answer:
        """Fire at a steady pace."""
        return await paced(partial(self._endpoints[0].fire_async, **self._order), count, gap)

    async def close(self) -> None:
        await self._bus.close_async()


class FireSync(Role):
    """Fires from plain threads, as a script without an event loop."""

    blocking = True

    def __init__(self, url: str, prefix: str, order: dict[str, Any]) -> None:
        self._endpoint, self._order = make_bus(url, prefix).orders.placed, order

    def fire(self, count: int, width: int) -> Answer:
        """Fire from `width` threads."""
        numbers = iter(range(count))  # shared by the threads

        def script() -> None:
            for _ in numbers:
                self._endpoint.fire(**self._order)

        threads = [threading.Thread(target=script) for _ in range(width)]
        watch = Stopwatch()
        if width == 1:
            script()
        else:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return watch.stop()


class Listen(Role):
    """Listens with an async handler that does nothing, or sleeps."""

    def __init__(self, url: str, prefix: str) -> None:
        self._url, self._prefix = url, prefix
        self._bus: Any = None

    async def start(
        self, name: str, listeners: int = 1, concurrency: int = 1, work: float = 0, keep_times: bool = False
    ) -> Answer:
        """Listen on new durables, with handlers that take `work` seconds."""
        tally = self._tally = Tally(keep_times)

        async def nothing(order_id: str, customer: str, amount: int, note: str) -> None:
            tally.one()

        async def wait(order_id: str, customer: str, amount: int, note: str) -> None:
            tally.one()
            await asyncio.sleep(work)

        watch = Stopwatch()
        self._bus = make_bus(self._url, self._prefix)
        listen = self._bus.orders.placed.listen_async
        handler = wait if work else nothing
        names = [f"{name}_{number}" for number in range(listeners)]
        made = await asyncio.gather(
            *(listen(handler, listener_name=each, concurrency=concurrency) for each in names)
        )
        return {"durables": [listener.durable for listener in made], **watch.stop()}

    async def progress(self) -> Answer:
        """Return the number of handled events."""
        return self._tally.answer()

    async def times(self) -> Answer:
        """Return when each event was handled."""
        return {"handled": self._tally.times}

    async def stop(self) -> Answer:
        """Close the bus."""
        await self._bus.close_async()
        return {}


if __name__ == "__main__":
    serve({"fire": Fire, "fire_sync": FireSync, "listen": Listen})
