"""The example's generated bus on a real server: the three forms of a handler, and mistakes in untyped code."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from typing import Any

import pytest

import lightbus
from acme_bus import Bus
from acme_bus.auth import UserCreated
from lightbus import EventMessage, InvalidEventArguments, InvalidListener
from lightbus.testing import NatsServer

BOUND = 20.0


@pytest.fixture
async def bus(nats_server: NatsServer, prefix: str) -> AsyncIterator[Bus]:
    async with lightbus.create(Bus, url=nats_server.url, prefix=prefix, service_name="typed") as made:
        yield made


async def test_each_form_of_handler_gets_the_event(bus: Bus) -> None:
    got: asyncio.Queue[object] = asyncio.Queue()

    async def keyword(username: str, email: str, plan: str) -> None:
        await got.put((username, email, plan))

    async def message_first(event: EventMessage, username: str, **_: object) -> None:
        await got.put((event.canonical_name, username))

    async def payload_object(event: UserCreated) -> None:
        await got.put(event)

    await bus.auth.user_created.listen_async(keyword, listener_name="one")
    await bus.auth.user_created.listen_async(message_first, listener_name="two")
    await bus.auth.user_created.listen_async(payload_object, listener_name="three")
    fired = await bus.auth.user_created.fire_async(username="ada", email="a@b")
    assert fired.kwargs == {"username": "ada", "email": "a@b", "plan": "free"}
    arrived = [await asyncio.wait_for(got.get(), BOUND) for _ in range(3)]
    for expected in (
        ("ada", "a@b", "free"),
        ("auth.user_created", "ada"),
        UserCreated(username="ada", email="a@b", plan="free"),
    ):
        assert expected in arrived


def test_fire_async_is_a_coroutine_function_as_others_may_ask() -> None:
    with lightbus.create(Bus, url="memory://asked") as bus:
        assert inspect.iscoroutinefunction(bus.auth.user_created.fire_async)
        assert not inspect.iscoroutinefunction(bus.auth.user_created.fire)
        assert inspect.signature(bus.auth.user_created.fire).parameters.keys() == {
            "username",
            "email",
            "plan",
        }


async def test_wrong_arguments_of_untyped_code_are_all_named(bus: Bus) -> None:
    untyped: Any = bus.auth.user_created
    with pytest.raises(InvalidEventArguments) as caught:
        await untyped.fire_async(username="adam", emial="adam@example.com")
    assert {(problem.path, problem.kind) for problem in caught.value.problems} == {
        ("email", "missing"),
        ("emial", "unexpected"),
    }
    assert "did you mean 'email'" in str(caught.value)
    with pytest.raises(InvalidEventArguments, match="plan"):
        await untyped.fire_async(username="adam", email="a@b", plan="gold")
    with pytest.raises(TypeError, match="positional"):
        await untyped.fire_async("adam", username="adam", email="a@b")
    with pytest.raises(
        TypeError, match=r"auth\.user_created takes keyword, not positional, arguments: fire\(\*, user"
    ):
        await untyped.fire_async("adam", "a@b")


async def test_a_wrong_handler_of_untyped_code_is_refused_when_it_listens(bus: Bus) -> None:
    def remember(username, email):  # type: ignore[no-untyped-def]
        pass

    untyped: Any = bus.auth.user_updated
    with pytest.raises(InvalidListener, match=r"Write: def handler\(username: str, new_email: str\)"):
        await untyped.listen_async(remember, listener_name="remember")
