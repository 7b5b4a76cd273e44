"""Events that allow further properties: they are fired, handed to handlers and fired again, whatever their names."""

from __future__ import annotations

import asyncio
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
NAMES = {"user_name": "ada", "user_name_": 1, "user_name__": 2, "self_": 3, "self__": 4, "more": 5}


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
    for _ in range(2):
        assert await asyncio.wait_for(got.get(), BOUND) == NAMES


def test_names_on_the_wire_are_those_of_the_schema(bus: Any) -> None:
    contract = bus.open.happened._contract
    assert contract.decode(WIRE) == NAMES
    assert {contract.wire_name(name): value for name, value in NAMES.items()} == WIRE


async def test_a_declared_property_may_go_by_its_name_on_the_wire(bus: Any) -> None:
    fired = await bus.open.happened.fire_async(**{"user-name": "ada", "self": 1})
    assert fired.kwargs == {"user_name": "ada", "self_": 1}


@pytest.mark.parametrize("event", ["happened", "closed"])
async def test_wrong_arguments_are_never_a_bare_type_error(bus: Any, event: str) -> None:
    endpoint = getattr(bus.open, event)
    with pytest.raises(InvalidEventArguments):
        await endpoint.fire_async(**{"self": 1})
    with pytest.raises(InvalidEventArguments):
        await endpoint.fire_async(**{"user-name": "ada", "user_name": "eve", "self": 1})
