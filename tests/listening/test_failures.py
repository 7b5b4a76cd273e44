"""The outcome of events that listeners give up, on a real nats-server: the promises of docs/delivery.md."""

from __future__ import annotations

import asyncio
import logging
import queue
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace as replaced
from datetime import UTC, datetime
from typing import Any

import pytest

import lightbus
from lightbus import Api, Backoff, Event, EventMessage, OnError, Parameter, naming
from lightbus.bus.dynamic import DynamicBus
from lightbus.event.dead_letter import DeadLetter, Failure, Filter
from lightbus.jetstream import JetStreamTransport
from lightbus.jetstream.connection.wire import header_block
from lightbus.jetstream.stored.dead_letters import JetStreamDeadLetters
from lightbus.jetstream.streams.ensure import create
from lightbus.jetstream.streams.resources import (
    dead_letter_stream,
    durable,
    event_stream,
    replay_durable,
    replay_stream,
)
from lightbus.naming import Place
from lightbus.testing import NatsServer
from lightbus.transport import Consumer, Provision
from tests.conformance.kits import look_into

BOUND = 20.0
AT_ONCE = Backoff(first=0, limit=0)


class Seen:
    """Collects what handlers receive, from any thread, and lets tests wait for it."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Any] = queue.Queue()

    def __call__(self, value: Any) -> None:
        self._queue.put(value)

    async def take(self, count: int = 1) -> list[Any]:
        return await asyncio.to_thread(lambda: [self._queue.get(timeout=BOUND) for _ in range(count)])

    @property
    def empty(self) -> bool:
        return self._queue.empty()


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture(autouse=True)
def auth_api() -> type[Api]:
    class AuthApi(Api):
        user_created = Event(parameters=(Parameter("username", str),))

        class Meta:
            name = "auth"

    return AuthApi


Service = Callable[[str], DynamicBus]


@pytest.fixture
async def service(nats_server: NatsServer, prefix: str) -> AsyncIterator[Service]:
    """Start services by name; all are closed when the test ends."""
    buses: list[DynamicBus] = []

    def start(name: str) -> DynamicBus:
        buses.append(lightbus.create(url=nats_server.url, prefix=prefix, service_name=name))
        return buses[-1]

    yield start
    for bus in buses:
        await bus.close_async()


@asynccontextmanager
async def opened(url: str, prefix: str) -> AsyncIterator[JetStreamDeadLetters]:
    transport = JetStreamTransport(url, service_name="", prefix=prefix)
    await transport.connect()
    try:
        yield transport.dead_letters
    finally:
        await transport.close()


@pytest.fixture
async def store(nats_server: NatsServer, prefix: str) -> AsyncIterator[JetStreamDeadLetters]:
    """The test's dead letters."""
    async with opened(nats_server.url, prefix) as found:
        yield found


async def until(store: JetStreamDeadLetters, count: int) -> list[DeadLetter]:
    """Wait until there is a number of dead letters and nothing is replayed, and return them."""
    async with asyncio.timeout(BOUND):
        while True:
            is_settled = not await store.replaying()
            found = [dead_letter async for dead_letter in store.find(Filter())]
            if is_settled and len(found) == count:
                return found


async def replay(store: JetStreamDeadLetters, *dead_letters: DeadLetter) -> None:
    for dead_letter in dead_letters:
        assert await store.replay(dead_letter)


async def replay_until_handled(store: JetStreamDeadLetters, handler: Broken) -> None:
    """Replay a dead letter whose handler fails again, and once more when it is mended."""
    (dead_letter,) = await until(store, 1)
    await replay(store, dead_letter)
    (again,) = await until(store, 1)
    assert again.replays == 1
    handler.is_broken = False
    await replay(store, again)
    assert await until(store, 0) == []


async def until_unserved(store: JetStreamDeadLetters, dead_letter: DeadLetter) -> None:
    """Wait until the server knows that a listener's workers are gone, so that none is sent a replay."""
    async with asyncio.timeout(BOUND):
        while await store.is_served(dead_letter):
            pass


class Broken:
    """A handler that fails until it is repaired."""

    def __init__(self, seen: Seen) -> None:
        self.is_broken = True
        self._seen = seen

    async def __call__(self, event: EventMessage, username: str) -> None:
        self._seen((username, event.attempt, event.id))
        if self.is_broken:
            raise LookupError(f"no {username}")


# -- dead letters ------------------------------------------------------------------------------------


async def test_a_dead_letter_tells_everything(
    service: Service, store: JetStreamDeadLetters, seen: Seen
) -> None:
    bus = service("mailer")
    await bus.auth.user_created.listen_async(
        Broken(seen), listener_name="welcome", retries=2, backoff=AT_ONCE
    )
    event = await bus.auth.user_created.fire_async(username="ada")
    (dead_letter,) = await until(store, 1)
    assert (dead_letter.event, dead_letter.event_id) == ("auth.user_created", event.id)
    assert (dead_letter.place.listener, dead_letter.place.sequence) == ("mailer-welcome", 1)
    assert dead_letter.failure.reason == "LookupError: no ada"
    assert dead_letter.failure.error == "LookupError"
    assert dead_letter.failure.traceback.splitlines()[-2].strip() == 'raise LookupError(f"no {username}")'
    assert len(dead_letter.failure.digest) == 12
    assert dead_letter.attempts == 3
    assert dead_letter.place.stored <= dead_letter.first_failed == dead_letter.last_failed
    assert event.id.encode() in dead_letter.body


async def test_equal_failures_share_a_digest(service: Service, store: JetStreamDeadLetters) -> None:
    def handler(username: str) -> None:
        if len(username) == 3:
            raise KeyError(username)
        int(username)

    bus = service("mailer")
    await bus.auth.user_created.listen_async(handler, listener_name="welcome", retries=0)
    for username in ("ada", "bob", "eight"):
        await bus.auth.user_created.fire_async(username=username)
    digests = {
        dead_letter.failure.reason: dead_letter.failure.digest for dead_letter in await until(store, 3)
    }
    assert digests["KeyError: 'ada'"] == digests["KeyError: 'bob'"]
    assert len(set(digests.values())) == 2


GARBAGE = b"\xff\x00 garbage"
INVALID = b'{"specversion":"1.0","id":"one","source":"/x","type":"auth.user_created","data":{"username":1}}'


@pytest.mark.parametrize(
    ("body", "error", "event_id"),
    [(GARBAGE, "UnreadableEvent", ""), (INVALID, "InvalidEvent", "one")],
    ids=["unreadable", "schema-invalid"],
)
async def test_what_cannot_be_used_arrives_with_its_bytes_and_can_be_replayed(
    service: Service,
    store: JetStreamDeadLetters,
    nats_server: NatsServer,
    prefix: str,
    seen: Seen,
    body: bytes,
    error: str,
    event_id: str,
) -> None:
    await service("mailer").auth.user_created.listen_async(seen, listener_name="welcome")
    async with look_into(nats_server.url) as server:
        await server.request(naming.subject(prefix, "auth", "user_created"), body, BOUND)
    (dead_letter,) = await until(store, 1)
    assert (dead_letter.body, dead_letter.failure.error, dead_letter.event_id) == (body, error, event_id)
    assert dead_letter.attempts == 1
    await replay(store, dead_letter)
    (again,) = await until(store, 1)
    assert (again.body, again.failure, again.replays) == (body, dead_letter.failure, 1)


GOOD = INVALID.replace(b":1}", b':"ada"}')
CUT = [b"NATS/1.0\r\nX: yz", b"NATS/1.0\r\nX: yz\r\n", b"NATS/1.0", b"NA"]
"""Header blocks without an end."""


@pytest.mark.parametrize("header", CUT)
async def test_a_cut_header_block_reaches_no_handler(
    service: Service,
    store: JetStreamDeadLetters,
    nats_server: NatsServer,
    prefix: str,
    seen: Seen,
    header: bytes,
) -> None:
    """Neither as an event, nor as a replay of the dead letter that it becomes."""
    await service("mailer").auth.user_created.listen_async(
        lambda username: seen(username), listener_name="welcome"
    )
    async with look_into(nats_server.url) as server:
        server.send(naming.subject(prefix, "auth", "user_created"), GOOD, header=header)
        (dead_letter,) = await until(store, 1)
        assert (dead_letter.body, dead_letter.failure.error) == (GOOD, "UnreadableEvent")
        assert dead_letter.failure.reason == "its header block is cut off"
        subject = naming.replay_subject(prefix, dead_letter.place, dead_letter.number)
        header = header_block({"Lightbus-Subject": dead_letter.subject})[:-2]
        server.send(subject, GOOD, header=header)
        await server.processed()
        assert await until(store, 1) == [dead_letter]
    assert seen.empty


# -- replays -----------------------------------------------------------------------------------------


async def test_a_replay_reaches_the_service_that_failed_and_no_other(
    service: Service, store: JetStreamDeadLetters, seen: Seen
) -> None:
    handler, others = Broken(seen), Seen()
    mailer, audit = service("mailer"), service("audit")
    await mailer.auth.user_created.listen_async(handler, listener_name="welcome", retries=0)
    for listener in ("welcome", "other"):
        await audit.auth.user_created.listen_async(lambda username: others(username), listener_name=listener)
    event = await audit.auth.user_created.fire_async(username="ada")
    assert await others.take(2) == ["ada", "ada"]
    assert await seen.take() == [("ada", 1, event.id)]
    (dead_letter,) = await until(store, 1)
    handler.is_broken = False
    await replay(store, dead_letter)
    assert await seen.take() == [("ada", 1, event.id)]  # attempts start again, the id is the same
    assert await until(store, 0) == []
    await audit.auth.user_created.fire_async(username="bob")
    assert await others.take(2) == ["bob", "bob"]
    assert others.empty


async def test_an_event_does_not_wait_for_a_replay_that_takes_long(
    service: Service, store: JetStreamDeadLetters, seen: Seen, nats_server: NatsServer, prefix: str
) -> None:
    """It was taken by a worker that may run one handler at a time; another one is idle."""
    first, second, begun, done = service("mailer"), service("mailer"), Seen(), asyncio.Event()
    is_broken = True

    async def slow(username: str) -> None:
        if is_broken:
            raise ValueError("not yet")
        begun(username)
        await done.wait()

    async def quick(username: str) -> None:
        seen(username)

    await first.auth.user_created.listen_async(slow, listener_name="welcome", retries=0, ack_wait=3.0)
    await first.auth.user_created.fire_async(username="ada")
    (dead_letter,) = await until(store, 1)
    is_broken = False
    await replay(store, dead_letter)
    assert await begun.take() == ["ada"]
    await first.auth.user_created.fire_async(username="bob")
    async with look_into(nats_server.url) as server, asyncio.timeout(BOUND):
        durable = f"CONSUMER.INFO.{naming.stream(prefix, 'auth')}.mailer-welcome"
        while not (await server.api(durable))["num_ack_pending"]:
            pass  # until the first one has it
    await second.auth.user_created.listen_async(quick, listener_name="welcome", retries=0)
    assert await seen.take() == ["bob"]
    done.set()
    assert await until(store, 0) == []
    assert begun.empty


async def test_a_replay_is_retried_like_an_event(
    service: Service, store: JetStreamDeadLetters, seen: Seen
) -> None:
    async def handler(event: EventMessage, username: str) -> None:
        seen(event.attempt)
        raise ValueError(f"attempt {event.attempt}")

    bus = service("mailer")
    await bus.auth.user_created.listen_async(handler, listener_name="welcome", retries=2, backoff=AT_ONCE)
    await bus.auth.user_created.fire_async(username="ada")
    (first,) = await until(store, 1)
    await replay(store, first)
    assert await seen.take(6) == [1, 2, 3, 1, 2, 3]
    (second,) = await until(store, 1)
    assert (second.attempts, second.replays, second.first_failed) == (3, 1, first.last_failed)


async def test_replays_share_the_listeners_concurrency(
    service: Service, store: JetStreamDeadLetters, seen: Seen
) -> None:
    running, most, is_broken = 0, 0, True

    async def handler(username: str) -> None:
        nonlocal running, most
        if is_broken:
            raise ValueError("not yet")
        running += 1
        most = max(most, running)
        for _ in range(20):
            await asyncio.sleep(0)  # lets other tasks run, if they can
        running -= 1
        seen(username)

    bus = service("mailer")
    await bus.auth.user_created.listen_async(handler, listener_name="welcome", retries=0)
    for number in range(10):
        await bus.auth.user_created.fire_async(username=f"old {number}")
    dead_letters = await until(store, 10)
    is_broken = False
    await asyncio.gather(
        *(bus.auth.user_created.fire_async(username=f"new {number}") for number in range(10)),
        replay(store, *dead_letters),
    )
    assert len(set(await seen.take(20))) == 20
    assert most == 1


async def test_a_replay_waits_until_its_service_runs(
    service: Service, store: JetStreamDeadLetters, seen: Seen
) -> None:
    handler = Broken(seen)
    first_run = service("mailer")
    await first_run.auth.user_created.listen_async(handler, listener_name="welcome", retries=0)
    event = await first_run.auth.user_created.fire_async(username="ada")
    (dead_letter,) = await until(store, 1)
    await first_run.close_async()
    await until_unserved(store, dead_letter)
    await replay(store, dead_letter)
    handler.is_broken = False
    await service("mailer").auth.user_created.listen_async(handler, listener_name="welcome")
    assert await seen.take(2) == [("ada", 1, event.id)] * 2
    assert await until(store, 0) == []


async def test_closing_gives_a_replay_back_that_waits_for_its_turn(
    service: Service, store: JetStreamDeadLetters, seen: Seen
) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def handler(username: str) -> None:
        if username == "poison":
            raise ValueError("never")
        started.set()
        await go_on.wait()

    bus = service("mailer")
    await bus.auth.user_created.listen_async(handler, listener_name="welcome", retries=0)
    await bus.auth.user_created.fire_async(username="poison")
    (dead_letter,) = await until(store, 1)
    await bus.auth.user_created.fire_async(username="slow")
    await asyncio.wait_for(started.wait(), BOUND)
    await replay(store, dead_letter)
    closing = asyncio.create_task(bus.close_async())
    for _ in range(50):  # turns of the event loop, until closing waits for the handler
        await asyncio.sleep(0)
    go_on.set()
    await asyncio.wait_for(closing, BOUND)
    assert await store.replaying() == {dead_letter.key}
    assert await store.latest(dead_letter) == dead_letter.number


async def test_a_shutting_down_listener_keeps_its_replays(
    service: Service, store: JetStreamDeadLetters, seen: Seen
) -> None:
    async def handler(username: str) -> None:
        raise ValueError("stop everything")

    bus = service("mailer")
    await bus.auth.user_created.listen_async(Broken(seen), listener_name="welcome", retries=0)
    await bus.auth.user_created.fire_async(username="ada")
    (dead_letter,) = await until(store, 1)
    await bus.close_async()
    await until_unserved(store, dead_letter)
    strict = service("mailer")
    await strict.auth.user_created.listen_async(handler, listener_name="welcome", on_error=OnError.SHUTDOWN)
    await replay(store, dead_letter)
    with pytest.raises(lightbus.ListenerFailed, match="stop everything"):
        await asyncio.wait_for(strict.wait_async(), BOUND)
    await strict.close_async()
    assert await store.replaying() == {dead_letter.key}


WORKER = """
import os, sys
import lightbus
from lightbus import Api, Event, EventMessage, Parameter

class AuthApi(Api):
    user_created = Event(parameters=(Parameter("username", str),))
    class Meta:
        name = "auth"

async def handler(event: EventMessage, username):
    print("handling", event.id, event.attempt, flush=True)
    if sys.argv[3] == "hang":
        import asyncio
        await asyncio.sleep(60)

bus = lightbus.create(url=sys.argv[1], prefix=sys.argv[2], service_name="mailer")
bus.auth.user_created.listen(handler, listener_name="welcome", ack_wait=1.0)
bus.wait()
"""


def test_a_worker_that_is_killed_during_a_replay_loses_nothing(nats_server: NatsServer, prefix: str) -> None:
    def start(mood: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", WORKER, nats_server.url, prefix, mood], stdout=subprocess.PIPE, text=True
        )

    async def prepare() -> str:
        async def handler(username: str) -> None:
            raise ValueError("not yet")

        async with (
            lightbus.create(url=nats_server.url, prefix=prefix, service_name="mailer") as bus,
            opened(nats_server.url, prefix) as store,
        ):
            await bus.auth.user_created.listen_async(
                handler, listener_name="welcome", retries=0, ack_wait=1.0
            )
            event = await bus.auth.user_created.fire_async(username="ada")
            (dead_letter,) = await until(store, 1)
        async with opened(nats_server.url, prefix) as store:
            await replay(store, dead_letter)
        return str(event.id)

    async def look(count: int) -> None:
        async with opened(nats_server.url, prefix) as store:
            if count:
                (dead_letter,) = [dead_letter async for dead_letter in store.find(Filter())]
                assert await store.replaying() == {dead_letter.key}
            else:
                await until(store, 0)

    event_id = asyncio.run(prepare())
    for mood, attempt in (("hang", 1), ("work", 2)):
        with start(mood) as worker:
            try:
                assert worker.stdout is not None
                assert worker.stdout.readline() == f"handling {event_id} {attempt}\n"
                asyncio.run(look(1 if mood == "hang" else 0))
            finally:
                worker.send_signal(signal.SIGKILL)
    asyncio.run(look(0))


async def test_a_replay_whose_dead_letter_went_before_a_crash_is_acknowledged(
    service: Service, store: JetStreamDeadLetters, seen: Seen
) -> None:
    """The dead letter is removed first, then the replay; a worker may die in between."""
    handler = Broken(seen)
    bus = service("mailer")
    await bus.auth.user_created.listen_async(handler, listener_name="welcome", retries=0)
    await bus.auth.user_created.fire_async(username="ada")
    (dead_letter,) = await until(store, 1)
    handler.is_broken = False
    assert await store.remove(dead_letter.number)
    await replay(store, dead_letter)
    assert len(await seen.take(2)) == 2
    assert await until(store, 0) == []


async def test_replays_go_on_after_the_server_was_killed(seen: Seen, prefix: str) -> None:
    handler = Broken(seen)
    with NatsServer() as server:
        async with (
            lightbus.create(url=server.url, prefix=prefix, service_name="mailer") as bus,
            opened(server.url, prefix) as store,
        ):
            await bus.auth.user_created.listen_async(handler, listener_name="welcome", retries=0)
            await bus.auth.user_created.fire_async(username="ada")
            (dead_letter,) = await until(store, 1)
            handler.is_broken = False
            server.kill()
            server.start()
            await replay(store, dead_letter)
            assert len(await seen.take(2)) == 2
            assert await until(store, 0) == []


# -- least privilege ---------------------------------------------------------------------------------

SERVICE = """
    { user: mailer, password: x, permissions: { publish: { %s: [ %s ] } } }
    { user: admin, password: x }
"""


@asynccontextmanager
async def restricted(*subjects: str, allowed: bool = False) -> AsyncIterator[tuple[str, str]]:
    """Run a server that denies a service some subjects, or allows only those; yields its URL and an operator's."""
    quoted = ", ".join(f'"{subject}"' for subject in subjects)
    users = SERVICE % ("allow" if allowed else "deny", quoted)
    with NatsServer(config=f"authorization {{ users = [ {users} ] }}\n") as server:
        yield server.url.replace("//", "//mailer:x@"), server.url.replace("//", "//admin:x@")


STREAM, DURABLE, SUBJECT = "lightbus-auth", "mailer-welcome", "lightbus.auth.user_created"
REPLAYS = f"lightbus-dead-letters-replays.{DURABLE}@{STREAM}"
NEEDED = [  # the table of docs/protocol.md
    "$JS.API.INFO",
    f"$JS.API.STREAM.INFO.{STREAM}",
    "$JS.API.STREAM.INFO.lightbus-dead-letters-replays",
    f"$JS.API.CONSUMER.INFO.{STREAM}.{DURABLE}",
    f"$JS.API.CONSUMER.CREATE.{STREAM}.{DURABLE}.{SUBJECT}",
    f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{DURABLE}",
    f"$JS.ACK.{STREAM}.{DURABLE}.>",
    f"lightbus-dead-letters.{STREAM}.{DURABLE}.>",
    f"$JS.API.CONSUMER.INFO.{REPLAYS}",
    f"$JS.API.CONSUMER.CREATE.{REPLAYS}.lightbus-dead-letters-replays.{STREAM}.{DURABLE}.>",
    f"$JS.API.CONSUMER.MSG.NEXT.{REPLAYS}",
    f"$JS.ACK.{REPLAYS}.>",
    "$JS.API.STREAM.MSG.DELETE.lightbus-dead-letters",
]


async def test_the_documented_permissions_are_enough(seen: Seen) -> None:
    handler = Broken(seen)
    async with (
        restricted(*NEEDED, allowed=True) as (url, operator),
        lightbus.create(url=operator, service_name="other") as other,
        opened(operator, "lightbus") as store,
        lightbus.create(url=url, service_name="mailer") as bus,
    ):
        async with look_into(operator) as server:
            await create(server, dead_letter_stream("lightbus", server.version))
            await create(server, replay_stream("lightbus"))
        await other.auth.user_created.fire_async(username="ada")
        await bus.auth.user_created.listen_async(handler, listener_name="welcome", retries=0)
        await replay_until_handled(store, handler)
        assert len(await seen.take(3)) == 3


async def test_what_is_no_replay_is_refused_and_ended(seen: Seen, messages: Seen) -> None:
    """Whoever may send replays can put anything on their stream; it reaches no handler, and is not delivered again."""
    stream = "lightbus-dead-letters-replays"
    async with (
        restricted(*NEEDED, allowed=True) as (url, operator),
        look_into(operator) as server,
        lightbus.create(url=url, service_name="mailer") as bus,
    ):
        await create(server, event_stream("lightbus", "auth"))
        await create(server, dead_letter_stream("lightbus", server.version))
        await create(server, replay_stream("lightbus"))
        await bus.auth.user_created.listen_async(lambda username: seen(username), listener_name="welcome")
        for number in range(3):
            await server.request(f"{stream}.{STREAM}.{DURABLE}.{number}", b"{}", BOUND)
        async with asyncio.timeout(BOUND):
            while (await server.api(f"STREAM.INFO.{stream}"))["state"]["messages"]:
                pass
        assert seen.empty
        assert "on 'lightbus-dead-letters-replays.lightbus-auth.mailer-welcome." in (await messages.take())[0]


class Messages(logging.Handler):
    """Passes on the text of every record."""

    def __init__(self, seen: Seen) -> None:
        super().__init__(logging.WARNING)
        self._seen = seen

    def emit(self, record: logging.LogRecord) -> None:
        self._seen(record.getMessage())


@pytest.fixture
def messages() -> Iterator[Seen]:
    """The library's warnings."""
    seen = Seen()
    handler = Messages(seen)
    logging.getLogger("lightbus").addHandler(handler)
    yield seen
    logging.getLogger("lightbus").removeHandler(handler)


async def test_a_service_that_may_take_no_replays_listens_all_the_same(seen: Seen, messages: Seen) -> None:
    async with (
        restricted("$JS.API.*.*.lightbus-dead-letters-replays.>") as (url, _),
        lightbus.create(url=url, service_name="mailer") as bus,
    ):
        await bus.auth.user_created.listen_async(lambda username: seen(username), listener_name="welcome")
        (message,) = await messages.take()
        assert message.startswith(
            "mailer-welcome: cannot take replays of its dead letters: the NATS server at"
        )
        await bus.auth.user_created.fire_async(username="ada")
        assert await seen.take() == ["ada"]


@pytest.mark.parametrize("provision", ["create", "verify"])
@pytest.mark.parametrize("is_taken", [False, True], ids=["kept", "id taken"])
async def test_a_service_that_may_not_read_dead_letters_keeps_each_once(
    provision: Provision, is_taken: bool
) -> None:
    """The server drops a second copy of a failure; if another client used its id elsewhere, the only one."""
    place = Place(STREAM, DURABLE, 1, datetime(2026, 1, 1, tzinfo=UTC))
    failure, now = Failure("first"), datetime.now(UTC)
    letter = DeadLetter.first(place, SUBJECT, {}, b"x", attempts=1, failure=failure, now=now)
    async with (
        restricted("$JS.API.DIRECT.GET.>") as (url, operator),
        look_into(operator) as server,
        opened(operator, "lightbus") as store,
    ):
        await create(server, dead_letter_stream("lightbus", server.version))
        transport = JetStreamTransport(url, service_name="mailer", prefix="lightbus", provision=provision)
        await transport.connect()
        if is_taken:
            elsewhere = replaced(letter, place=replaced(place, listener="other"), body=b"bogus")
            await transport.dead_letters._store(elsewhere, {"Nats-Msg-Id": letter.message_id})
        await transport.dead_letters.keep(letter)
        await transport.dead_letters.keep(replaced(letter, failure=Failure("after a crash")))
        await transport.close()
        (kept,) = [found async for found in store.find(Filter(listener=DURABLE))]
        assert kept.body == b"x" and kept.failure.reason in ("first", *["after a crash"] * is_taken)


@pytest.mark.parametrize("provision", ["create", "verify"])
async def test_a_service_that_may_not_read_dead_letters_takes_replays(
    seen: Seen, provision: Provision
) -> None:
    handler = Broken(seen)
    async with (
        restricted("$JS.API.DIRECT.GET.>") as (url, operator),
        look_into(operator) as server,
        lightbus.create(url=operator, service_name="mailer") as producer,
        lightbus.create(url=url, service_name="mailer", provision=provision) as bus,
        opened(operator, "lightbus") as store,
    ):
        for stream in (
            event_stream("lightbus", "auth"),
            dead_letter_stream("lightbus", server.version),
            replay_stream("lightbus"),
        ):
            await create(server, stream)
        consumer = Consumer("auth", "user_created", DURABLE)
        for needed in (durable("lightbus", consumer), replay_durable("lightbus", consumer)):
            await create(server, needed)
        await bus.auth.user_created.listen_async(handler, listener_name="welcome", retries=0)
        await producer.auth.user_created.fire_async(username="ada")
        await replay_until_handled(store, handler)


async def test_a_dead_letter_stays_that_its_service_may_not_remove(
    seen: Seen, caplog: pytest.LogCaptureFixture
) -> None:
    handler = Broken(seen)
    async with (
        restricted("$JS.API.STREAM.MSG.DELETE.>") as (url, operator),
        lightbus.create(url=url, service_name="mailer") as bus,
        opened(operator, "lightbus") as store,
    ):
        await bus.auth.user_created.listen_async(handler, listener_name="welcome", retries=0)
        await bus.auth.user_created.fire_async(username="ada")
        (dead_letter,) = await until(store, 1)
        handler.is_broken = False
        await replay(store, dead_letter)
        assert await until(store, 1) == [dead_letter]
        assert len(await seen.take(2)) == 2
        assert "dead letter 1 was handled, but cannot be removed" in caplog.text
