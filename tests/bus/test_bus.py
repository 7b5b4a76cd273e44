"""The public bus, on a real nats-server."""

from __future__ import annotations

import asyncio
import gc
import logging
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from importlib import metadata
from typing import Any

import pytest

import lightbus
from lightbus import (
    Api,
    Backoff,
    DuplicateListenerName,
    Event,
    EventMessage,
    InvalidEventArguments,
    ListenerFailed,
    OnError,
    Parameter,
    UnknownApi,
    UnknownEvent,
    UsageError,
    naming,
)
from lightbus.bus.dynamic import DynamicBus
from lightbus.errors import BlockingCall, BusClosed
from lightbus.testing import NatsServer
from tests.conformance.kits import look_into, stored_messages
from tests.faults.servers import pause, resume
from tests.faults.waiting import until

BOUND = 20.0
AT_ONCE = Backoff(first=0, limit=0)


class Seen:
    """Collects what handlers receive, from any thread, and lets tests wait for it."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Any] = queue.Queue()

    def __call__(self, value: Any) -> None:
        self._queue.put(value)

    def take(self, count: int) -> list[Any]:
        return [self._queue.get(timeout=BOUND) for _ in range(count)]

    async def take_async(self, count: int) -> list[Any]:
        return await asyncio.to_thread(self.take, count)

    @property
    def empty(self) -> bool:
        return self._queue.empty()


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture(autouse=True)
def auth_api() -> type[Api]:
    class AuthApi(Api):
        user_created = Event(
            parameters=(
                Parameter("username", str),
                Parameter("email", str),
                Parameter("admin", bool, default=False),
            )
        )
        user_deleted = Event(parameters="username")
        at = Event(parameters=(Parameter("when", datetime),))

        class Meta:
            name = "auth"

    return AuthApi


Make = Callable[..., DynamicBus]


def repr_type(value: object) -> str:
    return type(value).__name__


@pytest.fixture
def make(nats_server: NatsServer, prefix: str) -> Iterator[Make]:
    """Create buses on the test's own streams; all are closed when the test ends."""
    buses: list[DynamicBus] = []

    def make_bus(service_name: str = "", **options: Any) -> DynamicBus:
        options.setdefault("url", nats_server.url)
        buses.append(lightbus.create(service_name=service_name, prefix=prefix, **options))
        return buses[-1]

    yield make_bus
    for bus in buses:
        bus.close()


@pytest.fixture
async def bus(nats_server: NatsServer, prefix: str) -> AsyncIterator[DynamicBus]:
    """A bus on the test's event loop."""
    async with lightbus.create(url=nats_server.url, prefix=prefix, service_name="svc") as made:
        yield made


# -- firing ----------------------------------------------------------------------------------------


def test_fire_returns_the_stored_event(make: Make) -> None:
    before = datetime.now(UTC)
    event = make("signup").auth.user_created.fire(username="ada", email="ada@example.com")
    assert (event.api_name, event.event_name, event.canonical_name) == (
        "auth",
        "user_created",
        "auth.user_created",
    )
    assert event.kwargs == {"username": "ada", "email": "ada@example.com", "admin": False}
    assert event.source == "/signup"
    assert before <= event.time <= datetime.now(UTC)


async def test_a_fired_event_is_on_the_stream(bus: DynamicBus, nats_server: NatsServer, prefix: str) -> None:
    event = await bus.auth.user_created.fire_async(username="ada", email="a@b")
    async with look_into(nats_server.url) as server:
        (stored,) = await stored_messages(server, naming.stream(prefix, "auth"))
    assert stored.subject == naming.subject(prefix, "auth", "user_created")
    assert event.id.encode() in stored.body


async def test_wrong_arguments_are_named_and_nothing_is_sent(
    bus: DynamicBus, nats_server: NatsServer, prefix: str
) -> None:
    with pytest.raises(InvalidEventArguments) as caught:
        await bus.auth.user_created.fire_async(username=5, pasword="x", admin=False)
    assert {(problem.path, problem.kind) for problem in caught.value.problems} == {
        ("email", "missing"),
        ("pasword", "unexpected"),
        ("username", "type"),
    }
    async with look_into(nats_server.url) as server:
        assert await stored_messages(server, naming.stream(prefix, "auth")) == []


def test_fire_works_from_many_threads(make: Make, seen: Seen) -> None:
    bus = make()

    def fire(number: int) -> None:
        seen(bus.auth.user_deleted.fire(username=str(number)).id)

    threads = [threading.Thread(target=fire, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND)
    assert len(set(seen.take(20))) == 20


async def test_a_blocking_call_on_an_event_loop_says_what_to_write(bus: DynamicBus) -> None:
    with pytest.raises(BlockingCall, match=r"await bus\.auth\.user_deleted\.fire_async"):
        bus.auth.user_deleted.fire(username="x")
    with pytest.raises(BlockingCall, match=r"await bus\.close_async"):
        bus.close()


# -- listening -------------------------------------------------------------------------------------


def test_a_plain_script_listens_and_fires(make: Make, seen: Seen) -> None:
    bus = make("script")
    bus.auth.user_created.listen(
        lambda username, email, admin: seen((username, email, admin)), listener_name="note"
    )
    bus.auth.user_created.fire(username="ada", email="a@b", admin=True)
    assert seen.take(1) == [("ada", "a@b", True)]


async def test_async_handlers_run_on_the_callers_loop(bus: DynamicBus, seen: Seen) -> None:
    async def handler(event: EventMessage, username: str) -> None:
        seen((username, event.attempt, asyncio.get_running_loop()))

    listener = await bus.auth.user_deleted.listen_async(handler, listener_name="note")
    assert (listener.event, listener.durable) == ("auth.user_deleted", "svc-note")
    await bus.auth.user_deleted.fire_async(username="ada")
    assert await seen.take_async(1) == [("ada", 1, asyncio.get_running_loop())]


async def test_sync_handlers_run_in_a_thread_and_may_fire(bus: DynamicBus, seen: Seen) -> None:
    def handler(username: str) -> None:
        bus.auth.user_created.fire(username=username, email="from the handler")
        seen(threading.current_thread())

    await bus.auth.user_deleted.listen_async(handler, listener_name="chain")
    await bus.auth.user_created.listen_async(lambda email, **_: seen(email), listener_name="end")
    await bus.auth.user_deleted.fire_async(username="ada")
    got = await seen.take_async(2)
    assert "from the handler" in got
    assert threading.main_thread() not in got


def test_a_sync_handler_of_a_sync_listener_may_fire(make: Make, seen: Seen) -> None:
    bus = make()
    bus.auth.user_deleted.listen(
        lambda username: bus.auth.user_created.fire(username=username, email="x"), listener_name="chain"
    )
    bus.auth.user_created.listen(lambda username, **_: seen(username), listener_name="end")
    bus.auth.user_deleted.fire(username="ada")
    assert seen.take(1) == ["ada"]


def test_every_listener_name_gets_every_event_and_services_share(make: Make, seen: Seen) -> None:
    for service in ("mailer", "mailer", "audit"):
        name = "welcome" if service == "mailer" else "note"
        make(service).auth.user_deleted.listen(
            lambda username, service=service: seen((service, username)), listener_name=name
        )
    producer = make()
    for number in range(10):
        producer.auth.user_deleted.fire(username=str(number))
    got = seen.take(20)
    for service in ("mailer", "audit"):
        assert sorted(user for name, user in got if name == service) == [str(number) for number in range(10)]
    assert seen.empty


async def test_values_arrive_as_their_declared_types(bus: DynamicBus, seen: Seen) -> None:
    await bus.auth.at.listen_async(lambda when: seen(when), listener_name="note")
    moment = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    await bus.auth.at.fire_async(when=moment)
    assert await seen.take_async(1) == [moment]


async def test_one_at_a_time_keeps_the_order(bus: DynamicBus, seen: Seen) -> None:
    for number in range(30):
        await bus.auth.user_deleted.fire_async(username=number)
    await bus.auth.user_deleted.listen_async(lambda username: seen(username), listener_name="note")
    assert await seen.take_async(30) == list(range(30))


async def test_concurrency_is_what_was_asked(bus: DynamicBus) -> None:
    running, most, enough = 0, 0, asyncio.Event()
    release = asyncio.Event()

    async def handler(username: str) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 3:
            enough.set()
        await release.wait()
        running -= 1

    for number in range(6):
        await bus.auth.user_deleted.fire_async(username=str(number))
    await bus.auth.user_deleted.listen_async(handler, listener_name="note", concurrency=3)
    await asyncio.wait_for(enough.wait(), BOUND)
    release.set()
    await bus.close_async()
    assert most == 3


@pytest.mark.parametrize(("since", "expected"), [("beginning", "before"), ("now", "after")])
async def test_since(bus: DynamicBus, seen: Seen, since: Any, expected: str) -> None:
    await bus.auth.user_deleted.fire_async(username="before")
    await bus.auth.user_deleted.listen_async(seen_username(seen), listener_name="note", since=since)
    await bus.auth.user_deleted.fire_async(username="after")
    assert (await seen.take_async(1)) == [expected]


def seen_username(seen: Seen) -> Callable[..., None]:
    def handler(username: str) -> None:
        seen(username)

    return handler


# -- errors in handlers ------------------------------------------------------------------------------


async def test_a_failing_event_is_retried_then_kept_as_a_dead_letter(
    bus: DynamicBus, seen: Seen, nats_server: NatsServer, prefix: str
) -> None:
    async def handler(event: EventMessage, username: str) -> None:
        seen((username, event.attempt))
        if username == "poison":
            raise ValueError("cannot handle this")

    await bus.auth.user_deleted.listen_async(handler, listener_name="note", retries=2, backoff=AT_ONCE)
    poison = await bus.auth.user_deleted.fire_async(username="poison")
    assert await seen.take_async(3) == [("poison", 1), ("poison", 2), ("poison", 3)]
    await bus.auth.user_deleted.fire_async(username="good")
    assert await seen.take_async(1) == [("good", 1)]
    await bus.close_async()
    async with look_into(nats_server.url) as server:
        (letter,) = await stored_messages(server, naming.dead_letter_stream(prefix))
        info = await server.api(f"CONSUMER.INFO.{naming.stream(prefix, 'auth')}.svc-note")
    assert poison.id.encode() in letter.body
    assert info["num_ack_pending"] == 0


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    "error",
    [StopIteration(), ValueError("\udcff"), Mute(), SystemExit(3), asyncio.CancelledError()],
    ids=repr_type,
)
async def test_whatever_a_handler_raises_its_event_is_kept_and_the_listener_goes_on(
    bus: DynamicBus,
    seen: Seen,
    nats_server: NatsServer,
    prefix: str,
    error: BaseException,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL, "lightbus")  # keeps non-Unicode text out of the report

    def handler(username: str) -> None:
        if username == "poison":
            raise error
        seen(username)

    await bus.auth.user_deleted.listen_async(handler, listener_name="note", retries=0)
    for username in ("poison", "good"):
        await bus.auth.user_deleted.fire_async(username=username)
    assert await seen.take_async(1) == ["good"]
    async with look_into(nats_server.url) as server:
        assert len(await stored_messages(server, naming.dead_letter_stream(prefix))) == 1


async def test_a_stream_made_again_keeps_its_dead_letters_apart(
    nats_server: NatsServer, prefix: str, seen: Seen
) -> None:
    def handler(username: str) -> None:
        seen(username)
        raise ValueError("never")

    async with look_into(nats_server.url) as server:
        for username in ("first", "second"):
            async with lightbus.create(url=nats_server.url, prefix=prefix) as bus:
                await bus.auth.user_deleted.listen_async(handler, listener_name="note", retries=0)
                await bus.auth.user_deleted.fire_async(username=username)
                assert await seen.take_async(1) == [username]
            await server.api(f"STREAM.DELETE.{naming.stream(prefix, 'auth')}")
        assert len(await stored_messages(server, naming.dead_letter_stream(prefix))) == 2


async def test_acknowledge_and_log_drops_and_goes_on(
    bus: DynamicBus, seen: Seen, caplog: pytest.LogCaptureFixture
) -> None:
    def handler(username: str) -> None:
        seen(username)
        raise ValueError("never mind")

    await bus.auth.user_deleted.listen_async(
        handler, listener_name="note", on_error=OnError.ACKNOWLEDGE_AND_LOG
    )
    for username in ("a", "b"):
        await bus.auth.user_deleted.fire_async(username=username)
    assert await seen.take_async(2) == ["a", "b"]
    await bus.close_async()
    assert "failed and is dropped: never mind" in caplog.text


async def test_shutdown_ends_the_wait_and_leaves_the_event(bus: DynamicBus, make: Make, seen: Seen) -> None:
    def handler(username: str) -> None:
        raise ValueError("stop everything")

    await bus.auth.user_deleted.listen_async(handler, listener_name="note", on_error=OnError.SHUTDOWN)
    event = await bus.auth.user_deleted.fire_async(username="ada")
    with pytest.raises(ListenerFailed, match="stop everything") as caught:
        await asyncio.wait_for(bus.wait_async(), BOUND)
    assert (caught.value.listener, caught.value.event_id) == ("svc-note", event.id)
    assert "stop everything" in lightbus.health(bus).reason
    await bus.close_async()
    next_run = make("svc")
    await next_run.auth.user_deleted.listen_async(seen_username(seen), listener_name="note")
    assert await seen.take_async(1) == ["ada"]
    await next_run.close_async()


@pytest.mark.parametrize(
    "body",
    [
        b"garbage",
        b'{"specversion":"1.0","id":"1","source":"/x","type":"auth.user_created","data":{"username":1}}',
    ],
)
async def test_what_cannot_be_read_goes_to_the_dead_letters_with_its_bytes(
    bus: DynamicBus, seen: Seen, nats_server: NatsServer, prefix: str, body: bytes
) -> None:
    await bus.auth.user_created.listen_async(lambda username, **_: seen(username), listener_name="note")
    async with look_into(nats_server.url) as server:
        await server.request(naming.subject(prefix, "auth", "user_created"), body, BOUND)
        await bus.auth.user_created.fire_async(username="good", email="x")
        assert await seen.take_async(1) == ["good"]
        (letter,) = await stored_messages(server, naming.dead_letter_stream(prefix))
    assert letter.body == body


# -- names and lookups -------------------------------------------------------------------------------


async def test_a_listener_name_is_taken_once_per_api(bus: DynamicBus) -> None:
    await bus.auth.user_created.listen_async(lambda **_: None, listener_name="note")
    with pytest.raises(
        DuplicateListenerName, match=r"already has a listener named 'note'.*auth\.user_created"
    ):
        await bus.auth.user_deleted.listen_async(lambda **_: None, listener_name="note")


async def test_a_listener_that_could_not_start_frees_its_name(bus: DynamicBus, make: Make) -> None:
    other = make("svc")
    await other.auth.user_created.listen_async(lambda **_: None, listener_name="note")
    with pytest.raises(lightbus.TransportError, match="already listens to"):
        await bus.auth.user_deleted.listen_async(lambda **_: None, listener_name="note")
    await bus.auth.user_created.listen_async(lambda **_: None, listener_name="note")
    await other.close_async()


def test_unknown_names_come_with_a_suggestion(make: Make) -> None:
    bus = make()
    with pytest.raises(UnknownApi, match="there is no API 'auht' \\(did you mean 'auth'\\?\\)"):
        bus.auht.user_created.fire()
    with pytest.raises(UnknownEvent, match="has no event 'user_create' \\(did you mean 'user_created'\\?\\)"):
        bus.auth.user_create.fire()
    with pytest.raises(UnknownApi, match=r"Lightbus 1\.x had bus\.client"):
        _ = bus.client
    assert not hasattr(bus, "nothing")


def test_a_process_without_apis_is_told_of_the_generated_bus_first(make: Make) -> None:
    with pytest.raises(
        UnknownApi, match=r"No API is known at all: pass the Bus .*, lightbus\.create\(Bus\)\. With"
    ):
        _ = make(apis=[]).auth


@pytest.mark.parametrize("name", ["rpc", "RpcMessage", "ResultMessage", "BusClient", "BusPath"])
def test_names_of_lightbus_1_are_explained(name: str) -> None:
    with pytest.raises(ImportError, match=rf"Lightbus 1\.x had lightbus\.{name}\. .*Coming from Lightbus"):
        exec(f"from lightbus import {name}")


def test_the_package_knows_its_version() -> None:
    assert lightbus.__version__ == metadata.version("lightbus-nats")


def test_dotted_apis_are_reached_part_by_part(make: Make, seen: Seen) -> None:
    class Orders(Api):
        placed = Event(parameters="number")

        class Meta:
            name = "shop.orders"

    bus = make()
    bus.shop.orders.placed.listen(lambda number: seen(number), listener_name="note")
    bus.shop.orders.placed.fire(number=7)
    assert seen.take(1) == [7]
    with pytest.raises(UnknownApi, match=r"shop\.order'.*did you mean 'shop\.orders'"):
        bus.shop.order.placed.fire(number=7)


def test_apis_can_be_named_explicitly(make: Make, auth_api: type[Api]) -> None:
    with pytest.raises(UnknownApi):
        make(apis=[]).auth.user_created.fire()
    assert make(apis=[auth_api]).auth.user_deleted.fire(username="x").id
    with pytest.raises(UsageError, match="given twice"):
        make(apis=[auth_api, auth_api])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"service_name": "my service"}, "not a valid service_name"),
        ({"prefix": "a.b"}, "not a valid prefix"),
        ({"timeout": 0}, "must be above 0"),
        ({"bus": lightbus.Bus, "apis": []}, "belong to a dynamic bus"),
        ({"bus": {"apis": {}}}, "takes the Bus class of a generated package, not dict"),
        ({"service": "mailer"}, r"no argument 'service' \(did you mean 'service_name'\?\)"),
        ({"config": {}}, "no argument 'config'; it takes url, .* Lightbus 1.x"),
    ],
)
def test_create_refuses_what_it_cannot_use(options: dict[str, Any], words: str) -> None:
    given = (options.pop("bus"),) if "bus" in options else ()
    with pytest.raises(UsageError, match=words):
        lightbus.create(*given, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"listener_name": "has-dash"}, "not a valid listener_name"),
        ({"concurrency": 0}, "concurrency=0 is not a whole number from 1"),
        ({"concurrency": "2"}, "concurrency='2' is not a whole number"),
        ({"retrys": 3}, r"no option 'retrys' \(did you mean 'retries'"),
        ({"retries": -1}, "retries=-1 is not a whole number from 0"),
        ({"on_error": "shutdown"}, r"is not an OnError, such as OnError\.SHUTDOWN"),
        ({"since": "start"}, "since='start' is not"),
        ({"since": datetime(2026, 1, 1)}, "since=.* is not .* with a time zone"),
        ({"since": datetime.min}, "since=.* is not .* with a time zone"),
        ({"since": datetime.now(UTC) + timedelta(days=1)}, "that is not in the future"),
        ({"since": datetime.max.replace(tzinfo=timezone(-timedelta(hours=12)))}, "not in the future"),
        ({"backoff": 5}, "backoff=5 is not a Backoff"),
        ({"ack_wait": 0}, "ack_wait=0 is not seconds above 0"),
        ({"listener_name": "x" * 128}, "at most 128"),
    ],
)
def test_listen_refuses_what_it_cannot_use(make: Make, options: dict[str, Any], words: str) -> None:
    options = {"listener_name": "note", **options}
    with pytest.raises(UsageError, match=words):
        make("service").auth.user_deleted.listen(lambda **_: None, **options)


async def test_since_takes_any_time_zone(bus: DynamicBus, seen: Seen) -> None:
    await bus.auth.user_deleted.fire_async(username="before")
    earlier = datetime.now(timezone(timedelta(hours=12))) - timedelta(minutes=1)
    await bus.auth.user_deleted.listen_async(seen_username(seen), listener_name="note", since=earlier)
    assert await seen.take_async(1) == ["before"]


def test_handlers_have_less_time_to_finish_than_kubernetes_gives_a_process(make: Make) -> None:
    assert make()._core.settings.grace == 25


# -- lifetime ----------------------------------------------------------------------------------------


async def test_async_with_leaves_nothing_behind(nats_server: NatsServer, prefix: str, seen: Seen) -> None:
    tasks = asyncio.all_tasks()
    threads = set(threading.enumerate())
    async with lightbus.create(url=nats_server.url, prefix=prefix) as bus:
        await bus.auth.user_deleted.listen_async(seen_username(seen), listener_name="note")
        await bus.auth.user_deleted.fire_async(username="ada")
        await seen.take_async(1)
    assert asyncio.all_tasks() == tasks
    left = {thread for thread in threading.enumerate() if not thread.name.startswith("asyncio")} - threads
    for thread in left:
        await asyncio.to_thread(thread.join, BOUND)
        assert not thread.is_alive()
    with pytest.raises(BusClosed):
        await bus.auth.user_deleted.fire_async(username="late")
    await bus.close_async()


def test_with_leaves_nothing_behind(make: Make, seen: Seen) -> None:
    threads = set(threading.enumerate())
    with make() as bus:
        bus.auth.user_deleted.listen(seen_username(seen), listener_name="note")
        bus.auth.user_deleted.fire(username="ada")
        seen.take(1)
    for thread in set(threading.enumerate()) - threads:
        thread.join(BOUND)
        assert not thread.is_alive()
    bus.close()
    with pytest.raises(BusClosed):
        bus.auth.user_deleted.fire(username="late")
    gc.collect()


async def test_close_lets_running_handlers_finish_and_fire(
    bus: DynamicBus, seen: Seen, nats_server: NatsServer, prefix: str
) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def handler(username: str) -> None:
        started.set()
        await go_on.wait()
        seen(await bus.auth.user_created.fire_async(username=username, email="while draining"))

    await bus.auth.user_deleted.listen_async(handler, listener_name="slow")
    await bus.auth.user_deleted.fire_async(username="ada")
    await asyncio.wait_for(started.wait(), BOUND)
    closing = asyncio.create_task(bus.close_async())
    await asyncio.sleep(0)
    with pytest.raises(BusClosed, match="closing"):
        await bus.auth.user_created.listen_async(lambda **_: None, listener_name="too_late")
    go_on.set()
    await asyncio.wait_for(closing, BOUND)
    (event,) = await seen.take_async(1)
    assert event.kwargs["email"] == "while draining"
    async with look_into(nats_server.url) as server:
        info = await server.api(f"CONSUMER.INFO.{naming.stream(prefix, 'auth')}.svc-slow")
    assert (info["num_ack_pending"], info["num_pending"]) == (0, 0)


async def test_a_cancelled_close_goes_on_and_can_be_waited_for(nats_server: NatsServer, prefix: str) -> None:
    bus = lightbus.create(url=nats_server.url, prefix=prefix, service_name="svc")
    before, running, go_on = asyncio.all_tasks(), asyncio.Event(), asyncio.Event()
    ended: list[str] = []

    async def handler(username: str) -> None:
        running.set()
        await go_on.wait()
        ended.append(username)

    await bus.auth.user_deleted.listen_async(handler, listener_name="note")
    await bus.auth.user_deleted.fire_async(username="ada")
    await asyncio.wait_for(running.wait(), BOUND)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(bus.close_async(), 0.05)
    go_on.set()
    await asyncio.wait_for(bus.close_async(), BOUND)
    assert ended == ["ada"]
    assert asyncio.all_tasks() == before


def test_several_threads_may_close_at_once(make: Make) -> None:
    for _ in range(10):
        bus, errors = make(), list[BaseException]()
        bus.auth.user_deleted.fire(username="x")

        def close(bus: DynamicBus = bus, errors: list[BaseException] = errors) -> None:
            try:
                bus.close()
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=close) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(BOUND)
        assert errors == []


async def test_a_listener_that_starts_while_the_bus_closes_is_refused(
    nats_server: NatsServer, prefix: str
) -> None:
    bus = lightbus.create(url=nats_server.url, prefix=prefix, service_name="svc")
    running, go_on = asyncio.Event(), asyncio.Event()

    async def handler(username: str) -> None:
        running.set()
        await go_on.wait()

    await bus.auth.user_deleted.listen_async(handler, listener_name="note")
    await bus.auth.user_deleted.fire_async(username="ada")
    await asyncio.wait_for(running.wait(), BOUND)
    starting = asyncio.create_task(bus.auth.user_deleted.listen_async(handler, listener_name="late"))
    await asyncio.sleep(0)
    closing = asyncio.create_task(bus.close_async())
    with pytest.raises(BusClosed):
        await asyncio.wait_for(starting, BOUND)
    go_on.set()
    await asyncio.wait_for(closing, BOUND)


async def test_a_connect_that_fails_after_its_caller_left_is_no_complaint(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    bus = make(url="nats://127.0.0.1:9")
    firing = asyncio.create_task(bus.auth.user_deleted.fire_async(username="x"))
    await asyncio.sleep(0)
    firing.cancel()
    await asyncio.wait({firing})
    await until(lambda: not lightbus.health(bus).ok, "the connect has failed")
    await bus.close_async()
    gc.collect()
    assert "never retrieved" not in caplog.text


def fire_many(bus: DynamicBus) -> None:
    try:
        bus.auth.user_deleted.fire_many([{"username": "never confirmed"}] * 3)
    except lightbus.BatchFailed as failed:
        assert [message for message, _ in failed.failed] == failed.messages
        raise failed.failed[0][1] from None


BLOCKING_FIRES: dict[str, Callable[[DynamicBus, EventMessage], object]] = {
    "fire": lambda bus, _: bus.auth.user_deleted.fire(username="never confirmed"),
    "fire_many": lambda bus, _: fire_many(bus),
    "fire_again": lambda bus, event: bus.auth.user_deleted.fire_again(event),
}


@pytest.mark.parametrize("is_adopted", [False, True], ids=["own loop", "adopted loop"])
@pytest.mark.parametrize("name", BLOCKING_FIRES)
def test_a_blocking_fire_that_the_close_overtakes_has_an_unknown_outcome(
    prefix: str, seen: Seen, name: str, is_adopted: bool
) -> None:
    """As an asynchronous one has: with the event, for another attempt."""
    with NatsServer() as server:
        bus = lightbus.create(url=server.url, prefix=prefix, timeout=600)

        def fire(event: EventMessage) -> None:
            try:
                BLOCKING_FIRES[name](bus, event)
            except lightbus.LightbusError as error:
                seen(error)

        def overtake() -> None:
            event = bus.auth.user_deleted.fire(username="before")
            pause(server)
            thread = threading.Thread(target=fire, args=(event,))
            thread.start()
            transport: Any = next(iter(bus._core.sessions.values())).transport
            while not transport._publisher._acknowledgements._waiting:
                thread.join(0.01)
            bus.close()
            thread.join(BOUND)

        async def adopted() -> None:
            bus._core.adopt(asyncio.get_running_loop())
            await asyncio.to_thread(overtake)

        if is_adopted:
            asyncio.run(adopted())
        else:
            overtake()
        (error,) = seen.take(1)
        resume(server)
    assert isinstance(error, lightbus.PublishUnknown)
    assert error.message is not None and error.message.id == error.event_id


def test_a_blocking_fire_that_waits_to_connect_while_the_bus_is_closed_was_not_sent(
    prefix: str, seen: Seen
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bus = lightbus.create(url=f"nats://127.0.0.1:{silent.getsockname()[1]}", prefix=prefix, timeout=600)

        def fire() -> None:
            try:
                bus.auth.user_deleted.fire(username="never sent")
            except lightbus.LightbusError as error:
                seen(error)

        thread = threading.Thread(target=fire)
        thread.start()
        connection, _ = silent.accept()
        with connection:
            bus.close()
            (error,) = seen.take(1)
    assert isinstance(error, BusClosed) and "outcome" not in str(error)


async def test_what_is_stuck_in_the_send_buffer_has_an_unknown_outcome(prefix: str) -> None:
    """Fire more bytes than sockets and buffers hold: nats-py gives up flushing, and sends them later all the same."""
    with NatsServer() as server:
        async with lightbus.create(url=server.url, prefix=prefix, timeout=4) as bus:
            await bus.auth.user_deleted.fire_async(username="before")
            pause(server)
            fires = (bus.auth.user_deleted.fire_async(username="x" * 1_000_000) for _ in range(20))
            results = await asyncio.gather(*fires, return_exceptions=True)
            resume(server)
    assert {type(result) for result in results} == {lightbus.PublishUnknown}


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_handler_cannot_close_its_own_bus(bus: DynamicBus, seen: Seen, kind: str) -> None:
    def close(username: str) -> None:
        try:
            bus.close()
        except UsageError as error:
            seen(str(error))

    async def close_async(username: str) -> None:
        try:
            await bus.close_async()
        except UsageError as error:
            seen(str(error))

    handler = close if kind == "sync" else close_async
    await bus.auth.user_deleted.listen_async(handler, listener_name="note")
    await bus.auth.user_deleted.fire_async(username="ada")
    (words,) = await seen.take_async(1)
    assert "a handler cannot close its own bus" in words
    assert (await bus.auth.user_deleted.fire_async(username="still open")).id


async def test_a_refused_close_does_not_end_a_close_that_is_under_way(bus: DynamicBus, seen: Seen) -> None:
    started, closing = asyncio.Event(), asyncio.Event()

    async def handler(username: str) -> None:
        started.set()
        await closing.wait()
        with pytest.raises(UsageError, match="a handler cannot close its own bus"):
            await bus.close_async()
        seen((await bus.auth.user_created.fire_async(username=username, email="while draining")).id)

    await bus.auth.user_deleted.listen_async(handler, listener_name="note")
    await bus.auth.user_deleted.fire_async(username="ada")
    await asyncio.wait_for(started.wait(), BOUND)
    close = asyncio.create_task(bus.close_async())
    await asyncio.sleep(0)
    closing.set()
    assert len(await seen.take_async(1)) == 1
    await asyncio.wait_for(close, BOUND)


async def test_a_handler_that_closes_its_bus_does_not_wait_for_a_close_under_way(
    bus: DynamicBus, seen: Seen
) -> None:
    started, closing = threading.Event(), threading.Event()

    def handler(username: str) -> None:
        started.set()
        closing.wait(BOUND)
        try:
            bus.close()
        except UsageError as error:
            seen(str(error))

    def use() -> None:
        bus.auth.user_deleted.listen(handler, listener_name="note")
        bus.auth.user_deleted.fire(username="ada")
        started.wait(BOUND)
        threading.Timer(0.1, closing.set).start()
        bus.close()

    await asyncio.wait_for(asyncio.to_thread(use), BOUND / 2)
    (words,) = await seen.take_async(1)
    assert "a handler cannot close its own bus" in words


async def test_a_handler_may_use_and_close_another_bus(bus: DynamicBus, memory_url: str, seen: Seen) -> None:
    def handler(username: str) -> None:
        with lightbus.create(url=memory_url) as other:
            seen(other.auth.user_deleted.fire(username=username).id)

    await bus.auth.user_deleted.listen_async(handler, listener_name="note")
    await bus.auth.user_deleted.fire_async(username="ada")
    assert await seen.take_async(1)


RUN_TWICE = """
import asyncio, sys, lightbus
from lightbus import Api, Event

class AuthApi(Api):
    user_deleted = Event(parameters="username")
    class Meta:
        name = "auth"

bus = lightbus.create(url=sys.argv[1], prefix=sys.argv[2])

async def listen_and_fire(username):
    seen = asyncio.Queue()
    await bus.auth.user_deleted.listen_async(seen.put, listener_name="note", ack_wait=1.0)
    await bus.auth.user_deleted.fire_async(username=username)
    while (await seen.get()).kwargs["username"] != username:
        pass

asyncio.run(listen_and_fire("first"))
asyncio.run(listen_and_fire("second"))
print("sessions:", len(bus._core.sessions))
bus.close()
"""


def test_one_bus_serves_one_asyncio_run_after_another(nats_server: NatsServer, prefix: str) -> None:
    """Run in a separate process, as loops that end without closing the bus leave sockets to the collector."""
    ran = subprocess.run(
        [sys.executable, "-c", RUN_TWICE, nats_server.url, prefix],
        stdout=subprocess.PIPE,
        text=True,
        timeout=BOUND * 2,
        check=True,
    )
    assert ran.stdout == "sessions: 1\n"


def test_wait_returns_when_the_bus_is_closed(make: Make) -> None:
    bus = make()
    waiting = threading.Thread(target=bus.wait)
    waiting.start()
    bus.close()
    waiting.join(BOUND)
    assert not waiting.is_alive()


def test_a_refused_connection_says_how_to_start_a_server(make: Make) -> None:
    with pytest.raises(lightbus.ConnectionFailed) as caught:
        make(url="nats://127.0.0.1:9").auth.user_deleted.fire(username="x")
    assert "connection refused" in str(caught.value)
    assert "lightbus server" in str(caught.value)


def test_jetstream_off_is_said(make: Make) -> None:
    with (
        NatsServer(jetstream=False) as server,
        pytest.raises(lightbus.TransportError, match="nats-server -js"),
    ):
        make(url=server.url).auth.user_deleted.fire(username="x")


def test_a_restarted_server_is_found_again(prefix: str, seen: Seen) -> None:
    with NatsServer() as server, lightbus.create(url=server.url, prefix=prefix) as bus:
        bus.auth.user_deleted.listen(seen_username(seen), listener_name="note")
        bus.auth.user_deleted.fire(username="before")
        assert seen.take(1) == ["before"]
        server.kill()
        server.start()
        bus.auth.user_deleted.fire(username="after")
        assert "after" in seen.take(1) + ([] if seen.empty else seen.take(1))


def test_a_bus_in_memory_needs_no_server(memory_url: str, seen: Seen) -> None:
    with lightbus.create(url=memory_url, service_name="test") as bus:
        bus.auth.user_deleted.listen(seen_username(seen), listener_name="note")
        bus.auth.user_deleted.fire(username="ada")
        assert seen.take(1) == ["ada"]


async def test_a_handler_that_cancels_itself_has_failed_like_any_other(bus: DynamicBus, seen: Seen) -> None:
    async def handler(event: EventMessage, username: str) -> None:
        seen(event.attempt)
        if event.attempt == 1:
            raise asyncio.CancelledError

    await bus.auth.user_deleted.listen_async(handler, listener_name="note", backoff=AT_ONCE)
    await bus.auth.user_deleted.fire_async(username="ada")
    assert await seen.take_async(2) == [1, 2]


async def test_a_listener_whose_durable_is_deleted_fails_loudly(
    bus: DynamicBus, nats_server: NatsServer, prefix: str
) -> None:
    await bus.auth.user_deleted.listen_async(lambda username: None, listener_name="note")
    async with look_into(nats_server.url) as server:
        await server.api(f"CONSUMER.DELETE.{naming.stream(prefix, 'auth')}.svc-note")
    with pytest.raises(ListenerFailed, match="was removed on the server"):
        await asyncio.wait_for(bus.wait_async(), BOUND)


# -- health ------------------------------------------------------------------------------------------


def test_a_bus_is_well_until_it_cannot_connect(make: Make) -> None:
    bus = make(url="nats://127.0.0.1:9")
    assert lightbus.health(bus) == lightbus.Health("")
    with pytest.raises(lightbus.ConnectionFailed):
        bus.auth.user_deleted.fire(username="x")
    assert not lightbus.health(bus).ok
    assert "connection refused" in lightbus.health(bus).reason


async def test_asking_for_the_health_of_a_bus_that_was_refused_connects_it(make: Make) -> None:
    """Otherwise a service behind a readiness probe, which gets no requests, would never be ready."""
    with NatsServer() as server:
        server.kill()
        bus = make(url=server.url)
        with pytest.raises(lightbus.ConnectionFailed):
            await bus.auth.user_deleted.fire_async(username="x")
        assert not lightbus.health(bus).ok
        server.start()
        await until(lambda: lightbus.health(bus).ok, "it is connected")
        await bus.close_async()


async def test_a_bus_whose_server_went_is_not_well_until_it_is_back(prefix: str) -> None:
    with NatsServer() as server:
        async with lightbus.create(url=server.url, prefix=prefix) as bus:
            await bus.auth.user_deleted.fire_async(username="x")
            assert lightbus.health(bus).ok
            server.kill()
            await until(lambda: "connection is down" in lightbus.health(bus).reason, "it is seen to be away")
            server.start()
            await until(lambda: lightbus.health(bus).ok, "it is back")


def test_a_closed_bus_is_not_well(make: Make) -> None:
    bus = make()
    bus.auth.user_deleted.fire(username="x")
    bus.close()
    assert lightbus.health(bus).reason == "the bus is closing, or closed"
