"""One event of a bus as users call it: fire and listen. Base of the generated and the dynamic endpoints."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import Any, Generic, Protocol, TypedDict, TypeVar, Unpack

from lightbus.bus import Bus, Listener
from lightbus.envelope import EventMessage
from lightbus.errors import BlockingCall, UsageError, did_you_mean
from lightbus.handlers import handler_for
from lightbus.portal import loop_is_running
from lightbus.schema import EventContract
from lightbus.settle import Backoff, OnError, Policy
from lightbus.transport import DEFAULT_ACK_WAIT, Consumer, Since
from lightbus.worker import Listening

_DEFAULT = Policy()


class ListenOptions(TypedDict, total=False):
    """The optional arguments of `listen()` and `listen_async()`.

    Attributes:
        on_error: what to do when the handler raises; default `OnError.DEAD_LETTER`.
        concurrency: events handled at a time; default 1, which keeps their order until one has to be retried.
        since: where a durable that does not exist yet starts: "beginning" (default), "now" or a datetime.
        retries: tries after the first before an event becomes a dead letter; default 8.
        backoff: the waits between tries; default 1 s, doubling, at most 60 s.
        no_retry: exceptions, as a class or a tuple of classes, after which the event becomes a dead letter at once.
        timeout: seconds the handler may take for an event, longer counts as an error; default 3,600. A sync
            handler cannot be stopped: its thread goes on beside the next try.
        ordered: True never handles an event before the one before it is done for good, retries included; for a
            durable that does not exist yet. It goes with concurrency 1, and over all processes of the service.
        ack_wait: for a durable that does not exist yet, seconds until another worker takes over the events
            of one that died; default 30. A running handler may take longer, its worker keeps the event.
    """

    on_error: OnError
    concurrency: int
    since: Since
    retries: int
    backoff: Backoff
    no_retry: type[BaseException] | tuple[type[BaseException], ...]
    timeout: float
    ordered: bool
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


ListenerT = TypeVar("ListenerT", bound=Callable[..., Any])


class EventEndpoint(Generic[ListenerT]):
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
            if method is not None:
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

    @functools.cached_property
    def _contract(self) -> EventContract:
        return self._source.contract(self._event)

    def _warn_if_deprecated(self) -> None:
        """Warn whoever called the method that calls this."""
        if self._contract.deprecated:
            name = self._contract.full_name
            warnings.warn(f"event {name} is deprecated", DeprecationWarning, stacklevel=3)

    def _by_wire_name(self, arguments: Mapping[str, object]) -> dict[str, object]:
        return {self._contract.wire_name(name): value for name, value in arguments.items()}

    def _fire(self, arguments: Mapping[str, object]) -> EventMessage:
        if loop_is_running():
            name = self._contract.full_name
            raise BlockingCall(f"{name}.fire()", f"await bus.{name}.fire_async(...)")

        async def fire() -> EventMessage:  # on the bus's loop, whose session it is
            return await self._fire_async(arguments)

        return self._bus._blocking(fire)

    def _fire_async(self, arguments: Mapping[str, object]) -> Coroutine[Any, Any, EventMessage]:
        return self._bus._session().fire(self._contract, arguments)

    def listen(
        self, listener: ListenerT, *, listener_name: str, **options: Unpack[ListenOptions]
    ) -> Listener:
        """Listen with a durable named after `listener_name`; returns once it takes events.

        Args:
            listener: a sync or async handler. It is called with the event's values as keywords, with the
                `EventMessage` before them, or with one object alone, as its signature accepts: the payload
                of a generated client, the `EventMessage` of a dynamic bus.
            listener_name: an identifier; each name of a service gets every event once.
            options: see `ListenOptions`.

        Raises:
            InvalidListener: the handler cannot accept the event. DuplicateListenerName: the name is taken.
        """
        self._warn_if_deprecated()
        made, listening = self._prepare(listener, listener_name, options)
        if self._bus._hold(listening):
            return made
        if loop_is_running():  # as in an `async def before_server_start()`: start on this loop
            self._bus._session().listen_soon(listening)
            return made
        try:
            self._bus._blocking(lambda: self._start(listening))
        except BaseException:
            self._bus._release(listening)
            raise
        return made

    async def listen_async(
        self, listener: ListenerT, *, listener_name: str, **options: Unpack[ListenOptions]
    ) -> Listener:
        """Listen from a running event loop; see `listen`."""
        self._warn_if_deprecated()
        made, listening = self._prepare(listener, listener_name, options)
        try:
            await self._start(listening)
        except BaseException:
            self._bus._release(listening)
            raise
        return made

    async def _start(self, listening: Listening) -> None:
        await self._bus._session().listen(listening)

    def _prepare(
        self, handler: Callable[..., Any], listener_name: str, options: ListenOptions
    ) -> tuple[Listener, Listening]:
        contract = self._contract
        _check(options)
        policy = Policy(
            options.get("on_error", _DEFAULT.on_error),
            options.get("retries", _DEFAULT.retries),
            options.get("backoff", _DEFAULT.backoff),
            no_retry if isinstance(no_retry := options.get("no_retry", ()), tuple) else (no_retry,),
            options.get("timeout", _DEFAULT.timeout),
        )
        adapted = handler_for(handler, contract, self._payload)
        listener = self._bus._reserve(contract, listener_name)
        return listener, Listening(
            contract=contract,
            consumer=Consumer(
                *(contract.api, contract.event, listener.durable),
                options.get("since", "beginning"),
                options.get("ack_wait", DEFAULT_ACK_WAIT),
                options.get("ordered", False),
            ),
            handler=adapted,
            policy=policy,
            concurrency=options.get("concurrency", 1),
        )

    def __repr__(self) -> str:
        return f"<event {self._contract.full_name}>"


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_seconds(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf")


def _is_errors(value: object) -> bool:
    classes = value if isinstance(value, tuple) else (value,)
    return all(isinstance(each, type) and issubclass(each, BaseException) for each in classes)


_VALID: dict[str, tuple[Callable[[Any], bool], str]] = {
    "on_error": (lambda value: isinstance(value, OnError), "an OnError, such as OnError.SHUTDOWN"),
    "concurrency": (lambda value: _is_count(value) and value >= 1, "a whole number from 1"),
    "since": (
        lambda value: value in ("beginning", "now") or isinstance(value, datetime),
        '"beginning", "now" or a datetime',
    ),
    "retries": (lambda value: _is_count(value) and value >= 0, "a whole number from 0"),
    "backoff": (lambda value: isinstance(value, Backoff), "a Backoff, such as Backoff(first=0.5)"),
    "no_retry": (_is_errors, "an exception class or a tuple of them"),
    "timeout": (_is_seconds, "seconds above 0"),
    "ordered": (lambda value: isinstance(value, bool), "True or False"),
    "ack_wait": (_is_seconds, "seconds above 0"),
}


def _check(options: Mapping[str, object]) -> None:
    """Refuse options that cannot be used, as untyped code may pass them.

    Raises:
        UsageError: names the option, the value and what it takes.
    """
    for name, value in options.items():
        if name not in _VALID:
            raise UsageError(
                f"listen() has no option {name!r}{did_you_mean(name, _VALID)}; it takes {', '.join(_VALID)}"
            )
        is_valid, wanted = _VALID[name]
        if not is_valid(value):
            raise UsageError(f"listen(): {name}={value!r} is not {wanted}")
    if options.get("ordered") and options.get("concurrency", 1) != 1:
        raise UsageError(
            "listen(): ordered=True handles one event at a time, so concurrency= cannot be more than 1"
        )


def _explained(method: Callable[..., Any]) -> Callable[..., Any]:
    """Have a generated `fire` say what is wrong with its arguments as the dynamic one does.

    Python's own TypeError names one unexpected argument and stops; `InvalidEventArguments` names them all.
    The mark of a deprecated event is for type checkers: here, all endpoints warn in one way.
    """
    method = inspect.unwrap(method)
    code = method.__code__
    accepted = set(code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount])
    required = accepted - set(method.__kwdefaults__ or ())
    takes_more = bool(code.co_flags & inspect.CO_VARKEYWORDS)

    def check(endpoint: EventEndpoint[Any], kwargs: Mapping[str, object]) -> None:
        if not required <= kwargs.keys() or not (takes_more or kwargs.keys() <= accepted):
            endpoint._contract.encode(endpoint._by_wire_name(kwargs))  # raises
        if takes_more:
            endpoint._contract.refuse_twice(kwargs)

    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def call_async(self: EventEndpoint[Any], *args: object, **kwargs: object) -> object:
            self._warn_if_deprecated()
            if takes_more:
                check(self, kwargs)
            try:
                work = method(self, *args, **kwargs)  # a coroutine, which has not begun to run
            except TypeError:
                check(self, kwargs)
                raise
            return await work

        return call_async

    @functools.wraps(method)
    def call(self: EventEndpoint[Any], *args: object, **kwargs: object) -> object:
        self._warn_if_deprecated()
        check(self, kwargs)
        return method(self, *args, **kwargs)

    return call
