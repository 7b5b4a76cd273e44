"""Lightbus with its transport stubbed out: only the library's own work on an event remains."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import lightbus.bus.session
from lightbus.event.dead_letter import Failure
from lightbus.transport import Consumer, DeadLetters, Delivery, Outgoing, PubAck
from tests.bench.contenders.contender import Answer, Role, Stopwatch, serve
from tests.bench.contenders.ours import make_bus


class Stub:
    """A transport that confirms at once, and delivers one event repeatedly; see `lightbus.transport.Transport`."""

    address = trouble = ""
    largest = 1_000_000

    def __init__(self, body: bytes, headers: Mapping[str, str]) -> None:
        self.delivery = Delivery("subject", body, headers, 1, 1, datetime.now(UTC), 0, StubSettler())
        self.left = 0
        self.all_taken = asyncio.Event()

    async def connect(self) -> None: ...

    async def close(self) -> None: ...

    async def publish(self, event: Outgoing, *, timeout: float) -> PubAck:
        return PubAck("stream", 1, False)

    async def room(self) -> None: ...

    async def subscribe(self, consumer: Consumer) -> StubSubscription:
        return StubSubscription(self)

    async def subscribe_replays(self, consumer: Consumer) -> StubSubscription:
        return StubSubscription(Stub(b"", {}))

    @property
    def dead_letters(self) -> DeadLetters:
        raise NotImplementedError("the stub keeps no dead letters")


class StubSubscription:
    ack_wait = 30.0
    buffered: Collection[Delivery] = ()
    ahead = 0

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self._closed = asyncio.Event()

    def next(self) -> Delivery | None:
        if not self._stub.left:
            return None
        self._stub.left -= 1
        return self._stub.delivery

    async def take(self) -> Delivery | None:
        if delivery := self.next():
            return delivery
        self._stub.all_taken.set()
        await self._closed.wait()
        return None

    async def shed(self, may_go: Callable[[Delivery], bool]) -> None: ...

    async def close(self) -> None:
        self._closed.set()


class StubSettler:
    async def ack(self) -> None: ...

    async def retry(self, after: float) -> None: ...

    async def dead_letter(self, delivery: Delivery, failure: Failure) -> None: ...

    async def in_progress(self) -> None: ...


class Library(Role):
    """Fires and handles events on a stub."""

    def __init__(self, order: dict[str, Any], body: str, headers: dict[str, str]) -> None:
        self._order, self._body, self._headers = order, base64.b64decode(body), headers

    async def open(self) -> None:
        self._stub = Stub(self._body, self._headers)
        lightbus.bus.session.make_transport = lambda settings: self._stub
        self._bus = make_bus("stub://", "lightbus")

    async def fire(self, count: int) -> Answer:
        """Fire one event after the other."""
        fire, order = self._bus.orders.placed.fire_async, self._order
        watch = Stopwatch()
        for _ in range(count):
            await fire(**order)
        return watch.stop()

    async def handle(self, count: int, name: str) -> Answer:
        """Handle events with a listener whose handler does nothing."""

        async def nothing(order_id: str, customer: str, amount: int, note: str) -> None: ...

        self._stub.left = count
        self._stub.all_taken.clear()
        watch = Stopwatch()
        await self._bus.orders.placed.listen_async(nothing, listener_name=name)
        await self._stub.all_taken.wait()
        return watch.stop()


if __name__ == "__main__":
    serve({"library": Library})
