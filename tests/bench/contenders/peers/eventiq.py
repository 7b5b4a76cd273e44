"""eventiq on JetStream: `auto_flush` off, since every publish waits for its acknowledgement; 100 tasks per consumer."""

import asyncio
import logging
from typing import Any

from eventiq import CloudEvent, Service
from eventiq.backends.nats import JetStreamBroker
from nats.js.api import AckPolicy
from pydantic import BaseModel

from tests.bench.contenders.contender import Answer, Role, Stopwatch, Tally, serve, spread

logging.getLogger().setLevel(logging.WARNING)


class Order(BaseModel):
    order_id: str
    customer: str
    amount: int
    note: str


class OrderPlaced(CloudEvent[Order]):
    pass


class Connected(Role):
    def __init__(self, url: str, stream: str, subject: str) -> None:
        self._url, self._stream, self._subject = url, stream, subject

    def _service(self, name: str) -> Service[Any, Any]:
        return Service(name=name, broker=JetStreamBroker(url=self._url, auto_flush=False))


class Fire(Connected):
    def __init__(self, url: str, stream: str, subject: str, order: dict[str, Any]) -> None:
        super().__init__(url, stream, subject)
        self._order = Order(**order)

    async def open(self) -> None:
        self._made = self._service("shop")
        await self._made.connect()

    async def fire(self, count: int, width: int) -> Answer:
        async def publish() -> None:
            await self._made.publish(
                OrderPlaced(data=self._order, topic=self._subject, type="OrderPlaced"), timeout=10
            )

        watch = Stopwatch()
        if width == 1:
            for _ in range(count):
                await publish()
        else:
            await spread(publish, count, width)
        return watch.stop()

    async def close(self) -> None:
        await self._made.disconnect()


class Listen(Connected):
    async def start(self, name: str) -> Answer:
        tally = self._tally = Tally()
        service = self._service(name)

        @service.subscribe(
            event_type=OrderPlaced,
            topic=self._subject,
            concurrency=100,
            timeout=30,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=30,
            max_ack_pending=1000,
            fetch_timeout=1,
        )
        async def handle(message: OrderPlaced) -> None:
            tally.one()

        self._running = asyncio.create_task(service.run(enable_signal_handler=False))
        return {"durables": [f"{name}:handle"]}

    async def progress(self) -> Answer:
        if self._running.done():
            self._running.result()
        return self._tally.answer()

    async def stop(self) -> Answer:
        self._running.cancel()
        await asyncio.wait({self._running})
        return {}


if __name__ == "__main__":
    serve({"fire": Fire, "listen": Listen})
