"""Streams and durables that are deleted while in use (scenarios 7 and 8)."""

from __future__ import annotations

import asyncio
import time

import pytest

import lightbus
from lightbus import PublishFailed
from lightbus.jetstream.connection.connection import ApiError
from lightbus.testing import NatsServer
from tests.conformance.kits import look_into
from tests.faults.conftest import Open
from tests.faults.jobs import JobApi
from tests.faults.ledger import Ledger
from tests.faults.state import STREAM, count, durable
from tests.faults.waiting import BOUND, until
from tests.faults.workers import Workers


@pytest.mark.parametrize("what", ["durable", "stream"])
async def test_s07_a_listener_whose_durable_is_deleted_ends_loudly_and_makes_none(
    server: NatsServer, producer: Open, workers: Workers, ledger: Ledger, what: str
) -> None:
    worker = workers.ready()
    await producer().job.wanted.fire_async(number=1)
    await until(lambda: ledger.handled() == {1: 1}, "the listener works")
    async with look_into(server.url) as operator:
        gone = f"CONSUMER.DELETE.{STREAM}.worker-one" if what == "durable" else f"STREAM.DELETE.{STREAM}"
        await operator.api(gone)
    assert await asyncio.to_thread(worker.end) == 1
    assert "worker-one" in worker.output.splitlines()[-1]
    with pytest.raises(ApiError, match="not found"):
        await durable(server.url)


async def test_s08_a_fire_makes_the_stream_anew_that_was_deleted(server: NatsServer, producer: Open) -> None:
    bus = producer()
    for number in range(3):
        await bus.job.wanted.fire_async(number=number)
    async with look_into(server.url) as operator:
        await operator.api(f"STREAM.DELETE.{STREAM}")
    await bus.job.wanted.fire_async(number=3)
    assert await count(server.url) == 1


MAY_NOT_MAKE_STREAMS = """
authorization { users = [
  { user: admin, password: x }
  { user: producer, password: x, permissions: { publish: { deny: ["$JS.API.STREAM.CREATE.>"] } } }
] }
"""


async def test_s08_a_fire_without_a_stream_fails_soon_where_none_may_be_made() -> None:
    with NatsServer(config=MAY_NOT_MAKE_STREAMS) as server:
        url = server.url.replace("//", "//producer:x@")
        async with lightbus.create(url=url, apis=[JobApi], timeout=BOUND) as bus:
            fired = time.monotonic()
            with pytest.raises(PublishFailed, match=r"denies publishing to '\$JS\.API\.STREAM\.CREATE"):
                await bus.job.wanted.fire_async(number=1)
            assert time.monotonic() - fired < BOUND / 4
