"""Fire and listen: the base of the generated and the dynamic endpoints."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Generic, Protocol, TypeVar, Unpack

from lightbus.bus.bus import Bus
from lightbus.bus.core import Listener
from lightbus.errors import InvalidEventArguments, UsageError
from lightbus.listening.handler import handler_for
from lightbus.listening.options import ListenOptions, check, policy_of
from lightbus.listening.worker import Listening
from lightbus.message import EventMessage
from lightbus.schema import EventContract
from lightbus.transport import DEFAULT_ACK_WAIT, Consumer


class Namespace:
    """The first part of dotted API names: `bus.shop` when there is an API `shop.orders`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus


class ApiClient:
    """The events of one API; base of generated clients."""


class ContractSource(Protocol):
    """The contracts of an API, such as a schema document."""

    def contract(self, event: str) -> EventContract:
        """Return the contract of an event by name."""
        ...


ListenerT = TypeVar("ListenerT", bound=Callable[..., Any])
PayloadT = TypeVar("PayloadT")


class EventEndpoint(Generic[ListenerT, PayloadT]):
    """One event of a bus; base of the generated endpoints, which add the types.

    Args:
        bus: the bus to fire and listen on.
        source: holds the event's contract; asked on first use.
        event: name of the event.
        payload: the generated payload class, if there is one.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name in ("fire", "fire_async"):
            method = vars(cls).get(name)
            if method is not None:
                setattr(cls, name, _explained(method))

    def __init__(
        self,
        bus: Bus,
        source: ContractSource,
        event: str,
        payload: Callable[..., Any] | None = None,
    ) -> None:
        self._core, self._firing = bus._core, bus._core.firing
        self._source = source
        self._event = event
        self._payload = payload

    @functools.cached_property
    def _contract(self) -> EventContract:
        return self._source.contract(self._event)

    def _warn_if_deprecated(self) -> None:
        """Warn the caller of the calling method."""
        if self._contract.deprecated:
            name = self._contract.full_name
            warnings.warn(
                f"event {name} is deprecated{self._contract.instead}", DeprecationWarning, stacklevel=3
            )

    def _by_wire_name(self, more: Mapping[str, object]) -> Mapping[str, object]:
        """Return additional properties by wire name; for generated code."""
        return self._contract.further(more)

    def _fire(self, arguments: Mapping[str, object]) -> EventMessage:
        contract = self._contract
        return self._core.blocking(f"{contract.full_name}.fire", self._firing.fire, contract, arguments)

    def _fire_async(self, arguments: Mapping[str, object]) -> Coroutine[Any, Any, EventMessage]:
        return self._firing.fire(self._contract, arguments)

    def fire_many(self, events: Iterable[PayloadT]) -> list[EventMessage]:
        """Fire several events together, which is far quicker than one after the other.

        All are validated before the first is sent. They are sent in order, and each is confirmed separately.

        Args:
            events: payload objects of a generated client, such as `UserCreated(...)`; mappings from parameter to
                value on a dynamic bus.

        Returns:
            The events as they were fired, in order.

        Raises:
            InvalidEventArguments: an event does not match the schema; nothing was sent.
            BatchFailed: some were not confirmed; the error says which, and why.
            BlockingCall: this thread runs an event loop; use `fire_many_async`.
        """
        self._warn_if_deprecated()

        def start() -> Coroutine[Any, Any, list[EventMessage]]:
            arguments = [*map(self._arguments_of, events)]  # the iterable may only work in this thread
            return self._firing.fire_many(self._contract, arguments)

        return self._core.blocking(f"{self._contract.full_name}.fire_many", start)

    async def fire_many_async(self, events: Iterable[PayloadT]) -> list[EventMessage]:
        """Fire several events together from a running event loop; see `fire_many`."""
        self._warn_if_deprecated()
        return await self._firing.fire_many(self._contract, map(self._arguments_of, events))

    def _arguments_of(self, event: PayloadT) -> dict[str, object]:
        """Return the values of a payload by wire name."""
        contract = self._contract
        if isinstance(event, Mapping):
            return contract.by_wire_name(event)
        if self._payload is None or not isinstance(event, self._payload):  # type: ignore[arg-type]
            expected = getattr(self._payload, "__name__", "mapping")
            raise UsageError(f"fire_many() of {contract.full_name} takes {expected} objects, not {event!r}")
        arguments = {parameter.wire: getattr(event, parameter.name) for parameter in contract.parameters}
        if contract.more:
            arguments.update(contract.further(getattr(event, contract.more)))
        return arguments

    def fire_again(self, message: EventMessage) -> EventMessage:
        """Fire an event whose outcome is unknown again, under its id, so that it is stored only once.

        Args:
            message: the event from `PublishUnknown.message` or `BatchFailed.failed`. The server remembers its id for
                ten minutes, or for the `duplicate_window` of the stream.

        Raises:
            PublishUnknown: it was not confirmed; even if this attempt was refused, it may be stored already.
        """
        return self._core.blocking(
            f"{self._contract.full_name}.fire_again", self._firing.fire_again, self._contract, message
        )

    async def fire_again_async(self, message: EventMessage) -> EventMessage:
        """Fire an event again from a running event loop; see `fire_again`."""
        return await self._firing.fire_again(self._contract, message)

    def listen(
        self, listener: ListenerT, *, listener_name: str, **options: Unpack[ListenOptions]
    ) -> Listener:
        """Listen with a durable named after `listener_name`; returns once it takes events.

        Args:
            listener: a sync or async handler. Its signature decides how it is called: with the event's values as
                keywords, with the `EventMessage` before them, or with one object alone, which is the payload of a
                generated client or the `EventMessage` of a dynamic bus.
            listener_name: an identifier; each name of a service gets every event once.
            options: see `ListenOptions`.

        Raises:
            InvalidListener: the handler cannot accept the event. DuplicateListenerName: the name is taken.
        """
        self._warn_if_deprecated()
        reserved, listening = self._prepare(listener, listener_name, options)
        self._core.listen(listening)
        return reserved

    async def listen_async(
        self, listener: ListenerT, *, listener_name: str, **options: Unpack[ListenOptions]
    ) -> Listener:
        """Listen from a running event loop; see `listen`."""
        self._warn_if_deprecated()
        reserved, listening = self._prepare(listener, listener_name, options)
        await self._core.listen_async(listening)
        return reserved

    def _prepare(
        self, handler: Callable[..., Any], listener_name: str, options: ListenOptions
    ) -> tuple[Listener, Listening]:
        contract = self._contract
        check(options)
        adapted = handler_for(handler, contract, self._payload)
        listener = self._core.reserve(contract, listener_name)
        return listener, Listening(
            contract=contract,
            consumer=Consumer(
                contract.api,
                contract.event,
                listener.durable,
                options.get("since", "beginning"),
                options.get("ack_wait", DEFAULT_ACK_WAIT),
                options.get("ordered", False),
            ),
            handler=adapted,
            policy=policy_of(options),
            concurrency=options.get("concurrency", 1),
        )

    def __repr__(self) -> str:
        return f"<event {self._contract.full_name}>"


def _explained(method: Callable[..., Any]) -> Callable[..., Any]:
    """Make a generated `fire` explain wrong arguments as the dynamic one does.

    Python's own TypeError names only the first unexpected argument; `InvalidEventArguments` names them all.
    The `@deprecated` of a generated method is for type checkers and is unwrapped; `_warn_if_deprecated` warns.
    """
    method = inspect.unwrap(method)
    code = method.__code__
    accepted = set(code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount])
    required = accepted - set(method.__kwdefaults__ or ())
    takes_more = bool(code.co_flags & inspect.CO_VARKEYWORDS)

    def explain(
        endpoint: EventEndpoint[Any, Any], args: object, kwargs: Mapping[str, object]
    ) -> Exception | None:
        """Return the error for wrong arguments, None for right ones."""
        contract = endpoint._contract
        if args:
            return TypeError(
                f"{contract.full_name} takes keyword, not positional, arguments: {contract.signature}"
            )
        if not required <= kwargs.keys() or not (takes_more or kwargs.keys() <= accepted):
            try:
                contract.further({name: value for name, value in kwargs.items() if name not in accepted})
                contract.encode(contract.by_wire_name(kwargs))
            except InvalidEventArguments as error:
                return error
        return None

    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def call_async(self: EventEndpoint[Any, Any], /, *args: object, **kwargs: object) -> object:
            if self._contract.deprecated:
                self._warn_if_deprecated()
            try:
                work = method(self, *args, **kwargs)  # a coroutine that has not started
            except TypeError as error:
                raise explain(self, args, kwargs) or error from None
            return await work

        return call_async

    @functools.wraps(method)
    def call(self: EventEndpoint[Any, Any], /, *args: object, **kwargs: object) -> object:
        if self._contract.deprecated:
            self._warn_if_deprecated()
        try:
            return method(self, *args, **kwargs)
        except TypeError as error:
            raise explain(self, args, kwargs) or error from None

    return call
