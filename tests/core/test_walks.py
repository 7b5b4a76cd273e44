"""The walks of docs/architecture.md: how few modules an event passes through."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

import acme_bus
import lightbus
from acme_bus import Bus
from lightbus.server import NatsServer
from tests.core.walks import walk

GENERATED = Path(acme_bus.__file__).parent

FIRE = ("bus/endpoint.py", "generated/auth.py", "bus/firing.py")
BESIDE = {
    "bus/core.py",  # the session of the event loop
    "schema/contract.py",
    "schema/payload/limits.py",
    "event/ids.py",
    "event/envelope.py",
    "message.py",
}
"""The modules that firing calls besides."""


@pytest.fixture(params=["memory", "jetstream"])
def transport(request: pytest.FixtureRequest) -> str:
    """The folder of the transport."""
    return f"{request.param}/"


@pytest.fixture
def bus(transport: str, prefix: str, nats_server: NatsServer, memory_url: str) -> Bus:
    url = memory_url if transport == "memory/" else nats_server.url
    return lightbus.create(Bus, url=url, prefix=prefix, service_name="shop")


async def test_a_fire_reaches_the_transport_in_four_modules_and_the_socket_in_seven(
    bus: Bus, transport: str
) -> None:
    async with bus:
        await bus.auth.user_deleted.fire_async(username="ada")  # which connects, and compiles the schema
        with walk(GENERATED) as recorded:
            await bus.auth.user_deleted.fire_async(username="ada")
    to_transport = recorded.to(transport)
    assert to_transport[:-1] == FIRE
    entered = recorded.modules()
    assert set(entered[: entered.index(to_transport[-1])]) == {*FIRE, *BESIDE}
    if transport == "jetstream/":
        to_socket = recorded.to("jetstream/connection/client.py")
        assert to_socket[: len(to_transport)] == to_transport
        assert len([module for module in to_socket if not module.startswith("generated/")]) <= 7


async def async_calls(bus: Bus) -> Counter[str]:
    async with bus:
        await bus.auth.user_deleted.fire_async(username="ada")
        with walk(GENERATED) as recorded:
            await bus.auth.user_deleted.fire_async(username="ada")
    return Counter(f"{call.module} {call.function}" for call in recorded.calls)


def sync_calls(bus: Bus) -> Counter[str]:
    """Count calls in both threads; that of the bus is traced from its start."""
    with bus, walk(GENERATED) as recorded:
        bus.auth.user_deleted.fire(username="ada")
        recorded.calls.clear()
        bus.auth.user_deleted.fire(username="ada")
        recorded.end()
    return Counter(f"{call.module} {call.function}" for call in recorded.calls)


async def test_a_blocking_fire_makes_at_most_three_calls_more(memory_url: str) -> None:
    fired = await async_calls(lightbus.create(Bus, url=memory_url))
    blocking = await asyncio.to_thread(sync_calls, lightbus.create(Bus, url=memory_url))
    more = blocking - fired
    assert blocking.total() - fired.total() <= 3, f"only when blocking: {dict(more)}"
