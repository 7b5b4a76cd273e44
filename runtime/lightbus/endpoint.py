"""One event of a bus as users call it: fire and listen. Base of the generated and the dynamic endpoints."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypedDict, TypeVar, Unpack

from lightbus.bus import Bus, Listener
from lightbus.envelope import EventMessage
from lightbus.errors import UsageError
from lightbus.handlers import handler_for
from lightbus.portal import loop_is_running
from lightbus.schema import EventContract
from lightbus.settle import Backoff, OnError, Policy
from lightbus.transport import DEFAULT_ACK_WAIT, Consumer, Since
from lightbus.worker import Listening

_DEFAULT = Policy()

R = TypeVar("R")


class ListenOptions(TypedDict, total=False):
    """The optional arguments of `listen()` and `listen_async()`.

    Attributes:
        on_error: what to do when the handler raises; default `OnError.DEAD_LETTER`.
        concurrency: events handled at a time; default 1, which keeps their order.
        since: where a durable that does not exist yet starts: "beginning" (default), "now" or a datetime.
        retries: tries after the first before an event becomes a dead letter; default 8.
        backoff: the waits between tries; default 1 s, doubling, at most 60 s.
        ack_wait: for a durable that does not exist yet, seconds until another worker takes over the events
            of one that died; default 30. A running handler may take longer, its worker keeps the event.
    """

    on_error: OnError
    concurrency: int
    since: Since
    retries: int
    backoff: Backoff
    ack_wait: float


class Namespace:
    """One part of dotted API names: `bus.shop` when there is an API `shop.orders`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus


class ApiClient:
    """The events of one API; base of generated clients."""


class ContractSource(Protocol):
    """Where an endpoint gets its contract from: a schema document or generated package data."""

    def contract(self, event: str) -> EventContract:
        """Return the contract of an event by name."""
        ...


class EventEndpoint:
    """One event of a bus; base of the generated endpoints, which add the types.

    Args:
        bus: the bus to fire and listen on.
        source: what knows the event's contract; asked on first use.
        event: name of the event.
        payload: the generated payload class, if there is one.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name in ("fire", "fire_async"):
            method = vars(cls).get(name)
            if method is not None and not method.__code__.co_flags & inspect.CO_VARKEYWORDS:
                setattr(cls, name, _explained(method))

    def __init__(
        self,
        bus: Bus,
        source: ContractSource,
        event: str,
        payload: Callable[..., Any] | None = None,
    ) -> None:
        self._bus = bus
        self._source = source
        self._event = event
        self._payload = payload

    @property
    def _contract(self) -> EventContract:
        return self._source.contract(self._event)

    def _by_wire_name(self, arguments: Mapping[str, object]) -> dict[str, object]:
        wire = {parameter.name: parameter.wire for parameter in self._contract.parameters}
        return {wire.get(name, name): value for name, value in arguments.items()}

    def _fire(self, arguments: Mapping[str, object]) -> EventMessage:
        return self._bus._blocking(
            lambda: self._fire_async(arguments),
            f"{self._contract.full_name}.fire()",
            f"await bus.{self._contract.full_name}.fire_async(...)",
        )

    async def _fire_async(self, arguments: Mapping[str, object]) -> EventMessage:
        return await self._bus._session().fire(self._contract, arguments)

    def _listen(
        self, handler: Callable[..., Any], listener_name: str, **options: Unpack[ListenOptions]
    ) -> Listener:
        listener, listening = self._prepare(handler, listener_name, options)
        if self._bus._hold(listening):
            return listener
        if loop_is_running():  # as in an `async def before_server_start()`: start on this loop
            self._bus._session().listen_soon(listening)
            return listener
        try:
            self._bus._blocking(lambda: self._start(listening), "listen()", "await listen_async(...)")
        except BaseException:
            self._bus._release(listener)
            raise
        return listener

    async def _listen_async(
        self, handler: Callable[..., Any], listener_name: str, **options: Unpack[ListenOptions]
    ) -> Listener:
        listener, listening = self._prepare(handler, listener_name, options)
        try:
            await self._start(listening)
        except BaseException:
            self._bus._release(listener)
            raise
        return listener

    async def _start(self, listening: Listening) -> None:
        await self._bus._session().listen(listening)

    def _prepare(
        self, handler: Callable[..., Any], listener_name: str, options: ListenOptions
    ) -> tuple[Listener, Listening]:
        contract = self._contract
        known = ListenOptions.__annotations__
        for name in options:
            if name not in known:
                raise UsageError(f"listen() has no option {name!r}; it takes {', '.join(known)}")
        concurrency = options.get("concurrency", 1)
        retries = options.get("retries", _DEFAULT.retries)
        ack_wait = options.get("ack_wait", DEFAULT_ACK_WAIT)
        if concurrency < 1 or retries < 0 or ack_wait <= 0:
            raise UsageError(
                f"concurrency={concurrency} must be at least 1, retries={retries} at least 0"
                f" and ack_wait={ack_wait:g} s above 0"
            )
        adapted = handler_for(handler, contract, self._payload)
        listener = self._bus._reserve(contract, listener_name)
        return listener, Listening(
            contract=contract,
            consumer=Consumer(
                *(contract.api, contract.event, listener.durable), options.get("since", "beginning"), ack_wait
            ),
            handler=adapted,
            policy=Policy(
                options.get("on_error", _DEFAULT.on_error),
                retries,
                options.get("backoff", _DEFAULT.backoff),
            ),
            concurrency=concurrency,
        )

    def __repr__(self) -> str:
        return f"<event {self._contract.full_name}>"


def _explained(method: Callable[..., R]) -> Callable[..., R]:
    """Have a generated `fire` say what is wrong with its arguments as the dynamic one does.

    Python's own TypeError names one unexpected argument and stops; `InvalidEventArguments` names them all.
    """
    code = method.__code__
    accepted = set(code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount])
    required = accepted - set(method.__kwdefaults__ or ())

    @functools.wraps(method)
    def call(self: EventEndpoint, *args: object, **kwargs: object) -> R:
        if not (required <= kwargs.keys() <= accepted):
            self._contract.encode(self._by_wire_name(kwargs))  # raises
        return method(self, *args, **kwargs)

    return call
