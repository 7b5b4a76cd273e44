"""Schemas of standards bodies, unmodified: generated, fired and received through a real server."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

import lightbus
from lightbus import naming
from lightbus.testing import NatsServer
from tests.codegen.corpora import generate_cdevents, generate_openlineage
from tests.conformance.kits import look_into, stored_messages

BOUND = 20.0
Corpus = tuple[str, list[tuple[str, Any]]]


@pytest.fixture(
    params=[("cdevents", generate_cdevents), ("openlineage", generate_openlineage)],
    ids=["cdevents", "openlineage"],
)
def corpus(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Corpus]:
    """An API and its published (event name, payload) pairs, with the generated package importable."""
    name: str
    generate: Callable[[Path], Iterator[tuple[str, Path]]]
    name, generate = request.param
    found = [(event, json.loads(path.read_bytes())) for event, path in generate(tmp_path)]
    monkeypatch.syspath_prepend(tmp_path)
    yield name, found
    for module in [module for module in sys.modules if module.split(".")[0] == f"{name}_bus"]:
        del sys.modules[module]


async def test_every_published_event_arrives_as_it_was_fired(
    corpus: Corpus, nats_server: NatsServer, prefix: str
) -> None:
    api, events = corpus
    bus_class = importlib.import_module(f"{api}_bus").Bus
    received: asyncio.Queue[object] = asyncio.Queue()
    async with lightbus.create(bus_class, url=nats_server.url, prefix=prefix, service_name="it") as bus:
        for name in dict(events):
            await getattr(getattr(bus, api), name).listen_async(received.put, listener_name=name)
        for name, event in events:
            await getattr(getattr(bus, api), name).fire_async(**event)
            payload = await asyncio.wait_for(received.get(), BOUND)
            assert type(payload).__name__.lower() == name.lower()
            assert read_times(msgspec.to_builtins(present(payload))) == read_times(event)
    async with look_into(nats_server.url) as server:
        stored = await stored_messages(server, naming.stream(prefix, api))
    assert len(events) >= 40
    assert [json.loads(message.body)["data"] for message in stored] == [event for _, event in events]


def present(payload: Any) -> dict[str, Any]:
    """The values of a payload object that were present in the event, by parameter name."""
    values = {name: getattr(payload, name) for name in payload.__dataclass_fields__}
    return {name: value for name, value in values.items() if value is not lightbus.UNSET}


def read_times(value: Any) -> Any:
    """Parse every string that is a date and time, as the same one can be written in several ways."""
    if isinstance(value, dict):
        return {key: read_times(child) for key, child in value.items()}
    if isinstance(value, list):
        return [read_times(child) for child in value]
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) and "T" in value else value
    except ValueError:
        return value
