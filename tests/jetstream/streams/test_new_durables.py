"""A durable that is new, because its listener is, was renamed, or because an operator deleted it, on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

import lightbus
from lightbus import DynamicBus, naming
from lightbus.jetstream.connection.connection import Connection
from lightbus.jetstream.streams.status import streams
from lightbus.testing import NatsServer
from tests.conformance.kits import look_into

BOUND = 20.0
pytestmark = pytest.mark.usefixtures("job_api")


@pytest.fixture
async def server(nats_server: NatsServer) -> AsyncIterator[Connection]:
    async with look_into(nats_server.url) as connection:
        yield connection


@pytest.fixture(autouse=True)
def all_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "lightbus")


@pytest.fixture
async def bus(nats_server: NatsServer, prefix: str) -> AsyncIterator[DynamicBus]:
    async with lightbus.create(url=nats_server.url, prefix=prefix, service_name="jobs") as bus:
        yield bus


async def served(server: Connection, prefix: str) -> dict[str, bool]:
    """Return whether each listener has a worker."""
    return {
        listener.name: listener.is_served
        for stream in await streams(server, prefix, {})
        for listener in stream.listeners
    }


@pytest.mark.parametrize("since", ["beginning", "now"])
async def test_a_new_durable_says_how_many_events_it_begins_with(
    bus: DynamicBus, caplog: pytest.LogCaptureFixture, since: str
) -> None:
    await bus.job.wanted.fire_many_async([{"name": "n"}] * 1200)
    await bus.job.wanted.listen_async(lambda name: None, listener_name="l", since=since)
    lines = [record.getMessage() for record in caplog.records if "is new" in record.getMessage()]
    if since == "now":
        assert lines == []
    else:
        (line,) = lines
        assert "durable 'jobs-l'" in line and "begins with 1,200 stored events" in line


async def test_a_durable_that_exists_or_has_nothing_to_read_is_not_worth_a_line(
    nats_server: NatsServer, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        async with lightbus.create(url=nats_server.url, prefix=prefix, service_name="jobs") as bus:
            await bus.job.wanted.listen_async(lambda name: None, listener_name="l")
            await bus.job.wanted.fire_async(name="n")
    assert "is new" not in caplog.text


async def test_a_durable_that_an_operator_deleted_begins_anew_and_says_so(
    nats_server: NatsServer, server: Connection, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        async with lightbus.create(url=nats_server.url, prefix=prefix, service_name="jobs") as bus:
            await bus.job.wanted.fire_async(name="n")
            await bus.job.wanted.listen_async(lambda name: None, listener_name="l")
        await server.api(f"CONSUMER.DELETE.{naming.stream(prefix, 'job')}.jobs-l")
    assert "begins with 2 stored events" in caplog.text


async def test_the_durable_of_a_renamed_listener_has_no_worker(
    nats_server: NatsServer, server: Connection, prefix: str
) -> None:
    async with lightbus.create(url=nats_server.url, prefix=prefix, service_name="jobs") as old:
        await old.job.wanted.listen_async(lambda name: None, listener_name="former")
        async with asyncio.timeout(BOUND):
            while await served(server, prefix) != {"jobs-former": True}:
                pass
    async with lightbus.create(url=nats_server.url, prefix=prefix, service_name="jobs") as new:
        await new.job.wanted.listen_async(lambda name: None, listener_name="renamed")
        async with asyncio.timeout(BOUND):
            while await served(server, prefix) != {"jobs-former": False, "jobs-renamed": True}:
                pass


async def test_a_worker_whose_handler_is_busy_is_a_worker(
    bus: DynamicBus, server: Connection, prefix: str
) -> None:
    begun, over = asyncio.Event(), asyncio.Event()

    async def busy(name: str) -> None:
        begun.set()
        await over.wait()

    await bus.job.wanted.listen_async(busy, listener_name="l")
    await bus.job.wanted.fire_async(name="n")
    await asyncio.wait_for(begun.wait(), BOUND)
    async with asyncio.timeout(BOUND):
        while await served(server, prefix) != {"jobs-l": True}:
            pass
    over.set()
