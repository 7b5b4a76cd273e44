"""Every test of the suite runs against every transport."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.conformance.bench import Bench
from tests.conformance.kits import JetStreamKit, Kit, MemoryKit


@pytest.fixture(params=["memory", "jetstream"])
async def bench(request: pytest.FixtureRequest, prefix: str) -> AsyncIterator[Bench]:
    kit: Kit
    if request.param == "memory":
        kit = MemoryKit(prefix)
    else:
        kit = JetStreamKit(request.getfixturevalue("nats_server").url, prefix)
    async with AsyncExitStack() as stack:
        yield Bench(kit, prefix, stack)
