"""What failed is freed at once, without the garbage collector: exceptions hold frames, and frames hold events."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pydantic
import pytest

import lightbus
from lightbus import Api, Backoff, Event, EventMessage, OnError, Parameter
from lightbus.testing import NatsServer
from tests.faults.waiting import until

EVENTS = 10


class Note(pydantic.BaseModel):
    text: str

    @pydantic.field_validator("text")
    @classmethod
    def check(cls, text: str) -> str:
        if text.startswith("defective") and defects:
            raise KeyError(text)
        return text


defects: list[bool] = []


@pytest.fixture(autouse=True)
def note_api() -> None:
    class NoteApi(Api):
        left = Event(parameters=(Parameter("note", Note),))

        class Meta:
            name = "note"


@pytest.fixture(autouse=True)
def nothing_collects() -> Iterator[None]:
    """Turn the collector and the log off, as pytest keeps records with their exceptions."""
    logger = logging.getLogger("lightbus")
    gc.collect()
    gc.disable()
    logger.disabled = True
    yield
    logger.disabled = False
    gc.enable()


def exceptions() -> list[str]:
    """Return all exceptions but those of sockets: nats-py keeps the last one, which has no event."""
    return [
        repr(value)
        for value in gc.get_objects()
        if issubclass(type(value), BaseException) and not issubclass(type(value), OSError)
    ]


async def raises(event: EventMessage, note: Note) -> None:
    raise ValueError(note.text)


async def raises_from(event: EventMessage, note: Note) -> None:
    try:
        await raises(event, note)
    except ValueError as error:
        raise KeyError("other") from error


async def awaits_and_raises(event: EventMessage, note: Note) -> None:
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await asyncio.sleep(0)
        raise ValueError(note.text)


async def takes_too_long(event: EventMessage, note: Note) -> None:
    await asyncio.Event().wait()


async def cancels_itself(event: EventMessage, note: Note) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


def raises_in_a_thread(event: EventMessage, note: Note) -> None:
    raise ValueError(note.text)


def stops_in_a_thread(event: EventMessage, note: Note) -> None:
    next(iter(()))


def returns_a_coroutine(event: EventMessage, note: Note) -> Any:
    return raises(event, note)


HANDLERS: list[Callable[..., Any]] = [
    raises,
    raises_from,
    awaits_and_raises,
    takes_too_long,
    cancels_itself,
    raises_in_a_thread,
    stops_in_a_thread,
    returns_a_coroutine,
]


@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("on_error", [OnError.DEAD_LETTER, OnError.ACKNOWLEDGE_AND_LOG])
async def test_no_failure_of_a_handler_is_kept(
    memory_url: str, on_error: OnError, handler: Callable[..., Any]
) -> None:
    await _nothing_is_kept(memory_url, handler, "text", on_error=on_error, timeout=0.02)


@pytest.mark.parametrize("text", ["defective", "defective" + "x" * 20_000], ids=["small", "large"])
async def test_nor_is_one_of_reading(memory_url: str, text: str) -> None:
    defects.append(True)
    try:
        await _nothing_is_kept(memory_url, raises, text)
    finally:
        defects.clear()


async def test_nor_is_one_on_a_server(nats_server: NatsServer, prefix: str) -> None:
    await _nothing_is_kept(nats_server.url, raises, "text", prefix=prefix)


async def _nothing_is_kept(
    url: str, handler: Callable[..., Any], text: str, *, prefix: str = "lightbus", **options: Any
) -> None:
    count = 0

    async with lightbus.create(url=url, service_name="jobs", prefix=prefix) as bus:
        await bus.note.left.listen_async(
            handler, listener_name="l", retries=1, backoff=Backoff(first=0, limit=0), **options
        )
        (worker,) = bus._core.sessions[asyncio.get_running_loop()]._workers
        settling: Any = worker._settling
        carry_out = settling.carry_out

        async def counted(*arguments: Any) -> None:
            nonlocal count
            await carry_out(*arguments)
            count += 1

        settling.carry_out = counted
        defects_before, defects[:] = defects[:], []
        notes = [Note(text=text)] * EVENTS
        defects[:] = defects_before
        before = exceptions()
        for note in notes:
            await bus.note.left.fire_async(note=note)
        await until(lambda: count >= EVENTS, "all have failed")
        await until(lambda: not worker._settling.held, "all are settled")
        after = exceptions()
    assert len(after) < len(before) + EVENTS // 2, after  # a few may still be on their way


def failing_fires(bus: Any, event: EventMessage) -> None:
    fires: list[Callable[[], Any]] = [
        lambda: bus.note.left.fire(note=5),
        lambda: bus.note.left.fire(text="x"),
        lambda: bus.note.left.fire_many([{"note": 5}]),
        lambda: bus.note.left.fire(note=Note(text="x" * 2_000_000)),
        lambda: bus.note.left.fire_many([{"note": Note(text="x" * 2_000_000)}]),
        lambda: bus.note.left.fire_again(event),
    ]
    for fire in fires:
        with contextlib.suppress(lightbus.LightbusError):
            fire()


def test_no_failed_fire_is_kept(nats_server: NatsServer, prefix: str) -> None:
    with lightbus.create(url=nats_server.url, prefix=prefix) as bus:
        event = bus.note.left.fire(note=Note(text="x"))
        huge = EventMessage(event.id, "note", "left", {"note": Note(text="x" * 2_000_000)}, event.time, "/x")
        failing_fires(bus, huge)
        before = exceptions()
        for _ in range(3):
            failing_fires(bus, huge)
        assert len(exceptions()) <= len(before)


@pytest.mark.parametrize("url", ["nats://127.0.0.1:1", "nats://user:pass word@127.0.0.1"])
def test_nor_one_that_cannot_connect(url: str) -> None:
    with lightbus.create(url=url, timeout=2) as bus:
        before = exceptions()
        for _ in range(2):  # the first may leave something that is made once
            before = exceptions()
            with contextlib.suppress(lightbus.LightbusError):
                bus.note.left.fire(note=Note(text="x"))
        assert len(exceptions()) <= len(before)
