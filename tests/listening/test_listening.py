"""How a listener takes its events, on a real nats-server: order, limits, and who gets what."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import lightbus
from lightbus import Backoff, EventMessage, RetryAfter, UsageError, naming
from lightbus.bus.dynamic import DynamicBus
from lightbus.errors import TransportError
from lightbus.jetstream import JetStreamTransport
from lightbus.jetstream.consuming.delivery import EventSettler
from lightbus.jetstream.consuming.subscription import PullSubscription
from lightbus.testing import NatsServer
from lightbus.transport import Consumer, Delivery
from tests.conformance.bench import take
from tests.conformance.kits import look_into, stored_messages

BOUND = 30.0
AT_ONCE = Backoff(first=0, limit=0)

Service = Callable[[], DynamicBus]
pytestmark = pytest.mark.usefixtures("job_api")


@pytest.fixture
async def service(nats_server: NatsServer, prefix: str) -> AsyncIterator[Service]:
    """Start processes of one service; all are closed when the test ends."""
    buses: list[DynamicBus] = []

    def start() -> DynamicBus:
        buses.append(lightbus.create(url=nats_server.url, prefix=prefix, service_name="jobs", grace=0))
        return buses[-1]

    yield start
    for bus in buses:
        await bus.close_async()


async def fire(bus: DynamicBus, *names: str) -> None:
    for name in names:
        await bus.job.wanted.fire_async(name=name)


async def until_settled(url: str, prefix: str) -> None:
    """Wait until the server knows of no pending or unsettled event of the listener `l`."""
    async with look_into(url) as server, asyncio.timeout(BOUND):
        while True:
            info = await server.api(f"CONSUMER.INFO.{naming.stream(prefix, 'job')}.jobs-l")
            if not info["num_pending"] and not info["num_ack_pending"]:
                return


async def until_dead_lettered(url: str, prefix: str, count: int) -> None:
    """Wait until there is a number of dead letters."""
    async with look_into(url) as server, asyncio.timeout(BOUND):
        while len(await stored_messages(server, naming.dead_letter_stream(prefix))) < count:
            pass


class Seen(list[Any]):
    """What handlers recorded, from any thread."""

    def __init__(self) -> None:
        super().__init__()
        self._loop, self._news = asyncio.get_running_loop(), asyncio.Event()

    def append(self, item: Any) -> None:
        super().append(item)
        self._loop.call_soon_threadsafe(self._news.set)

    async def until(self, condition: Callable[[], Any], *, bound: float = BOUND) -> None:
        """Wait until the records meet a condition."""
        async with asyncio.timeout(bound):
            while not condition():
                self._news.clear()
                await self._news.wait()


async def test_an_ordered_listener_retries_before_it_goes_on(service: Service) -> None:
    seen = Seen()

    async def handler(event: EventMessage, name: str) -> None:
        seen.append(name)
        if name == "a" and event.attempt < 3:
            raise ValueError

    bus = service()
    await fire(bus, "a", "b", "c")
    await bus.job.wanted.listen_async(
        handler, listener_name="l", ordered=True, backoff=Backoff(first=0.05, limit=0.05)
    )
    await seen.until(lambda: len(seen) == 5)
    assert seen == ["a", "a", "a", "b", "c"]


async def test_a_handler_that_raises_retry_after_chooses_its_wait(service: Service) -> None:
    attempts = Seen()

    def handler(event: EventMessage, name: str) -> None:
        attempts.append(event.attempt)
        if event.attempt < 3:
            raise RetryAfter(0.01)

    bus = service()
    await fire(bus, "a")
    hour = Backoff(first=3600, limit=3600)
    await bus.job.wanted.listen_async(handler, listener_name="l", backoff=hour, no_retry=Exception)
    await attempts.until(lambda: attempts == [1, 2, 3])


async def test_ordered_and_concurrent_exclude_each_other(service: Service) -> None:
    with pytest.raises(UsageError, match="ordered=True handles one event at a time"):
        await service().job.wanted.listen_async(
            lambda name: None, listener_name="l", ordered=True, concurrency=2
        )


@pytest.mark.parametrize("no_retry", [LookupError, (ZeroDivisionError, LookupError)])
async def test_some_exceptions_are_never_retried(
    service: Service, nats_server: NatsServer, prefix: str, no_retry: Any
) -> None:
    seen = Seen()

    async def handler(event: EventMessage, name: str) -> None:
        seen.append(event.attempt)
        raise KeyError(name) if name == "hopeless" or event.attempt > 1 else ValueError

    bus = service()
    await bus.job.wanted.listen_async(handler, listener_name="l", no_retry=no_retry, backoff=AT_ONCE)
    await fire(bus, "hopeless", "hopeful")
    await seen.until(lambda: len(seen) == 3)
    assert sorted(seen) == [1, 1, 2]
    await until_dead_lettered(nats_server.url, prefix, 2)


async def test_an_async_handler_that_takes_too_long_is_cancelled_and_tried_again(service: Service) -> None:
    seen = Seen()

    async def handler(event: EventMessage, name: str) -> None:
        if event.attempt > 1:
            seen.append((event.attempt, "handled"))
            return
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append((event.attempt, "cancelled"))
            raise

    bus = service()
    await bus.job.wanted.listen_async(handler, listener_name="l", timeout=0.1, backoff=AT_ONCE)
    await fire(bus, "a")
    await seen.until(lambda: len(seen) == 2)
    assert seen == [(1, "cancelled"), (2, "handled")]


async def test_a_handler_may_take_no_notice_of_its_cancellation(service: Service) -> None:
    """The slot continues, and an exception of the next handler is attributed to that handler."""
    seen = Seen()

    async def handler(event: EventMessage, name: str) -> None:
        if name == "deaf":
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        elif event.attempt == 1:
            raise asyncio.CancelledError
        seen.append((name, event.attempt))

    bus = service()
    await bus.job.wanted.listen_async(handler, listener_name="l", timeout=0.1, backoff=AT_ONCE)
    await fire(bus, "deaf", "own")
    await seen.until(lambda: len(seen) == 2)
    assert seen == [("deaf", 1), ("own", 2)]


async def test_a_sync_handler_that_takes_too_long_makes_way(service: Service) -> None:
    seen = Seen()
    stuck = threading.Event()

    def handler(event: EventMessage, name: str) -> None:
        seen.append(event.attempt)
        if event.attempt == 1:
            stuck.wait(BOUND)

    bus = service()
    await bus.job.wanted.listen_async(handler, listener_name="l", timeout=0.1, backoff=AT_ONCE)
    try:
        await fire(bus, "a")
        await seen.until(lambda: seen == [1, 2])
    finally:
        stuck.set()


async def test_the_reason_of_a_timeout_is_kept(
    service: Service, nats_server: NatsServer, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(name: str) -> None:
        await asyncio.Event().wait()

    bus = service()
    await bus.job.wanted.listen_async(handler, listener_name="l", timeout=0.1, retries=0)
    await fire(bus, "a")
    await until_dead_lettered(nats_server.url, prefix, 1)
    assert "HandlerTimeout: the handler did not finish within 0.1 s" in caplog.text


async def test_a_slow_listener_leaves_events_to_an_idle_one(service: Service) -> None:
    """One process is stuck in its first event; the other gets all others, however many there are."""
    first, second = service(), service()
    stuck, begun, seen = asyncio.Event(), asyncio.Event(), Seen()

    async def never(name: str) -> None:
        begun.set()
        await stuck.wait()

    async def quick(name: str) -> None:
        seen.append(name)

    await first.job.wanted.listen_async(never, listener_name="l")
    await fire(first, "stuck")
    await asyncio.wait_for(begun.wait(), BOUND)
    await second.job.wanted.listen_async(quick, listener_name="l")
    names = [str(number) for number in range(300)]
    await fire(second, *names)
    await seen.until(lambda: len(seen) == len(names))
    assert sorted(seen) == sorted(names)
    stuck.set()


async def waiting_pulls(url: str, prefix: str) -> int:
    async with look_into(url) as server:
        info = await server.api(f"CONSUMER.INFO.{naming.stream(prefix, 'job')}.jobs-l")
        count: int = info["num_waiting"]
        return count


async def test_a_thousand_slots_leave_room_for_the_pulls_of_other_workers(
    service: Service, nats_server: NatsServer, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The server takes 512 pulls for a durable, from all its workers."""
    caplog.set_level("DEBUG", "lightbus")
    bus, seen = service(), Seen()

    async def handler(name: str) -> None:
        for _ in range(int(name) % 90):  # so that slots become free in different turns
            await asyncio.sleep(0)
        seen.append(name)

    await bus.job.wanted.listen_async(handler, listener_name="l", concurrency=1000)
    assert 0 < await waiting_pulls(nats_server.url, prefix) <= 64
    await bus.job.wanted.fire_many_async([{"name": str(number)} for number in range(2000)])
    await seen.until(lambda: len(seen) == 2000)
    await until_settled(nats_server.url, prefix)
    async with asyncio.timeout(BOUND / 2):  # an unanswered pull waits for longer
        while await waiting_pulls(nats_server.url, prefix) > 64:
            pass
    assert "409" not in caplog.text


async def handed_over(
    first: DynamicBus, second: DynamicBus, stuck: asyncio.Event, ack_wait: float = 3.0
) -> tuple[Seen, Seen]:
    """Have a first listener get stuck with 20 events behind it, which a second one takes; return what each got."""
    mine, seen = Seen(), Seen()

    async def quick_and_then_stuck(name: str) -> None:
        mine.append(name)
        if name == "stuck":
            await stuck.wait()

    async def quick(name: str) -> None:
        seen.append(name)

    await first.job.wanted.listen_async(quick_and_then_stuck, listener_name="l", ack_wait=ack_wait)
    await fire(first, *(str(number) for number in range(200)))  # so that it prefetches
    await mine.until(lambda: len(mine) == 200)
    await fire(first, "stuck", *(f"behind {number}" for number in range(20)))
    await mine.until(lambda: len(mine) == 201)
    await second.job.wanted.listen_async(quick, listener_name="l")
    await seen.until(lambda: len(set(seen)) == 20)
    return mine, seen


@pytest.mark.parametrize("ack_wait", [3.0, 900.0])
async def test_what_waits_behind_a_handler_that_got_stuck_goes_to_others(
    service: Service, ack_wait: float
) -> None:
    """However long the server itself would wait."""
    stuck = asyncio.Event()
    mine, _ = await handed_over(service(), service(), stuck, ack_wait)
    assert len(mine) == 201
    stuck.set()


@pytest.mark.parametrize("trouble", [TransportError("no connection"), AssertionError("a defect")])
async def test_trouble_does_not_end_the_care_for_what_is_held(
    service: Service, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    """Events behind a stuck handler go to others though that failed once; the running one stays all the while."""
    shed, in_progress, troubles = PullSubscription.shed, EventSettler.in_progress, [trouble] * 2

    async def shed_later(self: PullSubscription, may_go: Callable[[Delivery], bool]) -> None:
        if troubles:
            raise troubles.pop()
        await shed(self, may_go)

    async def in_progress_later(self: EventSettler) -> None:
        if troubles:
            raise troubles.pop()
        await in_progress(self)

    monkeypatch.setattr(PullSubscription, "shed", shed_later)
    monkeypatch.setattr(EventSettler, "in_progress", in_progress_later)
    stuck = asyncio.Event()
    _, seen = await handed_over(service(), service(), stuck)
    assert not troubles and "stuck" not in seen
    stuck.set()


async def test_what_could_be_given_up_unhandled_stays_behind_a_stuck_handler(
    service: Service, nats_server: NatsServer, prefix: str
) -> None:
    """With `retries=0` three deliveries are an event's last; two of those buffered here have been used up before."""
    first, second = service(), service()
    stuck, seen = asyncio.Event(), Seen()
    old = [*(str(number) for number in range(200)), "stuck", *(f"old {number}" for number in range(10))]
    await fire(first, *old)
    transport = JetStreamTransport(nats_server.url, service_name="jobs", prefix=prefix)
    await transport.connect()
    subscription = await transport.subscribe(Consumer("job", "wanted", "jobs-l", ack_wait=9.0))
    subscription.ahead = len(old)
    taken = [await take(subscription) for _ in old]
    await subscription.close()  # before they are given back, or they would be delivered here again
    for delivery in taken:
        await delivery.retry(0)
    await transport.close()
    await fire(first, *(f"new {number}" for number in range(10)))

    async def slow(event: EventMessage, name: str) -> None:
        seen.append(("first", name, event.attempt))
        if name == "stuck":
            await stuck.wait()

    async def quick(event: EventMessage, name: str) -> None:
        seen.append(("second", name, event.attempt))

    await first.job.wanted.listen_async(slow, listener_name="l", retries=0)
    await seen.until(lambda: ("first", "stuck", 2) in seen)
    await second.job.wanted.listen_async(quick, listener_name="l", retries=0)
    await seen.until(
        lambda: sum(name.startswith("new") for _, name, _ in seen) == 10
    )  # the others stayed here
    stuck.set()
    await until_settled(nats_server.url, prefix)
    attempts = {name: attempt for _, name, attempt in seen}
    assert [attempts[name] for name in old] == [2] * len(old)


@pytest.mark.parametrize("concurrency", [1, 7])
async def test_many_events_each_come_once_and_are_settled(
    service: Service, nats_server: NatsServer, prefix: str, concurrency: int
) -> None:
    seen = Seen()

    async def handler(name: str) -> None:
        if int(name) % 100 == 0:
            await asyncio.sleep(0)
        seen.append(name)

    bus = service()
    names = [str(number) for number in range(2000)]
    await asyncio.gather(*(bus.job.wanted.fire_async(name=name) for name in names))
    await bus.job.wanted.listen_async(handler, listener_name="l", concurrency=concurrency)
    await seen.until(lambda: len(seen) >= len(names))
    await until_settled(nats_server.url, prefix)
    assert sorted(seen, key=int) == names


async def test_what_is_left_here_at_the_end_is_given_back(
    service: Service, nats_server: NatsServer, prefix: str
) -> None:
    first, seen, enough = service(), Seen(), asyncio.Event()

    async def handler(name: str) -> None:
        seen.append(name)
        if len(seen) == 500:
            enough.set()
            await asyncio.Event().wait()

    names = [str(number) for number in range(1000)]
    await asyncio.gather(*(first.job.wanted.fire_async(name=name) for name in names))
    await first.job.wanted.listen_async(handler, listener_name="l")
    await asyncio.wait_for(enough.wait(), BOUND)
    await first.close_async()

    async def rest(name: str) -> None:
        seen.append(name)

    await service().job.wanted.listen_async(rest, listener_name="l")  # ack_wait is 30 s, as is the bound
    await seen.until(lambda: set(seen) == set(names), bound=20)
    assert len(seen) == len(names) + 1  # the event that ran when the first ended comes again
