"""What users hold: the bus, its APIs and events. `factory.create()` makes one."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import functools
import inspect
import logging
import os
import threading
import weakref
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, TypedDict, TypeVar, Unpack

from lightbus import naming
from lightbus.envelope import EventMessage
from lightbus.errors import (
    BlockingCall,
    BusClosed,
    DuplicateListenerName,
    ListenerFailed,
    UsageError,
)
from lightbus.handlers import handler_for
from lightbus.portal import Portal
from lightbus.schema import EventContract
from lightbus.session import Session, Settings
from lightbus.settle import Backoff, OnError, Policy
from lightbus.transport import DEFAULT_ACK_WAIT, Consumer, Since
from lightbus.worker import Listening

log = logging.getLogger("lightbus")

_DEFAULT = Policy()

B = TypeVar("B", bound="Bus")
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


@dataclass(frozen=True, slots=True)
class Listener:
    """A listener that was set up.

    Attributes:
        event: full name of the event, `auth.user_created`.
        durable: name of the durable consumer on the server, `mailer-welcome`.
    """

    event: str
    durable: str


class Bus:
    """A bus; use `create()` to make one. Thread-safe; one connection per event loop it is used on.

    The blocking calls (`fire`, `listen`, `close`, `wait`) work in plain threads, their `_async` twins on
    any running event loop. As a context manager, sync or async, it closes itself.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.RLock()
        self._sessions: dict[asyncio.AbstractEventLoop, Session] = {}
        self._portal: Portal | None = None
        self._listeners: dict[tuple[str, str], Listener] = {}
        self._ended: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._pid = os.getpid()

    # -- where work runs ---------------------------------------------------------------------------

    def _session(self) -> Session:
        """Return the session of the running event loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            self._check_usable()
            if loop not in self._sessions:
                self._sessions[loop] = Session(self._settings, self._fail)
            return self._sessions[loop]

    def _check_usable(self) -> None:
        if self._ended.done() and self._ended.exception() is None:
            raise BusClosed("this bus was closed; create a new one")
        if os.getpid() != self._pid:
            raise BusClosed(
                "this bus was created before the process forked, and a NATS connection cannot be shared by"
                " two processes. Create the bus in the child, after the fork."
            )

    def _adopt(self, loop: asyncio.AbstractEventLoop) -> None:
        """Make a running loop the one that blocking calls of other threads go through."""
        with self._lock:
            if self._portal is None:
                self._portal = Portal(loop)

    def _blocking(self, work: Callable[[], Coroutine[Any, Any, R]], call: str, instead: str) -> R:
        """Run `work()` on the bus's own loop and wait for it."""
        if _loop_is_running():
            raise BlockingCall(call, instead)
        with self._lock:
            self._check_usable()
            if self._portal is None:
                self._portal = Portal()
                _close_at_exit(self)
            portal = self._portal
        return portal.call(work())

    # -- listeners ---------------------------------------------------------------------------------

    def _reserve(self, contract: EventContract, listener_name: str) -> Listener:
        if problem := naming.listener_problem(listener_name):
            raise UsageError(problem)
        try:
            durable = naming.durable(self._settings.service_name, listener_name)
        except ValueError as error:
            raise UsageError(str(error)) from None
        listener = Listener(contract.full_name, durable)
        with self._lock:
            other = self._listeners.setdefault((contract.api, listener_name), listener)
        if other is not listener:
            raise DuplicateListenerName(contract.api, listener_name, other.event)
        return listener

    def _release(self, listener: Listener) -> None:
        with self._lock:
            self._listeners = {key: value for key, value in self._listeners.items() if value is not listener}

    def _fail(self, failure: ListenerFailed) -> None:
        """Note that a listener cannot go on; `wait()` raises it."""
        with self._lock:
            if self._ended.done():
                return
            self._ended.set_exception(failure)
        log.error("%s", failure, exc_info=failure)

    def _raise_failure(self) -> None:
        """Raise what `_fail()` noted, if anything."""
        if self._ended.done() and (failure := self._ended.exception()) is not None:
            raise failure

    # -- lifetime ----------------------------------------------------------------------------------

    def wait(self) -> None:
        """Block until the bus is closed by another thread.

        Raises:
            ListenerFailed: a listener with `OnError.SHUTDOWN` met an error, or a listener cannot go on.
        """
        if _loop_is_running():
            raise BlockingCall("wait()", "await bus.wait_async()")
        self._ended.result()

    async def wait_async(self) -> None:
        """Wait until the bus is closed; raises as `wait()` does."""
        await asyncio.shield(asyncio.wrap_future(self._ended))

    def close(self) -> None:
        """Stop the listeners, let running handlers finish within the grace time, and disconnect.

        Closing twice is harmless. Events not handled stay on the server.
        """
        if _loop_is_running():
            raise BlockingCall("close()", "await bus.close_async()")
        with self._lock:
            sessions, portal = self._end()
        for loop, session in sessions.items():
            if loop.is_running():
                asyncio.run_coroutine_threadsafe(session.close(), loop).result()
        if portal is not None:
            portal.stop()

    async def close_async(self) -> None:
        """Close the bus from a running event loop; see `close()`."""
        here = asyncio.get_running_loop()
        with self._lock:
            sessions, portal = self._end()
        for loop, session in sessions.items():
            if loop is here:
                await session.close()
            elif loop.is_running():
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(session.close(), loop))
        if portal is not None:
            await asyncio.to_thread(portal.stop)

    def _end(self) -> tuple[dict[asyncio.AbstractEventLoop, Session], Portal | None]:
        """Mark the bus closed and hand over what is to be taken down."""
        if not self._ended.done():
            self._ended.set_result(None)
        elif self._ended.exception() is not None:
            self._ended = concurrent.futures.Future()
            self._ended.set_result(None)
        sessions, self._sessions = self._sessions, {}
        portal, self._portal = self._portal, None
        self._listeners = {}
        if os.getpid() != self._pid:  # the parent's connection and thread are not ours to close
            return {}, None
        return sessions, portal

    def __enter__(self: B) -> B:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self: B) -> B:
        self._adopt(asyncio.get_running_loop())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close_async()

    def __repr__(self) -> str:
        name = self._settings.service_name
        return f"<{type(self).__name__}{f' of {name!r}' if name else ''}>"


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
        if _loop_is_running():  # as in an `async def before_server_start()`: start on this loop
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


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _close_at_exit(bus: Bus) -> None:
    """Drain a bus that a plain script left open, without keeping the bus alive."""
    reference = weakref.ref(bus)

    def close() -> None:
        if (left := reference()) is not None:
            left.close()

    atexit.register(close)
