"""Behind a bus: the event loops and threads it works on, its listeners, its end."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, TypeVarTuple

from lightbus.bus.firing import Firing
from lightbus.bus.listeners import Listener, Listeners
from lightbus.bus.portal import Portal, loop_is_running
from lightbus.bus.session import Session, Settings
from lightbus.errors import BlockingCall, BusClosed, ListenerFailed, UsageError
from lightbus.listening.worker import Listening
from lightbus.logs import log
from lightbus.schema import EventContract

R = TypeVar("R")
Ts = TypeVarTuple("Ts")

_generation = object()  # replaced in a forked child


def _forked() -> None:
    global _generation
    _generation = object()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


class BusCore:
    """What a bus, its endpoints and `lightbus run` share. Thread-safe; one session per event loop.

    It is an object of its own since any name on a `Bus` may be an API.

    Args:
        settings: the bus's settings.

    Attributes:
        settings: the same.
        firing: fires the events of the bus.
        listeners: the listeners that were set up.
        sessions: the sessions by event loop; none once the bus is closed.
        ended: done once the bus is closed; failed once a listener cannot go on.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.firing = Firing(settings, self.session)
        self.listeners = Listeners(settings.service_name)
        self.sessions: dict[asyncio.AbstractEventLoop, Session] = {}
        self.ended: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._lock = threading.RLock()
        self._closer = threading.Lock()  # held by the thread that closes the bus
        self._portals: list[Portal] = []  # the last one is in use; all are stopped at the end
        self._is_adopted = False
        self._deferred: list[Listening] | None = None
        self._closing = False
        self._generation = _generation

    # -- where work runs ---------------------------------------------------------------------------

    def session(self) -> Session:
        """Return the session of the running event loop; while the bus closes, only an existing one.

        Raises:
            BusClosed: the bus is closing or closed, or was created before a fork.
        """
        loop = asyncio.get_running_loop()
        session = self.sessions.get(loop)
        if session is not None and self._generation is _generation:
            return session  # the way of every event; a bus that is closed has none
        with self._lock:
            self._check_usable()
            if loop not in self.sessions:
                self._check_open()
                self._forget_ended_loops()
                self.sessions[loop] = Session(self.settings, self._fail)
            return self.sessions[loop]

    def blocking(self, call: str, start: Callable[[*Ts], Coroutine[Any, Any, R]], *arguments: *Ts) -> R:
        """Run a coroutine on the bus's own event loop and wait for its result.

        Args:
            call: what the user called, `auth.user_created.fire`, for the error.
            start, arguments: what returns the coroutine; it is called in this thread.

        Raises:
            BlockingCall: this thread runs an event loop. BusClosed: as for `session`.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise BlockingCall(f"{call}()", f"await bus.{call}_async(...)")
        portals = self._portals
        if not portals or self._generation is not _generation:  # a bus that is closed has none
            portals = self._open_portal()
        return portals[-1].call(start(*arguments))

    def adopt(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have the blocking calls of other threads run on a running event loop."""
        with self._lock:
            if not self._is_adopted:
                self._is_adopted = True
                self._portals.append(Portal(loop))

    def _open_portal(self) -> list[Portal]:
        with self._lock:
            self._check_usable()
            if not self._portals:
                self._check_open()
                self._portals.append(Portal())
                _close_at_exit(self)
            return self._portals

    def _forget_ended_loops(self) -> None:
        """Drop sessions whose loop was closed without closing the bus, as by several `asyncio.run()`."""
        for loop in [loop for loop in self.sessions if loop.is_closed()]:
            for listening in self.sessions.pop(loop).listening:
                self.listeners.release(listening)

    def _check_open(self) -> None:
        if self._closing:
            raise BusClosed("this bus is closing; create a new one")

    def _check_usable(self) -> None:
        if self.ended.done() and self.ended.exception() is None:
            raise BusClosed("this bus was closed; create a new one")
        if self._generation is not _generation:
            raise BusClosed(
                "this bus was created before the process forked, and a NATS connection cannot be shared by"
                " two processes. Create the bus in the child, after the fork."
            )

    # -- listeners ---------------------------------------------------------------------------------

    def reserve(self, contract: EventContract, listener_name: str) -> Listener:
        """Take a name for a new listener.

        Raises:
            UsageError, DuplicateListenerName: as `Listeners.reserve`. BusClosed: the bus is closing or closed.
        """
        with self._lock:
            self._check_open()
            self._forget_ended_loops()
            return self.listeners.reserve(contract, listener_name)

    def listen(self, listening: Listening) -> None:
        """Start a listener whose name is reserved, and wait until it takes events.

        Where an event loop runs, as in an `async def before_server_start()`, it starts soon, and a failure ends
        the bus.
        """
        with self._lock:
            if self._deferred is not None and not self._is_adopted:
                self._deferred.append(listening)
                return
        if loop_is_running():
            self.session().listen_soon(listening)
        else:
            self.blocking(f"{listening.contract.full_name}.listen", self.listen_async, listening)

    async def listen_async(self, listening: Listening) -> None:
        """Start a listener whose name is reserved, on the running event loop; free the name if that fails."""
        try:
            await self.session().listen(listening)
        except BaseException:
            self.listeners.release(listening)
            raise

    def defer_listeners(self) -> None:
        """Only record listeners until `adopt()` names the event loop and `start_listeners()` starts them.

        For `lightbus run`: while a module is imported, its service is not ready for events.
        """
        self._deferred = []

    async def start_listeners(self) -> None:
        """Start the recorded listeners on the running event loop, and wait until all listeners have started.

        Raises:
            LightbusError: one cannot start. ListenerFailed: one cannot go on.
        """
        deferred, self._deferred = self._deferred or [], None
        for listening in deferred:
            await self.session().listen(listening)
        await self.session().all_started()
        if failure := self._failure():
            raise failure

    def _fail(self, listening: Listening, failure: ListenerFailed) -> None:
        """Record that a listener cannot go on; the first such failure ends the bus."""
        self.listeners.release(listening)
        log.error("%s", failure, exc_info=failure)
        with self._lock:
            if not self.ended.done():
                self.ended.set_exception(failure)

    def _failure(self) -> BaseException | None:
        return self.ended.exception() if self.ended.done() else None

    # -- lifetime ----------------------------------------------------------------------------------

    def trouble(self) -> str:
        """Return why the bus cannot do its work now, "" when it can; connect again where that failed."""
        with self._lock:
            sessions = [session for loop, session in self.sessions.items() if not loop.is_closed()]
            closing = self._closing
        if failure := self._failure():
            return str(failure)
        if closing:
            return "the bus is closing, or closed"
        for session in sessions:
            session.connect_again()
        return next(filter(None, (session.trouble for session in sessions)), "")

    def close(self) -> None:
        """Close the bus from a thread that runs no event loop; see `Bus.close`."""
        with self._closer:  # another thread that closes as well waits for the end, too
            try:
                for loop, session in self._begin_close():
                    if loop.is_running():
                        asyncio.run_coroutine_threadsafe(session.close(), loop).result()
            finally:
                for portal in self._finish_close():
                    portal.stop()

    async def close_async(self) -> None:
        """Close the bus from a running event loop; see `Bus.close_async`."""
        own_loop, is_cancelled = asyncio.get_running_loop(), False
        try:
            for loop, session in self._begin_close():
                if loop is own_loop:
                    await session.close()
                elif loop.is_running():
                    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(session.close(), loop))
        except asyncio.CancelledError:
            is_cancelled = True
            raise
        finally:
            for portal in () if is_cancelled else self._finish_close():
                await asyncio.to_thread(portal.stop)

    def _begin_close(self) -> list[tuple[asyncio.AbstractEventLoop, Session]]:
        """Refuse new listeners and sessions from now on; handlers that run may still fire.

        Raises:
            UsageError: the caller is a handler of this bus, whose end the close would wait for.
        """
        with self._lock:
            if self._generation is not _generation:
                self.sessions, self._portals = {}, []  # the parent's, and not ours to close
            if any(session.in_handler() for session in self.sessions.values()):
                raise UsageError(
                    "a handler cannot close its own bus, which waits for the handler. Let the listener have"
                    " on_error=OnError.SHUTDOWN and raise, or close the bus from outside."
                )
            self._closing = True
            return list(self.sessions.items())

    def _finish_close(self) -> list[Portal]:
        """Mark the bus closed, unless closing was refused, and return the portals to stop."""
        with self._lock:
            if not self._closing:
                return []
            if self.ended.done():
                self.ended = concurrent.futures.Future()
            self.ended.set_result(None)
            self.sessions = {}
            portals, self._portals = self._portals, []
            return portals


def _close_at_exit(core: BusCore) -> None:
    """Drain a bus that a plain script left open, without keeping the bus alive."""
    reference = weakref.ref(core)

    def close() -> None:
        if (left := reference()) is not None:
            left.close()

    atexit.register(close)
