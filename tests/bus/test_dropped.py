"""A bus that is dropped without `close()` leaves no thread and no connection, and warns."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import lightbus
from lightbus.testing import NatsServer
from tests.faults.waiting import BOUND, until

pytestmark = pytest.mark.usefixtures("job_api")


@pytest.fixture(params=["memory", "server"])
def url(request: pytest.FixtureRequest, nats_server: NatsServer, memory_url: str) -> str:
    return nats_server.url if request.param == "server" else memory_url


Dropped = Callable[[], list[str]]


@pytest.fixture
def dropped() -> Iterator[Dropped]:
    """Collect what was dropped, and return the warnings."""

    def collect() -> list[str]:
        gc.collect()
        texts = [str(warning.message) for warning in caught if warning.category is ResourceWarning]
        return [text for text in texts if "dropped" in text]

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        yield collect


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


WARNING = "a bus of 'jobs' was dropped without close()"


async def test_its_thread_and_its_connection_end(url: str, prefix: str, dropped: Dropped) -> None:
    def use() -> None:
        bus = lightbus.create(url=url, prefix=prefix, service_name="jobs")
        bus.job.wanted.fire(name="ada")

    await asyncio.to_thread(use)  # what is made once
    dropped()
    await until(lambda: "lightbus" not in [thread.name for thread in threading.enumerate()], "it ends")
    before = descriptors()
    for count in range(2, 5):
        await asyncio.to_thread(use)
        assert dropped() == [WARNING] * count
        await until(lambda: "lightbus" not in [thread.name for thread in threading.enumerate()], "it ends")
    await until(lambda: descriptors() <= before, "all is closed")


async def test_so_does_the_connection_on_a_loop_of_the_users(url: str, prefix: str, dropped: Dropped) -> None:
    before = descriptors()
    bus = lightbus.create(url=url, prefix=prefix, service_name="jobs")
    await bus.job.wanted.fire_async(name="ada")
    session: Any = weakref.ref(bus._core.sessions[asyncio.get_running_loop()])
    tasks = asyncio.all_tasks()
    del bus
    assert dropped() == [WARNING]
    await until(lambda: asyncio.all_tasks() <= tasks, "it is closed")
    await until(lambda: not gc.collect() and session() is None, "nothing is left")
    await until(lambda: descriptors() <= before, "all is closed")


async def test_a_bus_with_listeners_is_kept(url: str, prefix: str, dropped: Dropped) -> None:
    handled = threading.Event()

    def use() -> Any:
        bus = lightbus.create(url=url, prefix=prefix, service_name="jobs")
        bus.job.wanted.listen(lambda name: handled.set(), listener_name="l")
        return weakref.ref(bus._core)

    core = await asyncio.to_thread(use)
    assert dropped() == []
    async with lightbus.create(url=url, prefix=prefix) as other:
        await other.job.wanted.fire_async(name="ada")
        assert await asyncio.to_thread(handled.wait, BOUND)
    await core().close_async()


@pytest.mark.parametrize("how", ["unused", "closed"])
def test_there_is_no_warning_of_a_bus_that_has_nothing(url: str, how: str, dropped: Dropped) -> None:
    bus = lightbus.create(url=url, service_name="jobs")
    if how == "closed":
        with bus:
            bus.job.wanted.fire(name="ada")
    del bus
    assert WARNING not in dropped()
