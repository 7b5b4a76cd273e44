"""Reading stored events from either end, on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from lightbus.event.envelope import Envelope
from lightbus.jetstream.connection.connection import Connection
from lightbus.jetstream.stored import direct_get
from lightbus.jetstream.stored.direct_get import StoredMessage
from lightbus.jetstream.stored.history import EventFilter, History, StoredEvent
from lightbus.jetstream.streams.resources import event_stream
from lightbus.testing import NatsServer
from tests.conformance.kits import look_into

EVENT = b'{"specversion":"1.0","id":"%s","source":"/s","type":"%s","data":{}}'


@pytest.fixture
async def server(nats_server: NatsServer) -> AsyncIterator[Connection]:
    async with look_into(nats_server.url) as connection:
        yield connection


async def create(server: Connection, prefix: str, api: str) -> str:
    stream = event_stream(prefix, api)
    await server.api(*stream.creation)
    return stream.name


async def store(server: Connection, prefix: str, name: str, ids: range) -> None:
    """Store events of a name with consecutive ids."""
    requests = (
        server.request(f"{prefix}.{name}", EVENT % (str(number).encode(), name.encode()), 20.0)
        for number in ids
    )
    await asyncio.gather(*requests)


@pytest.fixture
async def filled(server: Connection, prefix: str) -> Connection:
    """Two streams with common and rare events, one of them with gaps."""
    gappy = await create(server, prefix, "auth")
    await create(server, prefix, "shop")
    await store(server, prefix, "auth.rare", range(5))
    await store(server, prefix, "shop.paid", range(10, 20))
    await store(server, prefix, "auth.common", range(1000, 2600))
    await store(server, prefix, "shop.paid", range(20, 30))
    await store(server, prefix, "auth.common", range(2600, 2650))
    for sequence in (1, 900, *range(1000, 1300), 1650):
        await server.api(f"STREAM.MSG.DELETE.{gappy}", {"seq": sequence, "no_erase": True})
    return server


async def listed(events: AsyncIterator[StoredEvent]) -> list[tuple[str, int]]:
    return [(event.stream, event.sequence) async for event in events]


def count_messages(monkeypatch: pytest.MonkeyPatch) -> list[StoredMessage]:
    """Record the messages that the server sends from now on."""
    sent: list[StoredMessage] = []
    ask = direct_get._ask

    async def recorded(*arguments: Any) -> list[StoredMessage]:
        batch = await ask(*arguments)
        sent.extend(batch)
        return batch

    monkeypatch.setattr(direct_get, "_ask", recorded)
    return sent


async def test_the_latest_are_the_last_of_all(filled: Connection, prefix: str) -> None:
    everything = [event async for event in History(filled, prefix, EventFilter()).unread()]
    assert len(everything) == 1675 - 303
    moment = everything[700].stored
    for selection in (
        EventFilter(),
        EventFilter(names=("auth.rare",)),
        EventFilter(names=("*.rare", "shop.*")),
        EventFilter(since=moment),
        EventFilter(until=moment),
        EventFilter(since=moment, until=moment + timedelta(milliseconds=50)),
        EventFilter(names=("no.such",)),
    ):
        expected = await listed(History(filled, prefix, selection).unread())
        for limit in (1, 3, 25, 400, 5000):
            history = History(filled, prefix, selection)
            assert await listed(history.latest(limit)) == expected[-limit:]
            assert await listed(history.unread()) == []


async def test_a_few_of_the_latest_cost_a_few_messages(
    filled: Connection, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = count_messages(monkeypatch)
    assert len(await listed(History(filled, prefix, EventFilter()).latest(5))) == 5
    assert len(sent) <= 2 * direct_get.BATCH


async def test_reading_for_an_id_stops_at_the_hit(
    filled: Connection, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = count_messages(monkeypatch)
    selection = EventFilter(ids=frozenset({"2640", "25"}))
    events = [event async for event in History(filled, prefix, selection).latest(None)]
    assert [event.content.id for event in events if isinstance(event.content, Envelope)] == ["25", "2640"]
    assert len(sent) <= 2 * direct_get.BATCH


async def test_rare_events_cost_few_requests(
    filled: Connection, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = count_messages(monkeypatch)
    selection = EventFilter(names=("auth.rare",))
    assert len(await listed(History(filled, prefix, selection).latest(3))) == 3
    assert len(sent) < 20


@pytest.mark.parametrize("first_look", ["unread", "latest"])
async def test_a_stream_made_anew_is_read_from_its_beginning(
    server: Connection, prefix: str, first_look: str
) -> None:
    stream = await create(server, prefix, "auth")
    await store(server, prefix, "auth.common", range(9))
    history = History(server, prefix, EventFilter())
    assert len(await listed(history.latest(20) if first_look == "latest" else history.unread())) == 9
    await server.api(f"STREAM.DELETE.{stream}")
    await create(server, prefix, "auth")
    for count in (3, 9):  # fewer than before, then more
        await store(server, prefix, "auth.common", range(count))
        assert len(await listed(history.unread())) == count
