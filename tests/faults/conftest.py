"""The environment of fault tests: a separate server, workers, and the ledger of their handlers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

import lightbus
from lightbus import DynamicBus
from lightbus.testing import NatsServer
from tests.faults.jobs import JobApi
from tests.faults.ledger import Ledger
from tests.faults.proxy import Proxy
from tests.faults.waiting import BOUND
from tests.faults.workers import Workers


@pytest.fixture
def server() -> Iterator[NatsServer]:
    """A new server for this test."""
    with NatsServer() as running:
        yield running


@pytest.fixture
def proxy(server: NatsServer) -> Iterator[Proxy]:
    """A connection to the server that can be cut."""
    with Proxy(int(server.url.rpartition(":")[2])) as running:
        yield running


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """The records of the workers' handlers."""
    return Ledger(tmp_path / "ledger")


@pytest.fixture
def workers(server: NatsServer, ledger: Ledger, tmp_path: Path) -> Iterator[Workers]:
    """Starts worker processes on the server."""
    started = Workers(server.url, ledger, tmp_path)
    yield started
    started.clean_up()


class Gate:
    """A file that handlers wait for, whose path is the gate's text."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def open(self) -> None:
        """Release all handlers."""
        self._path.touch()


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """A gate for handlers to wait at."""
    return Gate(tmp_path / "gate")


Open = Callable[..., DynamicBus]


@pytest.fixture
async def producer(server: NatsServer) -> AsyncIterator[Open]:
    """Opens buses with the jobs API in the test's own process; all are closed when the test ends."""
    buses: list[DynamicBus] = []

    def open_bus(url: str = "", timeout: float = BOUND) -> DynamicBus:
        address = url or server.url
        buses.append(lightbus.create(url=address, service_name="producer", apis=[JobApi], timeout=timeout))
        return buses[-1]

    yield open_bus
    for bus in buses:
        await bus.close_async()
