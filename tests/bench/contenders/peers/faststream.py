"""FastStream, tuned as its documentation advises: pull in batches, msgspec for serialisation, no access log."""

from __future__ import annotations

from functools import partial
from typing import Any

from fast_depends.msgspec import MsgSpecSerializer
from faststream.nats import JStream, NatsBroker, PullSub
from nats.js.api import AckPolicy, ConsumerConfig

from tests.bench.contenders.contender import Answer, Role, Stopwatch, Tally, serve, spread


class Connected(Role):
    def __init__(self, url: str, stream: str, subject: str) -> None:
        self._url, self._stream, self._subject = url, stream, subject

    def _broker(self) -> NatsBroker:
        return NatsBroker(self._url, logger=None, serializer=MsgSpecSerializer())


class Fire(Connected):
    def __init__(self, url: str, stream: str, subject: str, order: dict[str, Any]) -> None:
        super().__init__(url, stream, subject)
        self._order = order

    async def open(self) -> None:
        self._made = self._broker()
        await self._made.start()

    async def fire(self, count: int, width: int) -> Answer:
        publish = partial(self._made.publish, self._order, self._subject, stream=self._stream, timeout=10)
        watch = Stopwatch()
        if width == 1:
            for _ in range(count):
                await publish()
        else:
            await spread(publish, count, width)
        return watch.stop()

    async def close(self) -> None:
        await self._made.stop()


class Listen(Connected):
    async def start(self, name: str, pull: bool = True) -> Answer:
        tally = self._tally = Tally()
        broker = self._made = self._broker()

        @broker.subscriber(
            self._subject,
            durable=name,
            stream=JStream(self._stream, declare=False),
            pull_sub=PullSub(batch_size=100, timeout=1.0) if pull else None,
            config=ConsumerConfig(
                durable_name=name, ack_policy=AckPolicy.EXPLICIT, ack_wait=30, max_ack_pending=1000
            ),
        )
        async def handle(order_id: str, customer: str, amount: int, note: str) -> None:
            tally.one()

        await broker.start()
        return {"durables": [name]}

    async def progress(self) -> Answer:
        return self._tally.answer()

    async def stop(self) -> Answer:
        await self._made.stop()
        return {}


if __name__ == "__main__":
    serve({"fire": Fire, "listen": Listen})
