"""The bus that `lightbus.create()` returns."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Self

from lightbus.bus.core import BusCore
from lightbus.bus.portal import loop_is_running
from lightbus.bus.session import Settings
from lightbus.errors import BlockingCall


class Bus:
    """A bus; use `create()` to make one. Thread-safe; one connection per event loop it is used on.

    The blocking calls (`fire`, `listen`, `close`, `wait`) work in plain threads, their `_async` twins on
    any running event loop. As a context manager, sync or async, it closes itself.
    """

    def __init__(self, settings: Settings) -> None:
        self._core = BusCore(settings)

    def wait(self) -> None:
        """Block until the bus is closed by another thread.

        Raises:
            ListenerFailed: a listener with `OnError.SHUTDOWN` met an error, or a listener cannot continue.
        """
        if loop_is_running():
            raise BlockingCall("wait()", "await bus.wait_async()")
        self._core.ended.result()

    async def wait_async(self) -> None:
        """Wait until the bus is closed; raises as `wait()` does."""
        await asyncio.shield(asyncio.wrap_future(self._core.ended))

    def close(self) -> None:
        """Stop the listeners, let running handlers finish within the grace time, and disconnect.

        Closing twice is harmless. Events not handled stay on the server.
        """
        if loop_is_running():
            raise BlockingCall("close()", "await bus.close_async()")
        self._core.close()

    async def close_async(self) -> None:
        """Close the bus from a running event loop; see `close()`.

        Cancelling this call does not stop the close; a second call waits for it to finish.
        """
        await self._core.close_async()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        self._core.adopt(asyncio.get_running_loop())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close_async()

    def __repr__(self) -> str:
        name = self._core.settings.service_name
        return f"<{type(self).__name__}{f' of {name!r}' if name else ''}>"


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a bus can do its work.

    Attributes:
        reason: why it cannot, for people; empty when it can.
    """

    reason: str

    @property
    def ok(self) -> bool:
        """Whether the bus can do its work."""
        return not self.reason


def health(bus: Bus) -> Health:
    """Return whether a bus can do its work now, for a readiness probe.

    It cannot while its connection is down, after a listener failed for good or ended with its event loop, until it is
    listened to again; in a process that was forked after the bus was created; and once it closes. The check sends no
    request, so it never blocks and is safe to call anywhere, including in a coroutine. A bus connects when it is first
    used, and is healthy until then. (A function, because `bus.health` may be an API.)
    """
    return Health(bus._core.trouble())
