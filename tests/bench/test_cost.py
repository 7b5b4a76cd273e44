"""A guard on the cost of an event, without a clock: bytecode instructions of the library's own code.

Counts every instruction that code in `lightbus` executes while events are fired and handled, in memory and on
a real server. The count does not depend on the machine or on its load; it changes when someone adds work to
the path of an event. A bound is 15 % above the last count. When a change makes an event cheaper, or is worth
its cost, update the count here.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import lightbus
from acme_bus import Bus
from lightbus.server import NatsServer

LIBRARY = str(Path(lightbus.__file__).parent)
EVENTS = 200
SLACK = 1.15
Trace = Callable[[FrameType, str, Any], Any]

FIRE = {"memory": 554, "server": 1037}
HANDLE = {"memory": 640, "server": 890}
"""Instructions per event, counted on Python 3.11; 3.13 needs a tenth fewer. On a server, they include those of the parser."""

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] == (3, 12), reason="3.12 does not trace the instructions of code that ran before"
)


class Instructions:
    """Counts the instructions of the library's code between `start()` and `stop()`."""

    def __init__(self) -> None:
        self.count = 0

    def _enter(self, frame: FrameType, _event: str, _: object) -> Trace | None:
        if not frame.f_code.co_filename.startswith(LIBRARY):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._step

    def _step(self, _frame: FrameType, event: str, _: object) -> Trace:
        self.count += event == "opcode"
        return self._step

    def start(self) -> None:
        sys.settrace(self._enter)

    def stop(self) -> None:
        sys.settrace(None)


@pytest.fixture(params=["memory", "server"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bus(transport: str, prefix: str, nats_server: NatsServer, memory_url: str) -> Bus:
    url = nats_server.url if transport == "server" else memory_url
    return lightbus.create(Bus, url=url, prefix=prefix, service_name="shop")


async def fire(bus: Bus) -> None:
    await bus.auth.user_created.fire_async(username="ada", email="ada@example.com", plan="pro")


async def test_firing_costs_no_more_than_it_did(bus: Bus, transport: str) -> None:
    instructions = Instructions()
    async with bus:
        await fire(bus)  # the costs of the first event alone
        instructions.start()
        try:
            for _ in range(EVENTS):
                await fire(bus)
        finally:
            instructions.stop()
    assert 0 < instructions.count / EVENTS <= FIRE[transport] * SLACK


async def test_handling_costs_no_more_than_it_did(bus: Bus, transport: str) -> None:
    instructions, done, handled = Instructions(), asyncio.Event(), 0

    async def handler(username: str, email: str, plan: str) -> None:
        nonlocal handled
        handled += 1
        if handled == 1:  # the costs of the first event alone are over
            instructions.start()
        if handled == 1 + EVENTS:
            instructions.stop()
            done.set()

    async with bus:
        for _ in range(1 + EVENTS):
            await fire(bus)
        try:
            await bus.auth.user_created.listen_async(handler, listener_name="count")
            async with asyncio.timeout(30):
                await done.wait()
        finally:
            instructions.stop()
    assert 0 < instructions.count / EVENTS <= HANDLE[transport] * SLACK
