"""Whatever a handler does, its slot continues; and what a worker started ends with it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import re
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pydantic
import pytest

import lightbus
from lightbus import Api, Backoff, Event, EventMessage, Parameter, naming
from lightbus.errors import TransportError
from lightbus.listening import call, loop_watch, worker
from lightbus.listening import settle as settling
from lightbus.listening.decide import Failed, GiveUp, Policy
from lightbus.listening.settle import Settling
from lightbus.listening.threads import DaemonThreads
from lightbus.memory import MemoryBroker, MemoryTransport
from lightbus.memory.dead_letters import MemoryDeadLetters
from lightbus.testing import NatsServer
from lightbus.transport import Consumer, Outgoing
from tests.conformance.bench import take
from tests.conformance.kits import look_into
from tests.conftest import Records
from tests.faults.waiting import BOUND, until

AT_ONCE = Backoff(first=0, limit=0)

pytestmark = pytest.mark.usefixtures("job_api")


class Abort(BaseException):
    """An exception that test runners and the like raise past every `except Exception`."""


def cancel_myself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


async def cancels_itself() -> None:
    cancel_myself()
    await asyncio.Event().wait()


async def cancels_itself_and_returns() -> None:
    cancel_myself()
    cancel_myself()


async def leaves_its_cancellation_behind() -> None:
    """As in libraries that cancel and never `uncancel()`."""
    cancel_myself()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()


# -- handlers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["async", "sync"])
@pytest.mark.parametrize("error", [Abort, KeyboardInterrupt, SystemExit, asyncio.CancelledError])
async def test_whatever_a_handler_raises_is_a_failure_like_any_other(
    memory_url: str, kind: str, error: type[BaseException]
) -> None:
    handled: list[tuple[str, int]] = []

    def handler(event: EventMessage, name: str) -> None:
        if name == "bad" and event.attempt == 1:
            raise error
        handled.append((name, event.attempt))

    async def async_handler(event: EventMessage, name: str) -> None:
        handler(event, name)

    async with lightbus.create(url=memory_url, service_name="jobs") as bus:
        listener = async_handler if kind == "async" else handler
        await bus.job.wanted.listen_async(listener, listener_name="l", backoff=AT_ONCE)
        for name in ("bad", "good"):
            await bus.job.wanted.fire_async(name=name)
        await until(lambda: len(handled) == 2, "both are handled")
    assert sorted(handled) == [("bad", 2), ("good", 1)]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_no_handler_ends_the_loop_behind_blocking_calls(memory_url: str, error: type[BaseException]) -> None:
    done = threading.Event()

    def handler(name: str) -> None:
        if name == "bad":
            raise error
        done.set()

    with lightbus.create(url=memory_url, service_name="jobs") as bus:
        bus.job.wanted.listen(handler, listener_name="l", retries=0)
        bus.job.wanted.fire(name="bad")
        bus.job.wanted.fire(name="good")
        assert done.wait(BOUND)


@pytest.mark.parametrize(
    ("deed", "attempts"),
    [
        (cancels_itself, [1, 2]),
        (cancels_itself_and_returns, [1]),
        (leaves_its_cancellation_behind, [1]),
    ],
)
async def test_a_handler_may_cancel_its_own_task(
    nats_server: NatsServer, prefix: str, deed: Callable[[], Awaitable[None]], attempts: list[int]
) -> None:
    """The slot handles the next event, and a cancellation there is not mistaken for the first one."""
    seen: list[tuple[str, int]] = []

    async def handler(event: EventMessage, name: str) -> None:
        seen.append((name, event.attempt))
        if event.attempt == 1:
            await deed() if name == "deed" else await cancelled_elsewhere()

    async def cancelled_elsewhere() -> None:
        other = asyncio.create_task(asyncio.Event().wait())
        other.cancel()
        await other

    async with lightbus.create(url=nats_server.url, prefix=prefix, service_name="jobs") as bus:
        await bus.job.wanted.listen_async(handler, listener_name="l", backoff=AT_ONCE)
        for name in ("deed", "next"):
            await bus.job.wanted.fire_async(name=name)
        await until(lambda: len(seen) == len(attempts) + 2, "all are handled")
        assert lightbus.health(bus).ok
    assert sorted(seen) == [*(("deed", attempt) for attempt in attempts), ("next", 1), ("next", 2)]


async def test_a_slot_that_somebody_ends_is_heard_of(memory_url: str) -> None:
    bus = lightbus.create(url=memory_url, service_name="jobs")
    await bus.job.wanted.listen_async(lambda name: None, listener_name="l")
    (slot,) = (task for task in asyncio.all_tasks() if task.get_name() == "jobs-l/0")
    slot.cancel()
    await until(lambda: "a slot ended" in lightbus.health(bus).reason, "it is reported")
    with contextlib.suppress(lightbus.ListenerFailed):
        await bus.close_async()


@pytest.mark.parametrize("takes_notice", [True, False])
def test_a_loop_ends_though_its_bus_was_not_closed(memory_url: str, takes_notice: bool) -> None:
    """`asyncio.run()` cancels all tasks at its end, and waits for them."""

    async def main() -> None:
        begun = asyncio.Event()

        async def handler(name: str) -> None:
            begun.set()
            with contextlib.nullcontext() if takes_notice else contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

        bus = lightbus.create(url=memory_url, service_name="jobs")
        await bus.job.wanted.listen_async(handler, listener_name="l")
        await bus.job.wanted.fire_async(name="unfinished")
        await asyncio.wait_for(begun.wait(), BOUND)

    ended = threading.Thread(target=asyncio.run, args=(main(),), daemon=True)
    ended.start()
    ended.join(BOUND)
    assert not ended.is_alive()


# -- threads -----------------------------------------------------------------------------------------


def threads_of(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(f"{name}/")]


def tasks_of(name: str) -> list[asyncio.Task[object]]:
    return [task for task in asyncio.all_tasks() if task.get_name().startswith(f"{name}/")]


def test_a_thread_whose_call_was_abandoned_ends_when_the_call_does(prefix: str) -> None:
    threads, stuck, begun = DaemonThreads(1, prefix), threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        stuck.wait(BOUND)

    call = threads.submit(wait)
    assert begun.wait(BOUND)
    (first,) = threads_of(prefix)
    threads.abandon(call)
    assert threads.submit(lambda: "in another").result(BOUND) == "in another"
    stuck.set()
    first.join(BOUND)
    assert not first.is_alive()
    (second,) = threads_of(prefix)
    threads.abandon(call)  # which has finished
    assert threads_of(prefix) == [second]
    threads.shutdown()
    second.join(BOUND)
    assert not second.is_alive()


def test_a_call_that_is_abandoned_before_it_began_never_begins(prefix: str) -> None:
    threads, stuck, begun = DaemonThreads(1, prefix), threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        stuck.wait(BOUND)

    threads.submit(wait)
    assert begun.wait(BOUND)
    late = threads.submit(lambda: pytest.fail("it began"))
    threads.abandon(late)
    stuck.set()
    assert threads.submit(lambda: "next").result(BOUND) == "next"
    assert late.cancelled() and len(threads_of(prefix)) == 1
    threads.shutdown()


async def test_a_listener_that_failed_leaves_no_thread(nats_server: NatsServer, prefix: str) -> None:
    name = f"{prefix}-l"
    bus = lightbus.create(url=nats_server.url, prefix=prefix, service_name=prefix)
    await bus.job.wanted.listen_async(lambda name: None, listener_name="l", concurrency=4)
    assert len(threads_of(name)) == 4
    async with look_into(nats_server.url) as server:
        await server.api(f"CONSUMER.DELETE.{naming.stream(prefix, 'job')}.{name}")
    await until(lambda: not lightbus.health(bus).ok, "the listener fails")
    await until(lambda: not threads_of(name), "its threads end")
    await until(lambda: not tasks_of(name), "its tasks end")
    with contextlib.suppress(lightbus.ListenerFailed):
        await bus.close_async()


# -- dead letters that cannot be stored --------------------------------------------------------------


async def test_why_an_event_was_given_up_is_known_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its dead letter states the reason; it is not remembered for ever, as another worker may have stored it."""

    def full(_: MemoryDeadLetters, dead_letter: object) -> None:
        raise TransportError("full")

    monkeypatch.setattr(MemoryDeadLetters, "keep", full)
    transport = MemoryTransport(MemoryBroker())
    await transport.connect()
    for number in range(3):
        await transport.publish(Outgoing("job", "wanted", str(number), b"", {}), timeout=BOUND)
    subscription = await transport.subscribe(Consumer("job", "wanted", "l"))
    settled = Settling("l", Policy())
    taken = [await take(subscription) for _ in range(3)]
    for delivery in taken:
        settled.held.add(delivery)
        error = ValueError(f"no {delivery.sequence}")
        await settled.carry_out(delivery, GiveUp("gone wrong"), Failed(error))
    assert not settled.held
    first, second, third = taken
    failure = settled.recall(first)
    assert failure is not None and (failure.reason, failure.error) == ("gone wrong", "ValueError")
    assert settled.recall(first) is None
    monkeypatch.setattr(settling, "_REMEMBERED", -1.0)
    assert settled.recall(second) is not None
    assert settled.recall(third) is None and not settled.unconfirmed


# -- the event loop ------------------------------------------------------------------------------


async def blocks(name: str) -> None:
    """Keep the event loop until another thread has run."""
    released = threading.Event()
    threading.Thread(target=released.set).start()
    assert released.wait(BOUND)


class Blocks:
    async def __call__(self, name: str) -> None:
        await blocks(name)


HANDLERS: list[tuple[Callable[..., Any], str, Callable[..., Any]]] = [
    (blocks, "blocks()", blocks),
    (functools.partial(blocks), "blocks()", blocks),
    (Blocks(), "Blocks()", Blocks.__call__),
    (Blocks().__call__, "Blocks.__call__()", Blocks.__call__),
]
LONG_ID = "a" * 1000
IDS = {"1": "1", "\x1b]0;x\x07\u202e\n\x9b": r"\x1b]0;x\x07\u202e\n\x9b", LONG_ID: LONG_ID[:200]}


@pytest.mark.parametrize(("handler", "name", "function"), HANDLERS)
@pytest.mark.parametrize(("event_id", "shown"), IDS.items())
async def test_an_event_that_keeps_the_event_loop_is_named_in_the_log(
    memory_url: str,
    records: Records,
    monkeypatch: pytest.MonkeyPatch,
    handler: Callable[..., Any],
    name: str,
    function: Any,
    event_id: str,
    shown: str,
) -> None:
    monkeypatch.setattr(loop_watch, "_LONG", 0.0)
    body = {"specversion": "1.0", "id": event_id, "source": "/s", "type": "job.wanted", "data": {"name": "a"}}
    async with lightbus.create(url=memory_url, service_name="jobs") as bus:
        await bus.job.wanted.listen_async(handler, listener_name="l")
        transport = MemoryTransport.shared(memory_url, naming.DEFAULT_PREFIX)
        await transport.connect()
        await transport.publish(Outgoing("job", "wanted", "1", json.dumps(body).encode(), {}), timeout=BOUND)
        assert await records.level_of(" held up all listeners ") == "WARNING"
    place = f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}"
    pattern = (
        rf"jobs-l: event {re.escape(shown)} held up all listeners for \d+\.\d s: it took long to read, or"
        rf" {re.escape(f'{name} ({place})')} did not await; a sync function would run in a thread"
    )
    assert re.fullmatch(pattern, records.seen[0])


async def test_the_event_behind_the_one_that_keeps_the_event_loop_is_not_blamed(
    memory_url: str, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, handled = 0.0, asyncio.Semaphore(0)

    async def handler(name: str) -> None:
        nonlocal now
        now += 10.0 if name == "slow" else 0.0
        handled.release()

    monkeypatch.setattr(loop_watch, "monotonic", lambda: now)
    monkeypatch.setattr(worker, "_TURN", -1.0)  # each event is a turn
    async with lightbus.create(url=memory_url, service_name="jobs") as bus, asyncio.timeout(BOUND):
        await bus.job.wanted.listen_async(handler, listener_name="l")
        slow, _ = await bus.job.wanted.fire_many_async([{"name": "slow"}, {"name": "next"}])
        for _ in range(2):
            await handled.acquire()
    [text] = records.seen
    assert slow.id in text
    assert " for 10.0 s: " in text


async def test_an_event_that_takes_long_to_read_is_named_without_its_sync_handler(
    memory_url: str, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_watch, "_LONG", 0.0)
    async with lightbus.create(url=memory_url, service_name="jobs") as bus:
        await bus.job.wanted.listen_async(lambda name: None, listener_name="l")
        await bus.job.wanted.fire_async(name="a")
        await records.level_of(" held up all listeners ")
    assert records.seen[0].endswith(" s: it took long to read")


async def test_a_handler_that_waits_does_not_keep_the_event_loop(
    memory_url: str, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    handled = asyncio.Semaphore(0)
    clock = iter(range(10**6))  # a second for each look at it

    async def handler(name: str) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        handled.release()

    monkeypatch.setattr(loop_watch, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(loop_watch, "_LONG", 1.0)
    async with lightbus.create(url=memory_url, service_name="jobs") as bus, asyncio.timeout(BOUND):
        await bus.job.wanted.listen_async(handler, listener_name="l")
        await bus.job.wanted.fire_async(name="a")
        await handled.acquire()
    assert records.seen == []


class Strict(pydantic.BaseModel):
    number: int

    @pydantic.field_validator("number")
    @classmethod
    def _known(cls, number: int) -> int:
        raise KeyError(number)


async def test_an_event_whose_conversion_raises_anything_does_not_stop_its_listener(
    memory_url: str, records: Records
) -> None:
    class StrictApi(Api):
        made = Event(parameters=(Parameter("what", Strict | None),))

        class Meta:
            name = "strict"

    handled = asyncio.Semaphore(0)

    async def handler(what: Strict | None) -> None:
        handled.release()

    async with lightbus.create(url=memory_url, service_name="jobs") as bus, asyncio.timeout(BOUND):
        await bus.strict.made.listen_async(handler, listener_name="l")
        await bus.strict.made.fire_async(what=Strict.model_construct(number=1))
        await bus.strict.made.fire_async(what=None)
        await handled.acquire()
        assert lightbus.health(bus).ok
    [text] = records.seen
    assert "reading it raised KeyError: 1" in text


class Pause:
    @staticmethod
    def of_reading() -> None: ...

    @classmethod
    def __from_bus__(cls, value: str) -> Pause:
        cls.of_reading()
        return cls()

    def __to_bus__(self) -> str:
        return "x"


@pytest.fixture
def pausing_api(job_api: None) -> None:
    class PausingApi(Api):
        sent = Event(parameters=(Parameter("what", Pause), Parameter("rest", str)))

        class Meta:
            name = "pausing"


async def test_other_listeners_continue_while_a_large_event_is_read(memory_url: str) -> None:
    released = threading.Event()

    class Slow:
        @classmethod
        def __from_bus__(cls, value: str) -> Slow:
            assert released.wait(BOUND)
            return cls()

        def __to_bus__(self) -> str:
            return "x"

    class LargeApi(Api):
        sent = Event(parameters=(Parameter("what", Slow), Parameter("rest", str)))
        noted = Event(parameters=(Parameter("number", int),))

        class Meta:
            name = "large"

    handled = asyncio.Queue[str]()

    async def large(what: Slow, rest: str) -> None:
        handled.put_nowait("large")

    async def small(number: int) -> None:
        handled.put_nowait("small")
        released.set()

    async with lightbus.create(url=memory_url, service_name="jobs") as bus, asyncio.timeout(BOUND):
        await bus.large.sent.listen_async(large, listener_name="large")
        await bus.large.noted.listen_async(small, listener_name="small")
        await bus.large.sent.fire_async(what=Slow(), rest="a" * (call._LARGE + 1))
        await bus.large.noted.fire_async(number=1)
        assert [await handled.get(), await handled.get()] == ["small", "large"]


@pytest.mark.usefixtures("pausing_api")
async def test_a_large_event_that_keeps_the_interpreter_is_named_in_the_log(
    memory_url: str, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_watch, "_LONG", 0.02)

    async def handler(what: Pause, rest: str) -> None:
        pass

    def keeps_the_interpreter() -> None:
        re.match("(a|a)*$", "a" * 20 + "b")

    monkeypatch.setattr(Pause, "of_reading", keeps_the_interpreter)
    async with lightbus.create(url=memory_url, service_name="jobs") as bus, asyncio.timeout(BOUND):
        await bus.pausing.sent.listen_async(handler, listener_name="l")
        event = await bus.pausing.sent.fire_async(what=Pause(), rest="a" * (call._LARGE + 1))
        await records.level_of(" kept the interpreter")
    [text] = [text for text in records.seen if " kept the interpreter" in text]
    assert text.startswith(f"jobs-l: event {event.id} held up all listeners for ")
    assert (
        f"{handler.__qualname__}() ({__file__}:{handler.__code__.co_firstlineno}) kept the interpreter"
        in text
    )


@pytest.mark.usefixtures("pausing_api")
async def test_a_large_event_is_not_blamed_for_what_keeps_the_event_loop(
    memory_url: str, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_watch, "_LONG", 0.02)
    is_reading, is_over, handled = asyncio.Event(), threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    async def handler(what: Pause, rest: str) -> None:
        handled.set()

    def waits_for_the_loop() -> None:
        loop.call_soon_threadsafe(is_reading.set)
        assert is_over.wait(BOUND)

    monkeypatch.setattr(Pause, "of_reading", waits_for_the_loop)
    async with lightbus.create(url=memory_url, service_name="jobs") as bus, asyncio.timeout(BOUND):
        await bus.pausing.sent.listen_async(handler, listener_name="l")
        await bus.pausing.sent.fire_async(what=Pause(), rest="a" * (call._LARGE + 1))
        await is_reading.wait()
        re.match("(a|a)*$", "a" * 20 + "b")
        is_over.set()
        await handled.wait()
    assert records.seen == []
