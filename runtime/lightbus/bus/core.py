"""The state behind a bus: its event loops and threads, its listeners, and its shutdown."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import os
import threading
import warnings
import weakref
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar, TypeVarTuple

from lightbus import naming
from lightbus.bus.firing import Firing
from lightbus.bus.portal import Portal, loop_is_running
from lightbus.bus.session import Session, Settings
from lightbus.errors import BlockingCall, BusClosed, DuplicateListenerName, ListenerFailed, UsageError
from lightbus.listening.worker import Listening
from lightbus.logs import log
from lightbus.schema import EventContract

R = TypeVar("R")
Ts = TypeVarTuple("Ts")

_FORKED = (
    "this bus was created before the process forked, and a NATS connection cannot be shared by two processes."
    " Create the bus in the child, after the fork."
)
_generation = object()  # replaced in a forked child


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


class BusCore:
    """The state that a bus shares with its endpoints and with `lightbus run`. Thread-safe.

    It is separate from `Bus`, because any attribute of a `Bus` may be an API.

    Attributes:
        settings: the arguments of `create()`.
        firing: fires the events of the bus.
        sessions: one for each event loop; none once the bus is closed.
        ended: done once the bus is closed; failed once a listener cannot continue.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.firing = Firing(settings, self.session)
        self.sessions: dict[asyncio.AbstractEventLoop, Session] = {}
        self.ended: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._listeners: dict[tuple[str, str], Listener] = {}  # by API and listener name
        # by API and durable, until it starts again
        self._failures: dict[tuple[str, str], ListenerFailed] = {}
        self._lock = threading.RLock()
        self._closer = threading.Lock()  # held by the thread that closes the bus
        self._portals: list[Portal] = []  # the last one is in use; all are stopped on close
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
            return session  # the fast path; a closed bus has no sessions
        self._check_usable()  # before the lock, which a thread of the parent process may have held
        with self._lock:
            self._check_usable()
            if loop not in self.sessions:
                self._check_open()
                self._forget_ended_loops()
                self.sessions[loop] = Session(self.settings, self._started, self._fail)
            return self.sessions[loop]

    def blocking(self, call: str, start: Callable[[*Ts], Coroutine[Any, Any, R]], *arguments: *Ts) -> R:
        """Run a coroutine on the bus's own event loop and wait for its result.

        Args:
            call: what the user called, `auth.user_created.fire`, for the error.
            start, arguments: a function that returns the coroutine, called in this thread, and its arguments.

        Raises:
            BlockingCall: this thread runs an event loop. BusClosed: as for `session`.
        """
        try:  # `loop_is_running()`, without the call: this is on the path of every blocking fire
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise BlockingCall(f"{call}()", f"await bus.{call}_async(...)")
        portals = self._portals
        if not portals or self._generation is not _generation:  # a closed bus has none
            portals = self._open_portal()
        return portals[-1].call(start(*arguments))

    def adopt(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run the blocking calls of other threads on a running event loop."""
        with self._lock:
            if not self._is_adopted:
                self._is_adopted = True
                self._portals.append(Portal(loop))

    def _open_portal(self) -> list[Portal]:
        self._check_usable()
        with self._lock:
            self._check_usable()
            if not self._portals:
                self._check_open()
                self._portals.append(Portal())
                _open.add(self)
            return self._portals

    def _forget_ended_loops(self) -> None:
        """Drop the sessions whose loop was closed without closing the bus, as `asyncio.run()` does."""
        for loop in [loop for loop in self.sessions if loop.is_closed()]:
            for listening in self.sessions.pop(loop).listening:
                self._release(listening)
                failure = ListenerFailed(listening.consumer.durable, "its event loop has ended; listen again")
                self._failures.setdefault(_identity(listening), failure)

    def _check_open(self) -> None:
        if self._closing:
            raise BusClosed("this bus is closing; create a new one")

    def _check_usable(self) -> None:
        if self.ended.done() and self.ended.exception() is None:
            raise BusClosed("this bus was closed; create a new one")
        if self._generation is not _generation:
            raise BusClosed(_FORKED)

    # -- listeners ---------------------------------------------------------------------------------

    @property
    def listeners(self) -> list[Listener]:
        """The listeners that were set up."""
        return list(self._listeners.values())

    def reserve(self, contract: EventContract, listener_name: str) -> Listener:
        """Reserve a name for a new listener; each name is used once per API.

        Raises:
            UsageError: it cannot be a listener's name. DuplicateListenerName: it is taken.
            BusClosed: the bus is closing or closed.
        """
        if problem := naming.listener_problem(listener_name):
            raise UsageError(problem)
        try:
            durable = naming.durable(self.settings.service_name, listener_name)
        except ValueError as error:
            raise UsageError(str(error)) from None
        listener = Listener(contract.full_name, durable)
        self._check_usable()
        with self._lock:
            self._check_open()
            self._forget_ended_loops()
            holder = self._listeners.setdefault((contract.api, listener_name), listener)
        if holder is not listener:
            raise DuplicateListenerName(contract.api, listener_name, holder.event)
        return listener

    def _release(self, listening: Listening) -> None:
        """Free the name of a listener that has ended."""
        ended = Listener(listening.contract.full_name, listening.consumer.durable)
        with self._lock:
            self._listeners = {key: value for key, value in self._listeners.items() if value != ended}

    def listen(self, listening: Listening) -> None:
        """Start a listener whose name is reserved, and wait until it takes events.

        In a thread that runs an event loop, as in an `async def before_server_start()`, this returns at once, and a
        failure to start ends the bus.
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
            self._release(listening)
            raise

    def defer_listeners(self) -> None:
        """Only record listeners, until `adopt()` sets the event loop and `start_listeners()` starts them.

        For `lightbus run`: while a module is imported, its service is not ready for events.
        """
        self._deferred = []

    async def start_listeners(self) -> None:
        """Start the recorded listeners on the running event loop, and wait until all listeners have started.

        Raises:
            LightbusError: one cannot start. ListenerFailed: one cannot continue.
        """
        deferred, self._deferred = self._deferred or [], None
        for listening in deferred:
            await self.session().listen(listening)
        await self.session().all_started()
        if failure := self._failure():
            raise failure

    def _started(self, listening: Listening) -> None:
        """Forget the failure of a listener that takes events again."""
        with self._lock:
            failure = self._failures.pop(_identity(listening), None)
            if failure is not None and failure is self._failure():
                self.ended = concurrent.futures.Future()
                for other in tuple(self._failures.values())[:1]:
                    self.ended.set_exception(other)

    def _fail(self, listening: Listening, failure: ListenerFailed) -> None:
        """Record that a listener cannot continue; the first such failure ends the bus."""
        self._release(listening)
        log.error("%s", failure, exc_info=failure)
        with self._lock:
            self._failures[_identity(listening)] = failure
            if not self.ended.done():
                self.ended.set_exception(failure)

    def _failure(self) -> BaseException | None:
        return self.ended.exception() if self.ended.done() else None

    # -- lifetime ----------------------------------------------------------------------------------

    def trouble(self) -> str:
        """Return why the bus cannot do its work now, or ""; connect again if the last attempt failed."""
        if self._generation is not _generation:  # and nobody may ever release the lock
            return _FORKED
        with self._lock:
            self._forget_ended_loops()
            sessions, portals = tuple(self.sessions.values()), self._portals
            failures = tuple(self._failures.values())
        if failures:
            return str(failures[0])
        if self._closing:
            return "the bus is closing, or closed"
        if portals and portals[-1].loop.is_closed():
            return "the event loop of its blocking calls has ended; create a new bus"
        for session in sessions:
            session.connect_again()
        return next(filter(None, (session.trouble for session in sessions)), "")

    def close(self) -> None:
        """Close the bus from a thread that runs no event loop; see `Bus.close`."""
        sessions = self._begin_close()
        with self._closer:  # a second thread that closes waits for the first
            try:
                for loop, session in sessions:
                    if loop.is_running():
                        asyncio.run_coroutine_threadsafe(session.close(), loop).result()
            finally:
                for portal in self._finish_close():
                    portal.stop()

    async def close_async(self) -> None:
        """Close the bus from a running event loop; see `Bus.close_async`."""
        own_loop, is_cancelled = asyncio.get_running_loop(), False
        sessions = self._begin_close()
        try:
            for loop, session in sessions:
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
            UsageError: the caller is a handler of this bus, for which the close would wait forever.
        """
        if self._generation is not _generation:
            self.sessions, self._portals = {}, []  # the parent process owns them, and the locks' threads
            self._lock, self._closer = threading.RLock(), threading.Lock()
        with self._lock:
            if any(session.in_handler() for session in self.sessions.values()):
                raise UsageError(
                    "a handler cannot close its own bus, which waits for the handler. Let the listener have"
                    " on_error=OnError.SHUTDOWN and raise, or close the bus from outside."
                )
            self._closing = True
            return list(self.sessions.items())

    def _finish_close(self) -> list[Portal]:
        """Mark the bus closed, and return the portals to stop."""
        with self._lock:
            if self.ended.done():
                self.ended = concurrent.futures.Future()
            self.ended.set_result(None)
            self.sessions = {}
            portals, self._portals = self._portals, []
            return portals

    def __del__(self) -> None:
        """Disconnect a bus that was dropped without `close()`; listeners keep theirs alive.

        This may be called in any thread, and waits for nothing.
        """
        if self._generation is not _generation:
            return
        portals = {portal.loop: portal for portal in self._portals}
        is_open = bool(portals)
        for loop, session in self.sessions.items():
            if not loop.is_closed():
                is_open = True
                closing = asyncio.run_coroutine_threadsafe(session.close(), loop)
                if portal := portals.pop(loop, None):
                    closing.add_done_callback(lambda _, portal=portal: portal.leave())  # type: ignore[misc]
        for portal in portals.values():
            portal.leave()
        if is_open:
            name = self.settings.service_name
            text = f"a bus{f' of {name!r}' if name else ''} was dropped without close()"
            warnings.warn(text, ResourceWarning, stacklevel=2, source=self)


_open: weakref.WeakSet[BusCore] = weakref.WeakSet()  # those with a thread


@atexit.register
def _close_at_exit() -> None:
    """Drain the buses that a plain script left open, without keeping them alive."""
    with contextlib.ExitStack() as closing:
        for core in tuple(_open):
            closing.callback(core.close)


def _identity(listening: Listening) -> tuple[str, str]:
    return listening.contract.api, listening.consumer.durable
