"""Lightbus 1.x on Redis, in its own environment: Python 3.9 and aioredis 1.3, the last versions it works with."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Dict  # noqa: UP035 - Python 3.9

import aioredis

import lightbus
from lightbus import Api, Event, Parameter
from tests.bench.contenders.contender import Answer, Role, Stopwatch, Tally, serve, spread

logging.disable(logging.WARNING)


class OrdersApi(Api):
    placed = Event(
        parameters=(
            Parameter("order_id", str),
            Parameter("customer", str),
            Parameter("amount", int),
            Parameter("note", str),
        )
    )

    class Meta:
        name = "orders"


class Connected(Role):
    def __init__(self, url: str) -> None:
        self._url = url

    def _make(self, service: str) -> Any:
        # 100 events per read rather than 10, the fastest of 10, 100 and 1,000, and a stream that is not
        # trimmed below the measured events
        redis = {"url": self._url, "batch_size": 100, "max_stream_length": 10_000_000}
        plain = {"redis": {"url": self._url}}
        config = {
            "service_name": service,
            "process_name": service,
            "bus": {"schema": {"transport": plain}},
            "apis": {
                "default": {
                    "event_transport": {"redis": redis},
                    "rpc_transport": plain,
                    "result_transport": plain,
                }
            },
        }
        bus = lightbus.create(config, plugins=[])
        bus.client.register_api(OrdersApi())
        return bus


class Fire(Connected):
    def __init__(self, url: str, order: Dict[str, Any]) -> None:  # noqa: UP006
        super().__init__(url)
        self._order = order

    async def open(self) -> None:
        redis = await aioredis.create_redis(self._url)
        await redis.flushdb()  # the stream's name is fixed, and every round begins with an empty one
        redis.close()
        self._bus = self._make("shop")
        await self._bus.client.lazy_load_now()

    async def fire(self, count: int, width: int) -> Answer:
        async def one() -> None:
            await self._bus.orders.placed.fire_async(**self._order)

        watch = Stopwatch()
        if width == 1:
            for _ in range(count):
                await one()
        else:
            await spread(one, count, width)
        return watch.stop()

    async def close(self) -> None:
        await self._bus.client.close_async()


class Listen(Connected):
    async def start(self, name: str) -> Answer:
        tally = self._tally = Tally()
        self._group = f"{name}-all"
        self._bus = self._make(name)

        async def handle(event: Any, order_id: str, customer: str, amount: int, note: str) -> None:
            tally.one()

        self._bus.client.listen_for_event(
            "orders", "placed", handle, listener_name="all", options={"since": "0"}
        )
        self._redis = await aioredis.create_redis(self._url)
        self._running = asyncio.ensure_future(self._bus.client.start_worker())
        return {}

    async def progress(self) -> Answer:
        return self._tally.answer()

    async def left(self) -> Answer:
        """Return the number of events not yet acknowledged."""
        (group,) = [
            dict(zip(found[::2], found[1::2]))  # noqa: B905 - Python 3.9
            for found in await self._redis.execute("XINFO", "GROUPS", "orders.*:stream")
            if found[1].decode() == self._group
        ]
        return {"left": group[b"pending"] + group[b"lag"]}

    async def stop(self) -> Answer:
        await self._bus.client.stop_worker()
        self._redis.close()
        return {}


if __name__ == "__main__":
    serve({"fire": Fire, "listen": Listen})
