"""Events fired together, and events of unknown outcome fired again."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import lightbus
from acme_bus import Bus
from acme_bus.auth import UserCreated, UserDeleted
from lightbus import BatchFailed, BlockingCall, InvalidEventArguments, PublishUnknown, UsageError, naming
from lightbus.testing import NatsServer
from tests.conformance.kits import look_into, stored_messages
from tests.faults.servers import pause, resume

BOUND = 30.0


@pytest.fixture(params=["memory", "server"])
def bus(request: pytest.FixtureRequest, prefix: str, memory_url: str) -> Iterator[Bus]:
    url = request.getfixturevalue("nats_server").url if request.param == "server" else memory_url
    yield lightbus.create(Bus, url=url, prefix=prefix, service_name="shop")


def created(*names: str) -> list[UserCreated]:
    return [UserCreated(username=name, email=f"{name}@example.com") for name in names]


async def test_a_batch_arrives_whole_and_in_order(bus: Bus) -> None:
    seen: list[UserCreated] = []
    done = asyncio.Event()
    names = [f"user {number}" for number in range(500)]

    async def handler(event: UserCreated) -> None:
        seen.append(event)
        if len(seen) == len(names):
            done.set()

    async with bus:
        messages = await bus.auth.user_created.fire_many_async(created(*names))
        assert [message.kwargs["username"] for message in messages] == names
        assert {message.kwargs["plan"] for message in messages} == {"free"}
        assert len({message.id for message in messages}) == len(names)
        await bus.auth.user_created.listen_async(handler, listener_name="all")
        await asyncio.wait_for(done.wait(), BOUND)
    assert seen == created(*names)


async def test_no_events_are_no_trouble(bus: Bus) -> None:
    async with bus:
        assert await bus.auth.user_created.fire_many_async([]) == []


def test_a_script_fires_a_batch(bus: Bus) -> None:
    with bus:
        assert len(bus.auth.user_created.fire_many(iter(created("ada", "bob")))) == 2


async def test_a_batch_is_validated_before_anything_is_sent(nats_server: NatsServer, prefix: str) -> None:
    bus = lightbus.create(Bus, url=nats_server.url, prefix=prefix)
    wrong: Any = 5
    async with bus:
        with pytest.raises(InvalidEventArguments, match="username"):
            await bus.auth.user_created.fire_many_async(
                [*created("ada"), UserCreated(username=wrong, email="a@b")]
            )
        async with look_into(nats_server.url) as server:
            assert await stored_messages(server, naming.stream(prefix, "auth")) == []


@pytest.mark.parametrize("wrong", [UserDeleted(username="ada"), 5, None])
async def test_what_is_no_payload_of_the_event_is_refused(bus: Bus, wrong: Any) -> None:
    async with bus:
        with pytest.raises(UsageError, match="takes UserCreated objects"):
            await bus.auth.user_created.fire_many_async([wrong])


async def test_a_dynamic_bus_takes_mappings(memory_url: str, job_api: object) -> None:
    async with lightbus.create(url=memory_url) as bus:
        messages = await bus.job.wanted.fire_many_async([{"name": "a"}, {"name": "b"}])
        assert [message.kwargs for message in messages] == [{"name": "a"}, {"name": "b"}]
        with pytest.raises(UsageError, match="takes mapping objects"):
            await bus.job.wanted.fire_many_async(["a"])


async def test_blocking_on_a_loop_is_refused(bus: Bus) -> None:
    with pytest.raises(BlockingCall, match="fire_many_async"):
        bus.auth.user_created.fire_many(created("ada"))
    await bus.close_async()


def test_the_events_are_made_in_the_callers_thread(bus: Bus) -> None:
    """A generator may be bound to its thread, as a cursor of sqlite3 is, and may be slow."""
    threads: set[int] = set()

    def made() -> Iterator[UserCreated]:
        for event in created("ada", "bob"):
            threads.add(threading.get_ident())
            yield event

    with bus:
        bus.auth.user_created.fire_many(made())
    assert threads == {threading.get_ident()}


async def test_large_events_stay_in_their_order(nats_server: NatsServer, prefix: str) -> None:
    """Fire more than the client accepts into its buffer."""
    async with lightbus.create(Bus, url=nats_server.url, prefix=prefix) as bus:
        names = [f"{number:03}" + "x" * 50_000 for number in range(150)]
        await bus.auth.user_created.fire_many_async(created(*names))
        async with look_into(nats_server.url) as server:
            stored = await stored_messages(server, naming.stream(prefix, "auth"))
    assert [json.loads(message.body)["data"]["username"] for message in stored] == names


async def turns() -> None:
    """Let all tasks that can run do so."""
    for _ in range(200):
        await asyncio.sleep(0)


async def cancelled_amid(bus: Bus, events: list[UserCreated]) -> None:
    """Fire a batch, and cancel it while it is being sent."""
    firing = asyncio.create_task(bus.auth.user_created.fire_many_async(events))
    await turns()
    firing.cancel()
    await asyncio.wait({firing}, timeout=BOUND / 2)
    assert firing.cancelled()


async def test_a_cancelled_batch_ends_at_once_and_leaves_nothing(
    prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    with NatsServer() as server, warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        async with lightbus.create(Bus, url=server.url, prefix=prefix, timeout=BOUND) as bus:
            await bus.auth.user_created.fire_async(username="ada", email="a@b")
            pause(server)
            try:
                await cancelled_amid(bus, created(*("x" * 50_000 for _ in range(400))))
            finally:
                resume(server)
            gc.collect()
    assert [str(complaint.message) for complaint in complaints] == []
    assert "never retrieved" not in caplog.text


async def test_a_batch_outlasts_a_restart_of_the_server(prefix: str) -> None:
    """Events that have to be resent are awaited concurrently."""
    with NatsServer() as server:
        async with lightbus.create(Bus, url=server.url, prefix=prefix, timeout=BOUND) as bus:
            await bus.auth.user_created.fire_async(username="ada", email="a@b")
            pause(server)
            names = [str(number) for number in range(2_000)]
            firing = asyncio.create_task(bus.auth.user_created.fire_many_async(created(*names)))
            await turns()  # by then all are being sent
            server.kill()
            server.start()
            assert len(await firing) == len(names)
            async with look_into(server.url) as inside:
                stored = await stored_messages(inside, naming.stream(prefix, "auth"))
    found = {json.loads(message.body)["data"]["username"] for message in stored}
    assert found == {"ada", *names}
    assert len(stored) == 1 + len(names)


# -- unknown outcomes ------------------------------------------------------------------------------


Fire = Callable[[Bus], Any]


async def test_an_event_whose_outcome_is_unknown_can_be_fired_again_and_is_stored_once(prefix: str) -> None:
    with NatsServer() as server:
        bus = lightbus.create(Bus, url=server.url, prefix=prefix, timeout=0.5)
        async with bus:
            await bus.auth.user_created.fire_many_async(created("before"))
            pause(server)
            try:
                with pytest.raises(PublishUnknown, match="fire_again") as caught:
                    await bus.auth.user_created.fire_async(username="ada", email="a@b")
                with pytest.raises(BatchFailed, match="2 of 2 events") as batch:
                    await bus.auth.user_created.fire_many_async(created("bob", "eve"))
            finally:
                resume(server)
            unknown = caught.value
            assert unknown.message is not None and unknown.message.id == unknown.event_id
            assert [message for message, _ in batch.value.failed] == batch.value.messages
            errors = [error for _, error in batch.value.failed]
            assert [getattr(error, "message", None) for error in errors] == batch.value.messages
            for message in [unknown.message, *batch.value.messages]:
                async with asyncio.timeout(BOUND):
                    while True:
                        try:
                            assert await bus.auth.user_created.fire_again_async(message) == message
                            break
                        except lightbus.TransportError:
                            continue  # the server is starting
            async with look_into(server.url) as inside:
                stored = await stored_messages(inside, naming.stream(prefix, "auth"))
    ids = [json.loads(message.body)["id"] for message in stored]
    again = [unknown.message, *batch.value.messages]
    assert sorted(ids[1:]) == sorted(message.id for message in again)
    times = {json.loads(message.body)["id"]: json.loads(message.body)["time"] for message in stored}
    assert all(times[message.id] == message.time.isoformat().replace("+00:00", "Z") for message in again)
