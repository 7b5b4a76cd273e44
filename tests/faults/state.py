"""The server's own account of the outcome of events."""

from __future__ import annotations

from typing import Any

from lightbus import naming
from lightbus.errors import TransportError
from lightbus.event.dead_letter import DeadLetter, Filter
from lightbus.jetstream import JetStreamTransport
from lightbus.naming import DEFAULT_PREFIX
from tests.conformance.kits import Found, look_into, stored_messages
from tests.faults.waiting import BOUND, until

STREAM = naming.stream(DEFAULT_PREFIX, "job")
DEAD_LETTERS = naming.dead_letter_stream(DEFAULT_PREFIX)


def durable_of(listener: str) -> str:
    """Return the name of the durable of one of the service's listeners."""
    return naming.durable("worker", listener)


async def durable(url: str, listener: str = "one") -> dict[str, Any]:
    """Return what the server reports about a listener's durable."""
    async with look_into(url) as server:
        return await server.api(f"CONSUMER.INFO.{STREAM}.{durable_of(listener)}")


async def stored(url: str, stream: str = STREAM) -> list[Found]:
    """Return all messages of a stream."""
    async with look_into(url) as server:
        return await stored_messages(server, stream)


async def count(url: str, stream: str = STREAM) -> int:
    """Return how many messages a stream holds."""
    async with look_into(url) as server:
        messages: int = (await server.api(f"STREAM.INFO.{stream}"))["state"]["messages"]
        return messages


async def dead_letters(url: str) -> list[DeadLetter]:
    """Return all dead letters."""
    transport = JetStreamTransport(url, service_name="", prefix=DEFAULT_PREFIX)
    await transport.connect()
    try:
        return [dead_letter async for dead_letter in transport.dead_letters.find(Filter())]
    finally:
        await transport.close()


async def until_settled(url: str, *listeners: str, stream: str = STREAM, bound: float = BOUND) -> None:
    """Wait until the server has nothing left for listeners of a stream, neither pending nor in flight."""

    async def settled() -> bool:
        try:
            async with look_into(url) as server:
                for listener in listeners or ("one",):
                    info = await server.api(f"CONSUMER.INFO.{stream}.{durable_of(listener)}")
                    if info["num_pending"] or info["num_ack_pending"]:
                        return False
        except TransportError:  # it may be stopping, or in an election
            return False
        return True

    await until(settled, f"every event of {', '.join(listeners) or 'the listener'} is settled", bound)
