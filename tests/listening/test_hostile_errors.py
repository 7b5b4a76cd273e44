"""Whatever an exception of the user's does when it is shown, its event is settled and the listener continues."""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn

import pydantic
import pytest

import lightbus
from lightbus import Api, Backoff, Event, EventMessage, ListenerFailed, OnError, Parameter
from tests.conftest import Records
from tests.faults.waiting import BOUND, until

pytestmark = pytest.mark.usefixtures("job_api")


def exits(*_: object) -> NoReturn:
    raise SystemExit(3)


def raises(*_: object) -> NoReturn:
    raise ValueError("no")


def interrupts(*_: object) -> NoReturn:
    raise KeyboardInterrupt


class Text(str):
    encode = format = isprintable = replace = split = __len__ = raises  # type: ignore[assignment]


def error_class(base: Any = Exception, **members: Any) -> type[BaseException]:
    return type("Hostile", (base,), members)


METHODS = ("__str__", "__repr__", "__bool__", "__eq__", "__hash__", "__len__", "__format__", "__reduce_ex__")
ATTRIBUTES = ("__cause__", "__context__", "__traceback__", "__notes__", "__suppress_context__")
HOSTILE = {
    **{
        f"{name} {deed.__name__}": error_class(**{name: deed}) for name in METHODS for deed in (exits, raises)
    },
    **{
        f"{name} {deed.__name__}": error_class(**{name: property(deed)})
        for name in ATTRIBUTES
        for deed in (exits, raises)
    },
    "__str__ interrupts": error_class(__str__=interrupts),
    "__str__ is no text": error_class(__str__=lambda _: 5),
    "__str__ is a subclass": error_class(__str__=lambda _: Text("boo")),
    "__str__ has surrogates": error_class(__str__=lambda _: "\udc80"),
    "__getattr__ exits": error_class(__getattr__=exits),
    "__notes__ are hostile": error_class(__notes__=[error_class(__str__=exits)()]),
    "GeneratorExit": GeneratorExit,
    "a GeneratorExit": error_class(GeneratorExit, __str__=exits),
    "a CancelledError": error_class(asyncio.CancelledError),
    "StopIteration": StopIteration,
    "a StopIteration": error_class(StopIteration),
    "StopAsyncIteration": StopAsyncIteration,
    "a TimeoutError": error_class(TimeoutError, __str__=exits),
    "a SystemExit": error_class(SystemExit, __bool__=exits),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", ["async", "sync", "in a group", "a cause"])
async def test_a_listener_survives_any_exception(
    memory_url: str, kind: str, name: str, records: Records
) -> None:
    error, done = HOSTILE[name], asyncio.Event()
    loop = asyncio.get_running_loop()

    def sync(event: EventMessage, name: str) -> None:
        if name == "bad":
            match kind:
                case "in a group":
                    raise BaseExceptionGroup("several", [error("boo"), error("boo")])
                case "a cause":
                    raise ValueError("because") from error("boo")
                case _:
                    raise error("boo")
        loop.call_soon_threadsafe(done.set)

    async def handler(event: EventMessage, name: str) -> None:
        sync(event, name)

    async with lightbus.create(url=memory_url, service_name="jobs") as bus, asyncio.timeout(BOUND):
        listener = handler if kind == "async" else sync
        await bus.job.wanted.listen_async(
            listener, listener_name="l", retries=1, backoff=Backoff(first=0, limit=0)
        )
        await bus.job.wanted.fire_async(name="bad")
        await bus.job.wanted.fire_async(name="good")
        await done.wait()
        await until(
            lambda: any(" goes to the dead letters" in text for text in records.seen), "it is given up"
        )
    assert any("failed on attempt 1" in text for text in records.seen), records.seen


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("on_error", [OnError.SHUTDOWN, OnError.ACKNOWLEDGE_AND_LOG])
async def test_so_do_the_other_policies(
    memory_url: str, on_error: OnError, name: str, records: Records
) -> None:
    async def handler(event: EventMessage, name: str) -> None:
        raise error("boo")

    error = HOSTILE[name]
    async with lightbus.create(url=memory_url, service_name="jobs") as bus, asyncio.timeout(BOUND):
        await bus.job.wanted.listen_async(handler, listener_name="l", on_error=on_error)
        await bus.job.wanted.fire_async(name="bad")
        if on_error is OnError.SHUTDOWN:
            with pytest.raises(ListenerFailed):
                await bus.wait_async()
        else:
            await until(lambda: any("dropped" in text for text in records.seen), "it is dropped")


reading_raises: list[type[BaseException]] = []


class Note(pydantic.BaseModel):
    text: str

    @pydantic.field_validator("text")
    @classmethod
    def check(cls, text: str) -> str:
        if reading_raises and text.startswith("bad"):
            raise reading_raises[0]("boo")
        return text


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("filler", ["", "x" * 20_000], ids=["on the loop", "in a thread"])
async def test_so_it_does_when_the_users_types_raise(
    memory_url: str, filler: str, name: str, records: Records
) -> None:
    class NoteApi(Api):
        left = Event(parameters=(Parameter("note", Note),))

        class Meta:
            name = "note"

    done = asyncio.Event()

    async def handler(note: Note) -> None:
        done.set()

    async with lightbus.create(url=memory_url, service_name="jobs") as bus, asyncio.timeout(BOUND):
        await bus.note.left.fire_async(note=Note(text=f"bad{filler}"))
        await bus.note.left.fire_async(note=Note(text="good"))
        reading_raises.append(HOSTILE[name])
        try:
            await bus.note.left.listen_async(handler, listener_name="l")
            await done.wait()
        finally:
            reading_raises.clear()
    assert any("goes to the dead letters" in text for text in records.seen), records.seen
