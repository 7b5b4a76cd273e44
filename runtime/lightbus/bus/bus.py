"""The bus: where its work runs, its listeners' names, its lifetime. `lightbus.create()` makes one."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

from lightbus import naming
from lightbus.bus.portal import Portal, loop_is_running
from lightbus.bus.session import Session, Settings
from lightbus.errors import (
    BlockingCall,
    BusClosed,
    DuplicateListenerName,
    ListenerFailed,
    UsageError,
)
from lightbus.listening.worker import Listening
from lightbus.logs import log
from lightbus.schema import EventContract

B = TypeVar("B", bound="Bus")
R = TypeVar("R")

_generation = object()  # another one in each process, as after a fork


def _forked() -> None:
    global _generation
    _generation = object()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


@dataclass(frozen=True, slots=True)
class Listener:
    """A listener that was set up.

    Attributes:
        event: full name of the event, `auth.user_created`.
        durable: name of the durable consumer on the server, `mailer-welcome`.
    """

    event: str
    durable: str


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a bus can do its work.

    Attributes:
        reason: why it cannot, in words for people; empty when it can.
    """

    reason: str

    @property
    def ok(self) -> bool:
        """Whether it can."""
        return not self.reason


class Bus:
    """A bus; use `create()` to make one. Thread-safe; one connection per event loop it is used on.

    The blocking calls (`fire`, `listen`, `close`, `wait`) work in plain threads, their `_async` twins on
    any running event loop. As a context manager, sync or async, it closes itself.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.RLock()
        self._closer = threading.Lock()  # of the thread that closes the bus
        self._sessions: dict[asyncio.AbstractEventLoop, Session] = {}
        self._portals: list[Portal] = []  # the last one is in use; all are stopped at the end
        self._listeners: dict[tuple[str, str], Listener] = {}
        self._deferred: list[Listening] | None = None
        self._is_adopted = False
        self._ended: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._closing = False
        self._generation = _generation

    # -- where work runs ---------------------------------------------------------------------------

    def _session(self) -> Session:
        """Return the session of the running event loop; while the bus closes, only one that is there."""
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is not None and self._generation is _generation:
            return session  # for every event; a bus that is closed has none
        with self._lock:
            self._check_usable()
            if loop not in self._sessions:
                self._check_open()
                self._forget_ended_loops()
                self._sessions[loop] = Session(self._settings, self._fail)
            return self._sessions[loop]

    def _forget_ended_loops(self) -> None:
        """Drop sessions whose loop was closed without closing the bus, as by several `asyncio.run()`."""
        for loop in [loop for loop in self._sessions if loop.is_closed()]:
            for listening in self._sessions.pop(loop).listening:
                self._release(listening)

    def _check_open(self) -> None:
        if self._closing:
            raise BusClosed("this bus is closing; create a new one")

    def _check_usable(self) -> None:
        if self._ended.done() and self._ended.exception() is None:
            raise BusClosed("this bus was closed; create a new one")
        if self._generation is not _generation:
            raise BusClosed(
                "this bus was created before the process forked, and a NATS connection cannot be shared by"
                " two processes. Create the bus in the child, after the fork."
            )

    def _adopt(self, loop: asyncio.AbstractEventLoop) -> None:
        """Make a running loop the one that blocking calls of other threads go through."""
        with self._lock:
            if not self._is_adopted:
                self._is_adopted = True
                self._portals.append(Portal(loop))

    def _blocking(self, work: Callable[[], Coroutine[Any, Any, R]]) -> R:
        """Run `work()` on the bus's own loop and wait for it; this thread runs no event loop."""
        with self._lock:
            self._check_usable()
            if not self._portals:
                self._check_open()
                self._portals.append(Portal())
                _close_at_exit(self)
            portal = self._portals[-1]
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
            self._check_open()
            self._forget_ended_loops()
            other = self._listeners.setdefault((contract.api, listener_name), listener)
        if other is not listener:
            raise DuplicateListenerName(contract.api, listener_name, other.event)
        return listener

    def _defer_listeners(self) -> None:
        """Have `listen()` outside an event loop only note the listener, until `_adopt()` names the loop.

        For `lightbus run`: while a module is imported its service is not ready for events, and the loop its
        handlers will share does not run yet.
        """
        self._deferred = []

    def _defer(self, listening: Listening) -> bool:
        """Note a listener for later, if that is how things are."""
        with self._lock:
            if self._deferred is None or self._is_adopted:
                return False
            self._deferred.append(listening)
            return True

    async def _start_deferred(self) -> None:
        """Start what was noted, on the running event loop."""
        deferred, self._deferred = self._deferred or [], None
        for listening in deferred:
            await self._session().listen(listening)

    def _release(self, listening: Listening) -> None:
        """Free the name of a listener that is no more."""
        gone = Listener(listening.contract.full_name, listening.consumer.durable)
        with self._lock:
            self._listeners = {key: value for key, value in self._listeners.items() if value != gone}

    def _fail(self, listening: Listening, failure: ListenerFailed) -> None:
        """Note that a listener cannot go on; `wait()` raises the first such failure."""
        self._release(listening)
        log.error("%s", failure, exc_info=failure)
        with self._lock:
            if not self._ended.done():
                self._ended.set_exception(failure)

    def _raise_failure(self) -> None:
        """Raise what `_fail()` noted, if anything."""
        if self._ended.done() and (failure := self._ended.exception()) is not None:
            raise failure

    # -- lifetime ----------------------------------------------------------------------------------

    def _trouble(self) -> str:
        """Say why the bus cannot do its work, if it cannot; see `health()`."""
        with self._lock:
            sessions = [session for loop, session in self._sessions.items() if not loop.is_closed()]
            closing = self._closing
        if self._ended.done() and (failure := self._ended.exception()) is not None:
            return str(failure)
        if closing:
            return "the bus is closing, or closed"
        for session in sessions:
            session.connect_again()
        return next(filter(None, (session.trouble for session in sessions)), "")

    def wait(self) -> None:
        """Block until the bus is closed by another thread.

        Raises:
            ListenerFailed: a listener with `OnError.SHUTDOWN` met an error, or a listener cannot go on.
        """
        if loop_is_running():
            raise BlockingCall("wait()", "await bus.wait_async()")
        self._ended.result()

    async def wait_async(self) -> None:
        """Wait until the bus is closed; raises as `wait()` does."""
        await asyncio.shield(asyncio.wrap_future(self._ended))

    def close(self) -> None:
        """Stop the listeners, let running handlers finish within the grace time, and disconnect.

        Closing twice is harmless. Events not handled stay on the server.
        """
        if loop_is_running():
            raise BlockingCall("close()", "await bus.close_async()")
        with self._closer:  # another thread that closes as well waits for the end, too
            try:
                for loop, session in self._begin_close():
                    if loop.is_running():
                        asyncio.run_coroutine_threadsafe(session.close(), loop).result()
            finally:
                for portal in self._finish_close():
                    portal.stop()

    async def close_async(self) -> None:
        """Close the bus from a running event loop; see `close()`.

        When it is cancelled, the closing goes on; closing again waits for its end.
        """
        here = asyncio.get_running_loop()
        try:
            for loop, session in self._begin_close():
                if loop is here:
                    await session.close()
                elif loop.is_running():
                    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(session.close(), loop))
        except asyncio.CancelledError:
            raise
        except BaseException:
            await self._finish_close_async()
            raise
        await self._finish_close_async()

    async def _finish_close_async(self) -> None:
        for portal in self._finish_close():
            await asyncio.to_thread(portal.stop)

    def _begin_close(self) -> list[tuple[asyncio.AbstractEventLoop, Session]]:
        """Refuse new listeners and sessions from now on; handlers that run may still fire.

        Raises:
            UsageError: a handler of this bus calls, for whose end the close would wait.
        """
        with self._lock:
            if self._generation is not _generation:
                self._sessions, self._portals = {}, []  # the parent's, and not ours to close
            if any(session.in_handler() for session in self._sessions.values()):
                raise UsageError(
                    "a handler cannot close its own bus, which waits for the handler. Let the listener have"
                    " on_error=OnError.SHUTDOWN and raise, or close the bus from outside."
                )
            self._closing = True
            return list(self._sessions.items())

    def _finish_close(self) -> list[Portal]:
        """Mark the bus closed, unless it is not closing after all, and hand over the portals to stop."""
        with self._lock:
            if not self._closing:
                return []
            if self._ended.done():
                self._ended = concurrent.futures.Future()
            self._ended.set_result(None)
            self._sessions, self._listeners = {}, {}
            portals, self._portals = self._portals, []
            return portals

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


def health(bus: Bus) -> Health:
    """Tell whether a bus can do its work now, as a readiness probe wants to know it.

    It cannot while its connection is down, after a listener failed for good, and once it closes. Nobody is asked, so
    that it never blocks and may be called anywhere, in a coroutine too. A bus connects when it is first used, and is
    well until then. (A function, since `bus.health` would be the client of an API of that name.)
    """
    return Health(bus._trouble())


def _close_at_exit(bus: Bus) -> None:
    """Drain a bus that a plain script left open, without keeping the bus alive."""
    reference = weakref.ref(bus)

    def close() -> None:
        if (left := reference()) is not None:
            left.close()

    atexit.register(close)
