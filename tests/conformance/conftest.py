"""Every test of the suite runs against every transport."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from lightbus.jetstream.streams.ensure import create
from lightbus.jetstream.streams.resources import dead_letter_stream
from tests.conformance.bench import EARLIER, Bench
from tests.conformance.kits import JetStreamKit, Kit, MemoryKit, look_into


@pytest.fixture(params=["memory", "jetstream"])
async def bench(request: pytest.FixtureRequest, prefix: str) -> AsyncIterator[Bench]:
    kit: Kit
    if request.param == "memory":
        kit = MemoryKit(prefix)
    else:
        url = request.getfixturevalue("nats_server").url
        kit = JetStreamKit(url, prefix)
        if request.param == EARLIER:
            async with look_into(url) as server:
                await create(server, dead_letter_stream(prefix, (2, 10)))
    async with AsyncExitStack() as stack:
        yield Bench(kit, prefix, stack)
