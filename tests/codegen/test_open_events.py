"""Events that allow further properties: each name means one property, when fired and when received."""

from __future__ import annotations

import asyncio
import functools
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lightbus
from lightbus import InvalidEventArguments
from lightbus_gen.generate import generate
from lightbus_gen.write.apply import apply
from lightbus_gen.write.plan import plan

BOUND = 20.0
SCHEMA = {
    "type": "object",
    "properties": {"user-name": {"type": "string"}},
    "required": ["user-name"],
    "additionalProperties": True,
}
CLOSED = SCHEMA | {"additionalProperties": False}
WIRE = {"user-name": "ada", "user_name": 1, "user_name_": 2, "self": 3, "self_": 4, "more": 5}
NAMES = {"user_name": "ada", "user_name_": 2, "self": 3, "self_": 4, "more": 5}


@pytest.fixture
def bus(importable: Path) -> Iterator[Any]:
    """A generated bus in memory, with an open event and a closed one."""
    texts = {
        "open/happened.json": json.dumps(SCHEMA).encode(),
        "open/closed.json": json.dumps(CLOSED).encode(),
    }
    apply(plan(importable, generate(Path("absent"), "open_bus", texts=texts), within="open_bus"))
    with lightbus.create(importlib.import_module("open_bus").Bus, url="memory://open") as made:
        yield made


async def test_what_arrives_can_be_fired_again(bus: Any) -> None:
    got: asyncio.Queue[dict[str, object]] = asyncio.Queue()

    class Listener:
        async def by_keyword(self, **values: object) -> None:
            await got.put(values)

    payload = importlib.import_module("open_bus.open").Happened

    async def as_object(event: payload) -> None:  # type: ignore[valid-type]
        await got.put({"user_name": event.user_name, **event.more})  # type: ignore[attr-defined]

    await bus.open.happened.listen_async(Listener().by_keyword, listener_name="one")
    await bus.open.happened.listen_async(as_object, listener_name="two")
    fired = await bus.open.happened.fire_async(**NAMES)
    assert fired.kwargs == NAMES
    received = [await asyncio.wait_for(got.get(), BOUND) for _ in range(2)]
    assert NAMES in received
    assert {name: value for name, value in NAMES.items() if name != "self"} in received  # by keyword


def test_a_python_name_means_the_declared_property(bus: Any) -> None:
    """An undeclared property of that name is valid on the wire; handlers do not get it."""
    contract = bus.open.happened._contract
    assert contract.decode(WIRE) == NAMES
    assert contract.by_wire_name(NAMES) == {
        name: value for name, value in WIRE.items() if name != "user_name"
    }


async def test_an_undeclared_property_whose_name_is_taken_stops_no_listener(bus: Any) -> None:
    got: asyncio.Queue[dict[str, object]] = asyncio.Queue()

    async def bound(
        queue: asyncio.Queue[dict[str, object]], event: lightbus.EventMessage, **values: object
    ) -> None:
        await queue.put(values)

    await bus.open.happened.listen_async(functools.partial(bound, got), listener_name="one")
    await bus.open.happened.fire_async(user_name="ada", queue=1, event=2, self=3, other=4)
    assert await asyncio.wait_for(got.get(), BOUND) == {"user_name": "ada", "other": 4}


@pytest.mark.parametrize("name", ["user-name", "user_name"])
async def test_a_parameter_is_not_a_further_property(bus: Any, name: str) -> None:
    payload = importlib.import_module("open_bus.open").Happened
    with pytest.raises(InvalidEventArguments, match=f"{name}: is the parameter 'user_name'"):
        await bus.open.happened.fire_many_async([payload(user_name="ada", more={name: "eve"})])


async def test_a_declared_property_goes_by_its_python_name(bus: Any) -> None:
    with pytest.raises(InvalidEventArguments, match="user-name: is the parameter 'user_name'"):
        await bus.open.happened.fire_async(**{"user-name": "ada", "self": 1})


@pytest.mark.parametrize("event", ["happened", "closed"])
async def test_wrong_arguments_are_never_a_bare_type_error(bus: Any, event: str) -> None:
    endpoint = getattr(bus.open, event)
    with pytest.raises(InvalidEventArguments):
        await endpoint.fire_async(**{"self": 1})
    with pytest.raises(InvalidEventArguments):
        await endpoint.fire_async(**{"user-name": "ada", "user_name": "eve", "self": 1})
