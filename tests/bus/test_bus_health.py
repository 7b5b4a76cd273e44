"""`health()` covers everything that refuses to work, and is well again when it works."""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
from typing import Any

import pytest

import lightbus
from lightbus import BusClosed, ListenerFailed, OnError
from lightbus.testing import NatsServer
from tests.faults.waiting import BOUND, until

pytestmark = pytest.mark.usefixtures("job_api")


def raises(name: str) -> None:
    raise ValueError(name)


def ignores(name: str) -> None:
    pass


@pytest.mark.parametrize("url", ["memory", "server"])
@pytest.mark.parametrize("was_used", [True, False], ids=["used before", "not used before"])
def test_a_bus_of_the_parent_is_unwell_in_a_forked_child(
    url: str, was_used: bool, nats_server: NatsServer, prefix: str, memory_url: str
) -> None:
    bus = lightbus.create(url=nats_server.url if url == "server" else memory_url, prefix=prefix)
    context = multiprocessing.get_context("fork")
    results: Any = context.SimpleQueue()

    def child() -> None:
        try:
            bus.job.wanted.fire(name="ada")
            refused = ""
        except BusClosed as error:
            refused = str(error)
        try:
            bus.job.wanted.listen(ignores, listener_name="l")
        except BusClosed as error:
            assert str(error) == refused
        reason = lightbus.health(bus).reason
        bus.close()
        results.put((reason, refused))

    with bus:
        if was_used:
            bus.job.wanted.fire(name="ada")
        held, forked = threading.Event(), threading.Event()

        def hold_the_lock() -> None:
            with bus._core._lock:
                held.set()
                forked.wait(BOUND)

        thread = threading.Thread(target=hold_the_lock)
        thread.start()
        assert held.wait(BOUND)
        process = context.Process(target=child)
        process.start()
        forked.set()
        thread.join()
        reason, refused = results.get()
        process.join(BOUND)
        assert "created before the process forked" in reason
        assert reason == refused
        assert lightbus.health(bus).ok


async def test_it_is_well_once_a_failed_listener_is_listened_to_again(memory_url: str) -> None:
    async with lightbus.create(url=memory_url, service_name="jobs") as bus:
        for name in ("one", "two"):
            await bus.job.wanted.listen_async(raises, listener_name=name, on_error=OnError.SHUTDOWN)
        await bus.job.wanted.fire_async(name="ada")
        await until(lambda: not bus._core.listeners, "both fail")
        with pytest.raises(ListenerFailed, match="ValueError: ada"):
            await bus.wait_async()
        for name in ("one", "two"):
            health = lightbus.health(bus)
            assert not health.ok
            with pytest.raises(ListenerFailed):
                await bus.wait_async()
            await bus.job.wanted.listen_async(ignores, listener_name=name)
        assert lightbus.health(bus).ok
        waiting = asyncio.create_task(bus.wait_async())
        await asyncio.sleep(0)
        assert not waiting.done()
    await waiting


def test_a_listener_that_ended_with_its_event_loop_is_missed(memory_url: str) -> None:
    bus = lightbus.create(url=memory_url, service_name="jobs")

    async def listen() -> None:
        await bus.job.wanted.listen_async(ignores, listener_name="l")
        assert lightbus.health(bus).ok

    with bus:
        asyncio.run(listen())
        for _ in range(2):
            assert "'jobs-l' failed: its event loop has ended; listen again" in lightbus.health(bus).reason
        bus.job.wanted.fire(name="ada")
        assert not lightbus.health(bus).ok
        bus.job.wanted.listen(ignores, listener_name="l")
        assert lightbus.health(bus).ok


def test_the_end_of_the_loop_behind_blocking_calls_is_noticed(memory_url: str) -> None:
    bus = lightbus.create(url=memory_url)
    with bus:
        bus.job.wanted.fire(name="ada")
        (portal,) = bus._core._portals
        portal.loop.call_soon_threadsafe(portal.loop.stop)
        assert portal._thread is not None
        portal._thread.join(BOUND)
        with pytest.raises(BusClosed):
            bus.job.wanted.fire(name="ada")
        assert "event loop of its blocking calls has ended" in lightbus.health(bus).reason
