"""The connection is cut, blocked or ended by the server, and reconnects (scenarios 5, 21, 22 and 23)."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator

import pytest

import lightbus
from lightbus import PublishFailed, PublishUnknown
from lightbus.testing import NatsServer
from tests.faults.conftest import Open
from tests.faults.jobs import JobApi
from tests.faults.ledger import Ledger
from tests.faults.proxy import Proxy
from tests.faults.state import count, until_settled
from tests.faults.waiting import BOUND, until
from tests.faults.workers import Workers


@pytest.mark.long  # the kernel detects a dead peer after 20 s, and pings after 30 s
@pytest.mark.timeout(300)
@pytest.mark.parametrize("by", ["kernel", "pings"])
async def test_s05_ten_megabytes_stuck_on_a_dead_path_go_another_way(
    server: NatsServer, producer: Open, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """nats-py would wait until the operating system gives up, for about 15 minutes."""
    if by == "pings":  # as on systems without it
        monkeypatch.delattr(socket, "TCP_USER_TIMEOUT")
    bus = producer(proxy.url, timeout=200)
    await bus.job.wanted.fire_async(number=0)
    proxy.block()
    proxy.mend()  # for new connections; the existing one stays as it is
    order = "x" * 900_000
    await asyncio.gather(*(bus.job.wanted.fire_async(number=number, order=order) for number in range(1, 12)))
    assert await count(server.url) == 12


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_s05_a_listener_leaves_a_wire_that_has_fallen_silent(
    server: NatsServer, producer: Open, workers: Workers, ledger: Ledger, proxy: Proxy
) -> None:
    workers.ready(url=proxy.url)
    await producer().job.wanted.fire_async(number=1)
    await until_settled(server.url)
    proxy.block()
    proxy.mend()
    await producer().job.wanted.fire_async(number=2)
    await until_settled(server.url)
    assert set(ledger.handled()) == {1, 2}


async def test_a_client_that_reads_nothing_any_more_connects_again(
    server: NatsServer, producer: Open, proxy: Proxy
) -> None:
    """Input that nats-py cannot read ends its reading; it would notice by missing replies to its pings, after 30 s."""
    bus = producer(proxy.url)
    await bus.job.wanted.fire_async(number=1)
    proxy.say(b"INFO {\r\n")
    await until(lambda: proxy.connections == 2, "the bus connects again", 15)
    await bus.job.wanted.fire_async(number=2)
    assert await count(server.url) == 2


async def test_a_cut_wire_costs_nothing(
    server: NatsServer, producer: Open, workers: Workers, ledger: Ledger, proxy: Proxy
) -> None:
    workers.ready(url=proxy.url, one={"ack_wait": 2.0})
    bus = producer(proxy.url)
    for number in range(30):
        if number % 10 == 5:
            proxy.cut()
        await bus.job.wanted.fire_async(number=number)
    await until_settled(server.url)
    assert set(ledger.handled()) == set(range(30))
    assert await count(server.url) == 30


ENDING = [
    "User Authentication Expired",  # as a JWT does
    "Authorization Violation",
    "Maximum Connections Exceeded",
    "Unknown Protocol Operation",
]


@pytest.mark.parametrize("error", ENDING)
async def test_s21_a_connection_that_the_server_ends_for_good_is_made_anew(
    server: NatsServer, producer: Open, workers: Workers, ledger: Ledger, proxy: Proxy, error: str
) -> None:
    workers.ready(url=proxy.url)
    bus = producer(proxy.url)
    await bus.job.wanted.fire_async(number=1)
    await until_settled(server.url)
    before = proxy.connections
    proxy.say(f"-ERR '{error}'\r\n".encode())
    await until(lambda: proxy.connections >= before + 2, "both connect again")
    await bus.job.wanted.fire_async(number=2)
    await until_settled(server.url)
    assert ledger.handled() == {1: 1, 2: 1}


USERS = "authorization { users = [ { user: admin, password: x }, %s ] }\n"


async def test_s22_a_user_that_is_removed_and_comes_back_is_served_again(
    workers: Workers, ledger: Ledger
) -> None:
    with NatsServer(config=USERS % "{ user: worker, password: x }") as server:
        admin, url = (server.url.replace("//", f"//{user}:x@") for user in ("admin", "worker"))
        workers.ready(url=url)
        async with (
            lightbus.create(url=admin, apis=[JobApi], timeout=BOUND) as operator,
            lightbus.create(url=url, apis=[JobApi], timeout=1.0) as bus,
        ):
            await bus.job.wanted.fire_async(number=1)
            await until_settled(admin)
            server.reload(USERS % "")

            async def is_refused() -> bool:
                try:
                    await bus.job.wanted.fire_async(number=2)
                except PublishUnknown:
                    return False
                except PublishFailed as error:
                    return "Authorization Violation" in str(error)
                return False

            await until(is_refused, "a fire says why there is no connection")
            assert "Authorization Violation" in lightbus.health(bus).reason
            await operator.job.wanted.fire_async(number=3)
            server.reload(USERS % "{ user: worker, password: x }")
            await until(lambda: 3 in ledger.handled(), "the worker is back")
            await until(lambda: lightbus.health(bus).ok, "the producer is back")
        await until_settled(admin)


class Broken(logging.Handler):
    """A logging handler that raises."""

    def emit(self, record: logging.LogRecord) -> None:
        raise RuntimeError("no space left on device")


@pytest.fixture
def broken_logging() -> Iterator[None]:
    handler = Broken(logging.DEBUG)
    log = logging.getLogger("lightbus")
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    yield
    log.removeHandler(handler)
    log.setLevel(level)


@pytest.mark.usefixtures("broken_logging")
@pytest.mark.parametrize("fault", ["cut", "-ERR 'User Authentication Expired'\r\n"])
async def test_s23_logging_that_raises_does_not_end_the_connection(
    server: NatsServer, producer: Open, proxy: Proxy, fault: str
) -> None:
    """The user's logging handlers are the only foreign code that the connection calls."""
    bus = producer(proxy.url)
    handled: asyncio.Queue[int] = asyncio.Queue()

    async def handler(number: int, order: str) -> None:
        handled.put_nowait(number)

    await bus.job.wanted.listen_async(handler, listener_name="one")
    for number in range(3):
        await bus.job.wanted.fire_async(number=number)
        assert await asyncio.wait_for(handled.get(), BOUND) == number
        before = proxy.connections
        proxy.cut() if fault == "cut" else proxy.say(fault.encode())
        await until(lambda before=before: proxy.connections > before, "the bus connects again")  # type: ignore[misc]
    await bus.job.wanted.fire_async(number=3)
    assert await asyncio.wait_for(handled.get(), BOUND) == 3
