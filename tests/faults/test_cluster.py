"""A cluster of three, with streams of three replicas (scenarios 24 and 25)."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

import lightbus
from lightbus import DynamicBus
from lightbus.event.dead_letter import DeadLetter, Failure, Filter
from lightbus.jetstream import JetStreamTransport
from lightbus.jetstream.streams.resources import dead_letter_stream
from lightbus.naming import Place, dead_letter_subject
from tests.conformance.kits import look_into
from tests.faults.jobs import JobApi
from tests.faults.ledger import Ledger
from tests.faults.servers import Cluster, cluster
from tests.faults.state import STREAM, count, until_settled
from tests.faults.waiting import BOUND, until
from tests.faults.workers import Workers

TIMEOUT = 60.0  # seconds a fire may take; a cluster may need some for an election


@pytest.fixture
def three() -> Iterator[Cluster]:
    with cluster("lame_duck_duration: 900s\nlame_duck_grace_period: 800s\n") as running:
        yield running


class Load:
    """Fires one event after another, through several buses at once, and counts those acknowledged."""

    def __init__(self, buses: list[DynamicBus]) -> None:
        self._buses = buses
        self.acknowledged: list[int] = []
        self._over = asyncio.Event()

    async def _fire(self, bus: DynamicBus, first: int) -> None:
        number = first
        while not self._over.is_set():
            await bus.job.wanted.fire_async(number=number)
            self.acknowledged.append(number)
            number += len(self._buses)

    async def more(self, how_many: int = 30) -> None:
        """Wait until more fires have succeeded."""
        wanted = len(self.acknowledged) + how_many
        await until(lambda: len(self.acknowledged) >= wanted, f"{how_many} more fires succeed")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep firing."""
        async with asyncio.TaskGroup() as group:
            for first, bus in enumerate(self._buses):
                group.create_task(self._fire(bus, first))
            yield
            self._over.set()


@asynccontextmanager
async def load_on(three: Cluster) -> AsyncIterator[Load]:
    """Fire on a cluster, through one bus per node and so with a connection to each."""
    urls = [node.url for node in three.nodes.values()]
    buses = [
        lightbus.create(
            url=",".join(urls[turn:] + urls[:turn]), service_name="producer", apis=[JobApi], timeout=TIMEOUT
        )
        for turn in range(3)
    ]
    try:
        load = Load(buses)
        async with load.running():
            yield load
    finally:
        for bus in buses:
            await bus.close_async()


@pytest.fixture
def crew(three: Cluster, ledger: Ledger, tmp_path: Path) -> Iterator[Workers]:
    started = Workers(three.url, ledger, tmp_path)
    yield started
    started.clean_up()


async def check(three: Cluster, ledger: Ledger, load: Load) -> None:
    """Everything acknowledged was handled, and nothing was stored twice."""
    await until_settled(three.url)
    assert set(ledger.handled()) >= set(load.acknowledged)
    assert await count(three.url) == len(load.acknowledged)


async def test_s25_a_killed_leader_under_load_costs_no_event(
    three: Cluster, crew: Workers, ledger: Ledger
) -> None:
    await three.make_stream(STREAM, "lightbus.job.*")
    crew.ready(one={"ack_wait": 5.0, "concurrency": 4})
    async with load_on(three) as load:
        await load.more()
        leader = await three.leader(STREAM)
        leader.kill()
        await load.more()
        await asyncio.to_thread(leader.start)
        await load.more()
    await check(three, ledger, load)


async def test_in_a_cluster_only_the_next_failure_replaces_a_dead_letter(three: Cluster) -> None:
    stream = dead_letter_stream("lightbus", (2, 15))
    settings = {key: value for key, value in stream.config.items() if key not in ("name", "subjects")}
    await three.make_stream(stream.name, f"{stream.name}.>", **settings)
    place = Place("s", "mailer-welcome", 1, datetime(2026, 1, 1, tzinfo=UTC))
    now = datetime.now(UTC)
    first = DeadLetter.first(place, "", {}, b"x", attempts=1, failure=Failure("first"), now=now)
    subject = dead_letter_subject("lightbus", place)
    transport = JetStreamTransport(three.url, service_name="mailer", prefix="lightbus")
    await transport.connect()
    try:
        await transport.dead_letters.keep(first)
        async with look_into(three.url) as server:
            refusal = json.loads(await server.request(subject, b"{}", BOUND))
            assert refusal["error"]["description"] == "maximum messages per subject exceeded"
        await transport.dead_letters.keep(replace(first, replays=1, failure=Failure("second")))

        async def is_replaced() -> bool:  # on the replica that is read
            found = [letter.failure.reason async for letter in transport.dead_letters.find(Filter())]
            return found == ["second"]

        await until(is_replaced, "the next failure is read")
    finally:
        await transport.close()


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_s25_a_rolling_restart_under_load_costs_no_event(
    three: Cluster, crew: Workers, ledger: Ledger
) -> None:
    await three.make_stream(STREAM, "lightbus.job.*")
    crew.ready(one={"ack_wait": 5.0, "concurrency": 4})
    async with load_on(three) as load:
        for node in three.nodes.values():
            await load.more()
            node.kill()
            await load.more()
            await asyncio.to_thread(node.start)
            await three.until_whole(STREAM)
    await check(three, ledger, load)


async def test_s24_connections_leave_a_server_that_is_about_to_stop(
    three: Cluster, crew: Workers, ledger: Ledger
) -> None:
    """The server would close them only after its grace period of 800 s."""
    await three.make_stream(STREAM, "lightbus.job.*")
    crew.ready(one={"ack_wait": 5.0, "concurrency": 4})
    async with load_on(three) as load:
        await load.more()
        busiest = max(three.nodes, key=three.clients)  # clients choose their server at random
        assert three.clients(busiest)
        three.nodes[busiest].signal(signal.SIGUSR2)
        await until(lambda: not three.clients(busiest), "all clients have left")
        await load.more()
    three.nodes[busiest].kill()  # otherwise it would take its grace period
    await check(three, ledger, load)
