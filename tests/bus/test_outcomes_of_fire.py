"""What `fire()` and its kin raise: only what the table of docs/delivery.md lists, whatever fails below them.

Each error of the library is raised where the code below `fire()` meets errors: when it connects, when it sends, as the
answer, and when the stream is created.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pkgutil
import re
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import lightbus
from lightbus import Api, DynamicBus, Event, EventMessage, errors
from lightbus.errors import BatchFailed, BlockingCall, LightbusError, PublishUnknown, TransportError
from lightbus.jetstream import JetStreamTransport
from lightbus.jetstream.acknowledgements import Acknowledgements, Answer, Unanswered
from lightbus.jetstream.connection.connection import Connection
from lightbus.jetstream.streams.ensure import Provisioner
from lightbus.testing import NatsServer

DOCS = Path(__file__).parents[2] / "docs" / "delivery.md"
ROW = re.compile(r"^\| (`\w+`[^|]*) \| ([^|]*) \| ([^|]*) \|$", re.MULTILINE)
# What is raised before there is an event to fire, and by the other side of the bus
ELSEWHERE = {
    *("DefinitionError", "DuplicateApi"),  # when a class is defined
    *("UnreadableEvent", "InvalidEvent", "HandlerTimeout", "ListenerFailed"),  # in a listener
    *("ServerError", "PortTaken", "OutputFailed", "_PayloadError"),  # by `lightbus server`; a base class
}


class PaidApi(Api):
    paid = Event()

    class Meta:
        name = "till"


def rows() -> dict[type[LightbusError], tuple[set[str], str]]:
    """Return the table: who raises an error, and what it says of the event."""
    section = DOCS.read_text().split("## When fire() fails")[1].split("\n## ")[0]
    return {
        getattr(errors, name): (set(re.findall(r"\w+", raised_by)), meaning)
        for names, raised_by, meaning in ROW.findall(section)
        for name in re.findall(r"`(\w+)`", names)
    }


TABLE = rows()


def subclasses(parent: type[LightbusError]) -> Iterator[type[LightbusError]]:
    for child in parent.__subclasses__():
        yield child
        yield from subclasses(child)


def all_errors(parent: type[LightbusError]) -> list[type[LightbusError]]:
    """Return the library's errors, those of its internal modules included."""
    for module in pkgutil.walk_packages(lightbus.__path__, "lightbus."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found = {error for error in subclasses(parent) if error.__module__.startswith("lightbus.")}
    return sorted(found, key=lambda error: error.__name__)


def made(error: type[LightbusError]) -> LightbusError:
    """Return an instance, with arguments as its annotations say."""
    values: dict[str, Any] = {"int": 1, "float": 1.0, "Sequence[EventMessage]": ()}
    values["Sequence[tuple[EventMessage, TransportError]]"] = [(None, TransportError("inner"))]
    if inspect.getattr_static(error, "__init__") is inspect.getattr_static(Exception, "__init__"):
        return error("text")
    annotations = [parameter.annotation for parameter in inspect.signature(error).parameters.values()]
    return error(*(values.get(annotation, "text") for annotation in annotations))


def listed(error: BaseException, function: str) -> str:
    """Return what the table says of an error that a function raised."""
    for kind in type(error).__mro__:
        if kind in TABLE:
            raised_by, meaning = TABLE[kind]
            assert raised_by & {function, "all"}, f"{function} raises {error!r}"
            return meaning
    raise AssertionError(f"the table does not list {error!r}")


def test_each_error_is_listed_or_raised_elsewhere() -> None:
    """Those of the transport are sorted out by the tests below, as many of them stay inside."""
    for error in all_errors(LightbusError):
        if not issubclass(error, TransportError) and error.__name__ not in ELSEWHERE:
            assert any(kind in TABLE for kind in error.__mro__), error
    assert {"fire", "fire_many", "fire_again", "all"} == {name for who, _ in TABLE.values() for name in who}


FIRES: dict[str, Callable[[DynamicBus, EventMessage], Awaitable[object]]] = {
    "fire": lambda bus, _: bus.till.paid.fire_async(),
    "fire_many": lambda bus, _: bus.till.paid.fire_many_async([{}]),
    "fire_again": lambda bus, event: bus.till.paid.fire_again_async(event),
    "fire, blocking": lambda bus, _: asyncio.to_thread(bus.till.paid.fire),
    "fire_many, blocking": lambda bus, _: asyncio.to_thread(bus.till.paid.fire_many, [{}]),
    "fire_again, blocking": lambda bus, event: asyncio.to_thread(bus.till.paid.fire_again, event),
}


def raising(error: LightbusError) -> Callable[..., Any]:
    def fail(*arguments: object, **options: object) -> Any:
        raise error

    return fail


def raising_later(error: LightbusError) -> Callable[..., Any]:
    async def fail(*arguments: object, **options: object) -> Any:
        raise error

    return fail


def answering(error: LightbusError) -> Callable[..., asyncio.Future[Answer | None]]:
    def answer(*arguments: object, **options: object) -> asyncio.Future[Answer | None]:
        future: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        future.set_exception(error)
        return future

    return answer


PLACES: dict[str, tuple[type, str, Callable[[LightbusError], Callable[..., Any]]]] = {
    "connecting": (Connection, "open", raising_later),
    "asking for JetStream": (Connection, "api", raising_later),
    "subscribing": (Acknowledgements, "start", raising_later),
    "sending": (Acknowledgements, "send", raising),
    "answer": (Acknowledgements, "send", answering),
    "creating the stream": (Provisioner, "ensure_on_demand", raising_later),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", FIRES)
async def test_whatever_fails_below_the_outcome_is_a_listed_one(
    nats_server: NatsServer, prefix: str, monkeypatch: pytest.MonkeyPatch, name: str, place: str
) -> None:
    owner, attribute, way = PLACES[place]
    event = await fired(nats_server, prefix)
    for error in all_errors(TransportError):
        with monkeypatch.context() as patch:
            patch.setattr(owner, attribute, way(made(error)))
            bus = lightbus.create(url=nats_server.url, prefix=f"{prefix}x", apis=[PaidApi], timeout=0.1)
            async with bus:
                try:
                    await FIRES[name](bus, event)
                except LightbusError as outcome:
                    function = name.partition(",")[0]
                    _check(outcome, function, is_sent=error is Unanswered and place == "answer")
                else:
                    assert place == "asking for JetStream", error  # a user without permission to ask


def _check(outcome: LightbusError, function: str, *, is_sent: bool) -> None:
    meaning = listed(outcome, function)
    if isinstance(outcome, BatchFailed):
        ((message, inner),) = outcome.failed
        meaning = listed(inner, "fire")
        assert not isinstance(inner, PublishUnknown) or inner.message is message
    elif isinstance(outcome, PublishUnknown):
        assert outcome.message is not None and outcome.message.id == outcome.event_id
    if is_sent or function == "fire_again":
        assert meaning.startswith("may be stored"), outcome


async def fired(server: NatsServer, prefix: str) -> EventMessage:
    async with lightbus.create(url=server.url, prefix=prefix, apis=[PaidApi]) as bus:
        event: EventMessage = await bus.till.paid.fire_async()
    return event


async def test_a_blocking_call_on_an_event_loop_is_listed(nats_server: NatsServer, prefix: str) -> None:
    async with lightbus.create(url=nats_server.url, prefix=prefix, apis=[PaidApi]) as bus:
        with pytest.raises(BlockingCall) as refused:
            bus.till.paid.fire()
    assert listed(refused.value, "fire").startswith("was not sent")


@pytest.mark.parametrize("name", FIRES)
async def test_a_server_that_stays_silent_longer_than_the_timeout(name: str, nats_server: NatsServer) -> None:
    """The bus is not healthy, although the connection is still being tried."""
    event = await fired(nats_server, "lightbus")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        bus = lightbus.create(url=f"nats://ada:secret@127.0.0.1:{port}", apis=[PaidApi], timeout=0.2)
        async with bus:
            assert lightbus.health(bus).ok
            with pytest.raises(TransportError, match=f"127.0.0.1:{port}.*within 0.2 s") as caught:
                await FIRES[name](bus, event)
            listed(caught.value, name.partition(",")[0])
            assert "not stored" not in str(caught.value)
            health = lightbus.health(bus)
            assert "within 0.2 s" in health.reason and not health.ok
            assert "secret" not in str(caught.value) + health.reason


async def test_health_recovers_when_a_slow_connection_is_there(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_connect, connect = asyncio.Event(), JetStreamTransport.connect

    async def slow(transport: JetStreamTransport) -> None:
        await may_connect.wait()
        await connect(transport)

    monkeypatch.setattr(JetStreamTransport, "connect", slow)
    async with lightbus.create(url=nats_server.url, apis=[PaidApi], timeout=0.2) as bus:
        with pytest.raises(errors.ConnectionFailed):
            await bus.till.paid.fire_async()
        assert not lightbus.health(bus).ok
        may_connect.set()
        await bus.till.paid.fire_async()
        assert lightbus.health(bus).ok
