"""nats-py as its documentation shows it, sending the same bytes and headers as Lightbus."""

from __future__ import annotations

import asyncio
import base64
import uuid
from typing import Any

import nats
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NothingCame
from nats.js.api import AckPolicy, ConsumerConfig

from tests.bench.contenders.contender import Answer, Role, Stopwatch, Tally, paced, serve, spread


class Connected(Role):
    """A role with a connection."""

    def __init__(self, url: str, stream: str, subject: str) -> None:
        self._url, self._stream, self._subject = url, stream, subject

    async def open(self) -> None:
        self._nc = await nats.connect(self._url)
        self._js = self._nc.jetstream(timeout=10)

    async def close(self) -> None:
        await self._nc.close()


class Fire(Connected):
    """Publishes copies of one event, each with its own id, prepared before the clock starts."""

    def __init__(self, url: str, stream: str, subject: str, body: str, headers: dict[str, str]) -> None:
        super().__init__(url, stream, subject)
        self._body, self._headers = base64.b64decode(body), headers

    def _messages(self, count: int) -> list[tuple[bytes, dict[str, str]]]:
        sample = self._headers["Nats-Msg-Id"]
        ids = [str(uuid.uuid4()) for _ in range(count)]
        return [
            (self._body.replace(sample.encode(), own.encode()), {**self._headers, "Nats-Msg-Id": own})
            for own in ids
        ]

    async def fire(self, count: int, width: int) -> Answer:
        """Call `js.publish`, `width` at a time."""
        messages = iter(self._messages(count))

        async def one() -> None:
            body, headers = next(messages)
            await self._js.publish(self._subject, body, headers=headers)

        watch = Stopwatch()
        if width == 1:
            for _ in range(count):
                await one()
        else:
            await spread(one, count, width)
        return watch.stop()

    async def fire_async(self, count: int, width: int) -> Answer:
        """Call `js.publish_async`, which keeps at most `width` in flight; every acknowledgement is checked."""
        js = self._nc.jetstream(timeout=10, publish_async_max_pending=width)
        messages = self._messages(count)
        watch = Stopwatch()
        acks = [await js.publish_async(self._subject, body, headers=headers) for body, headers in messages]
        await js.publish_async_completed()
        for ack in acks:
            ack.result()
        return watch.stop()

    async def paced(self, count: int, gap: float) -> Answer:
        """Publish at a steady pace."""
        messages = iter(self._messages(count))

        async def one() -> None:
            body, headers = next(messages)
            await self._js.publish(self._subject, body, headers=headers)

        return await paced(one, count, gap)


class Listening(Connected):
    """Handles and acknowledges messages."""

    _tally: Tally

    def _config(self, durable: str) -> ConsumerConfig:
        """Return the consumer configuration that Lightbus uses as well."""
        return ConsumerConfig(
            durable_name=durable, ack_policy=AckPolicy.EXPLICIT, ack_wait=30, max_ack_pending=1000
        )

    async def progress(self) -> Answer:
        """Return the number of handled events."""
        return self._tally.answer()

    async def times(self) -> Answer:
        """Return when each event was handled."""
        return {"handled": self._tally.times}


class Fetch(Listening):
    """Calls `fetch(100)`, then a handler that does nothing and `ack()` for each message."""

    async def start(self, name: str, batch: int = 100) -> Answer:
        """Consume with a new durable."""
        self._tally = Tally()
        config = self._config(name)
        subscription = await self._js.pull_subscribe(
            self._subject, durable=name, stream=self._stream, config=config
        )
        self._consuming = asyncio.create_task(self._consume(subscription, batch))
        return {"durables": [name]}

    async def _consume(self, subscription: Any, batch: int) -> None:
        while True:
            try:
                messages = await subscription.fetch(batch, timeout=1)
            except NothingCame:
                continue
            for message in messages:
                await self._handle(message)
                await message.ack()

    async def _handle(self, message: Msg) -> None:
        self._tally.one()

    async def stop(self) -> Answer:
        """Stop fetching."""
        self._consuming.cancel()
        return {}


class Callback(Listening):
    """A push subscription with a callback: nats-py's shortest path to a handler."""

    async def start(self, name: str, keep_times: bool = False) -> Answer:
        """Subscribe with a new durable."""
        self._tally = Tally(keep_times)

        async def handle(message: Msg) -> None:
            self._tally.one()
            await message.ack()

        self._subscription = await self._js.subscribe(
            *(self._subject, "", handle, name, self._stream, self._config(name)), manual_ack=True
        )
        return {"durables": [name]}

    async def stop(self) -> Answer:
        """Unsubscribe."""
        await self._subscription.unsubscribe()
        return {}


if __name__ == "__main__":
    serve({"fire": Fire, "fetch": Fetch, "callback": Callback})
