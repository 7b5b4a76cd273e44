"""The walk of a received event: six modules from the wire to the handler, and one that settles it."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path

import pytest

import acme_bus
import lightbus
from acme_bus import Bus
from lightbus.server import NatsServer
from tests.core.walks import LIBRARY, Walk, walk

ARRIVES = ("jetstream/connection/client.py", "jetstream/consuming/subscription.py")
IS_HANDLED = (
    "listening/loop_watch.py",  # times the slot
    "listening/worker.py",
    "listening/call.py",
    "listening/handler.py",
)
SETTLING = {"ack", "retry", "dead_letter", "in_progress"}


async def received(bus: Bus) -> Walk:
    """Record an event from the wire until its handler returns; an earlier one connected everything."""
    handled = asyncio.Semaphore(0)

    async def handler(username: str) -> None:
        handled.release()

    async with bus, asyncio.timeout(30):
        await bus.auth.user_deleted.listen_async(handler, listener_name="walk")
        await bus.auth.user_deleted.fire_async(username="ada")
        await handled.acquire()
        with walk(Path(acme_bus.__file__).parent) as recorded:
            await bus.auth.user_deleted.fire_async(username="ada")
            await handled.acquire()
    return recorded


def stack(recorded: Walk, function: str) -> tuple[str, ...]:
    return next(call.stack for call in recorded.calls if call.function == function)


async def test_an_event_passes_six_modules_from_the_wire_to_the_handler(
    nats_server: NatsServer, prefix: str
) -> None:
    recorded = await received(lightbus.create(Bus, url=nats_server.url, prefix=prefix, service_name="shop"))
    assert stack(recorded, "PullSubscription._arrived") == ARRIVES
    assert stack(recorded, "Handler.__call__") == IS_HANDLED


async def test_in_memory_an_event_passes_the_same_modules_to_the_handler(memory_url: str) -> None:
    recorded = await received(lightbus.create(Bus, url=memory_url, service_name="shop"))
    assert stack(recorded, "Handler.__call__") == IS_HANDLED


@pytest.mark.parametrize("module", sorted((LIBRARY / "listening").glob("*.py")), ids=lambda path: path.stem)
def test_only_settle_calls_the_settling_methods_of_a_delivery(module: Path) -> None:
    calls = {
        node.attr
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "delivery"
        and node.attr in SETTLING
    }
    assert calls == (SETTLING if module.stem == "settle" else set())
