"""Transports under test, and the steps that the suite's tests share."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import AsyncExitStack

from lightbus.transport import Consumer, Delivery, Outgoing, Since, Subscription, Transport
from tests.conformance.kits import Kit

EARLIER = "jetstream before 2.14"  # the transport, with the stream of dead letters as for an earlier server
BOUND = 20.0  # seconds that any awaited outcome may take on a slow machine


class Bench:
    """The transports and subscriptions of one test, closed when it ends."""

    def __init__(self, kit: Kit, prefix: str, stack: AsyncExitStack) -> None:
        self.kit, self.prefix, self._stack = kit, prefix, stack

    async def transport(self) -> Transport:
        transport = self.kit.transport()
        await transport.connect()
        self._stack.push_async_callback(transport.close)
        return transport

    async def subscribe(
        self,
        transport: Transport,
        durable: str = "listener",
        event: str = "created",
        since: Since = "beginning",
        ack_wait: float = 30.0,
        ordered: bool = False,
    ) -> Subscription:
        subscription = await transport.subscribe(Consumer("shop", event, durable, since, ack_wait, ordered))
        self._stack.push_async_callback(subscription.close)
        return subscription

    async def replays(self, transport: Transport, durable: str = "listener") -> Subscription:
        subscription = await transport.subscribe_replays(Consumer("shop", "created", durable))
        self._stack.push_async_callback(subscription.close)
        return subscription


def outgoing(body: str, *, event: str = "created", id: str | None = None) -> Outgoing:
    id = id or str(uuid.uuid4())
    return Outgoing("shop", event, id, body.encode(), {"Nats-Msg-Id": id, "Content-Type": "text/plain"})


async def publish(transport: Transport, *bodies: str, event: str = "created") -> None:
    for body in bodies:
        await transport.publish(outgoing(body, event=event), timeout=BOUND)


async def take(subscription: Subscription) -> Delivery:
    delivery = await asyncio.wait_for(subscription.take(), BOUND)
    assert delivery is not None
    return delivery


async def take_and_ack(subscription: Subscription, count: int) -> list[str]:
    bodies = []
    for _ in range(count):
        delivery = await take(subscription)
        await delivery.ack()
        bodies.append(delivery.body.decode())
    return bodies
