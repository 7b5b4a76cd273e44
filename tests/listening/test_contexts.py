"""Context variables that an event's handling sets end with the event."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Self

import pytest

import lightbus
from lightbus import Api, Backoff, Event, EventMessage, Parameter
from tests.faults.waiting import until

tenant: ContextVar[str] = ContextVar("tenant", default="nobody")

pytestmark = pytest.mark.usefixtures("job_api")

seen: list[str] = []


async def plain(event: EventMessage, name: str) -> None:
    seen.append(tenant.get())
    tenant.set(name)


async def awaits(event: EventMessage, name: str) -> None:
    seen.append(tenant.get())
    tenant.set(name)
    await asyncio.sleep(0)
    assert tenant.get() == name
    async with asyncio.timeout(20):
        assert await asyncio.create_task(tenant_of_task()) == name
    tenant.set(f"{name} later")


async def tenant_of_task() -> str:
    return tenant.get()


async def fails_once(event: EventMessage, name: str) -> None:
    seen.append(tenant.get())
    tenant.set(name)
    if event.attempt == 1:
        raise ValueError(name)


async def resets_with_a_token(event: EventMessage, name: str) -> None:
    seen.append(tenant.get())
    token = tenant.set(name)
    await asyncio.sleep(0)
    tenant.reset(token)
    tenant.set(name)


def sync(event: EventMessage, name: str) -> None:
    seen.append(tenant.get())
    tenant.set(name)


def sync_that_returns_a_coroutine(event: EventMessage, name: str) -> Any:
    """As a decorator that knows nothing of coroutines; what it sets is for the function it decorates."""
    before = tenant.get()
    tenant.set(name)

    async def handler() -> None:
        seen.append(before if tenant.get() == name else "lost")
        await asyncio.sleep(0)
        tenant.set(f"{name} later")

    return handler()


HANDLERS = [plain, awaits, fails_once, resets_with_a_token, sync, sync_that_returns_a_coroutine]


@pytest.mark.parametrize("handler", HANDLERS)
async def test_each_event_has_a_fresh_context(memory_url: str, handler: Callable[..., Any]) -> None:
    seen.clear()
    count = 8 if handler is fails_once else 4
    async with lightbus.create(url=memory_url, service_name="jobs") as bus:
        token = tenant.set("the service")
        await bus.job.wanted.listen_async(handler, listener_name="l", backoff=Backoff(first=0, limit=0))
        tenant.reset(token)
        for number in range(4):
            await bus.job.wanted.fire_async(name=f"tenant {number}")
        await until(lambda: len(seen) == count, "all are handled")
    assert seen == ["the service"] * count


fired_by: dict[int, str] = {}
may_go_on = threading.Event()


class Money:
    """Sets a variable while the event is read."""

    def __init__(self, cents: int) -> None:
        self.cents = cents

    @classmethod
    def __from_bus__(cls, cents: int) -> Self:
        seen.append(tenant.get())
        tenant.set(f"{cents} cents")
        return cls(cents)

    def __to_bus__(self) -> int:
        fired_by[self.cents] = tenant.get()
        if self.cents == -1:
            assert may_go_on.wait(20)
        return self.cents


@pytest.fixture
def price_api() -> None:
    class PriceApi(Api):
        changed = Event(parameters=(Parameter("price", Money), Parameter("text", str)))

        class Meta:
            name = "price"


@pytest.mark.usefixtures("price_api")
@pytest.mark.parametrize("filler", ["", "x" * 20_000], ids=["on the loop", "in a thread"])
async def test_so_has_the_reading_of_each_event(memory_url: str, filler: str) -> None:
    seen.clear()
    done = asyncio.Event()

    async def handler(price: Money, text: str) -> None:
        if price.cents == 2:
            done.set()

    async with lightbus.create(url=memory_url, service_name="jobs") as bus:
        await bus.price.changed.listen_async(handler, listener_name="l")
        for cents in range(3):
            await bus.price.changed.fire_async(price=Money(cents), text=filler)
        async with asyncio.timeout(20):
            await done.wait()
    assert seen == ["nobody"] * 3


@pytest.mark.usefixtures("price_api")
async def test_a_blocking_fire_has_the_context_of_its_thread(memory_url: str) -> None:
    """Even if it starts together with that of another thread, because the event loop was busy."""
    fired_by.clear()

    def fire(cents: int) -> None:
        tenant.set(f"thread {cents}")
        bus.price.changed.fire(price=Money(cents), text="")

    bus = lightbus.create(url=memory_url)
    threads = [threading.Thread(target=fire, args=(cents,)) for cents in (-1, 1, 2)]
    threads[0].start()
    await until(lambda: -1 in fired_by, "the first call keeps the loop")
    for thread in threads[1:]:
        thread.start()
    await until(lambda: len(bus._core._portals[0]._calls) == 2, "the others wait")
    may_go_on.set()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    await bus.close_async()
    assert fired_by == {-1: "thread -1", 1: "thread 1", 2: "thread 2"}
