"""48 schemas of a standards body, as they are: generated, fired and received through a real server."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

import lightbus
from lightbus import naming
from lightbus.testing import NatsServer
from tests.codegen.cdevents import PACKAGE, generate_cdevents
from tests.conformance.kits import look_into, stored_messages

BOUND = 20.0


@pytest.fixture
def events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The conformance event of each event name, with the generated package importable."""
    found = {name: json.loads(path.read_bytes()) for name, path in generate_cdevents(tmp_path)}
    monkeypatch.syspath_prepend(tmp_path)
    yield found
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


async def test_every_conformance_event_arrives_as_it_was_fired(
    events: dict[str, Any], nats_server: NatsServer, prefix: str
) -> None:
    bus_class = importlib.import_module(PACKAGE).Bus
    received: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
    async with lightbus.create(bus_class, url=nats_server.url, prefix=prefix, service_name="cd") as bus:
        for name, event in events.items():

            async def handler(event: object, name: str = name) -> None:
                await received.put((name, event))

            endpoint = getattr(bus.cdevents, name)
            await endpoint.listen_async(handler, listener_name=name)
            await endpoint.fire_async(**event)
        arrived = dict([await asyncio.wait_for(received.get(), BOUND) for _ in events])
    async with look_into(nats_server.url) as server:
        stored = await stored_messages(server, naming.stream(prefix, "cdevents"))
    assert len(events) == 48
    assert [json.loads(message.body)["data"] for message in stored] == list(events.values())
    for name, event in events.items():
        payload = arrived[name]
        assert type(payload).__name__.lower() == name
        assert isinstance(payload.context["timestamp"], datetime)
        assert read_times(msgspec.to_builtins(present(payload))) == read_times(event)


def present(payload: Any) -> dict[str, Any]:
    """The values of a payload object that the event carried, by parameter name."""
    values = {name: getattr(payload, name) for name in payload.__dataclass_fields__}
    return {name: value for name, value in values.items() if value is not lightbus.UNSET}


def read_times(value: Any) -> Any:
    """Read every text that is a moment, as one moment can be written in several ways."""
    if isinstance(value, dict):
        return {key: read_times(child) for key, child in value.items()}
    if isinstance(value, list):
        return [read_times(child) for child in value]
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) and "T" in value else value
    except ValueError:
        return value
