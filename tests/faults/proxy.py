"""A TCP proxy on the loopback interface whose connections tests can cut, block and tap."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

R = TypeVar("R")
_CHUNK = 65_536


class _Wire:
    """One connection through the proxy."""

    def __init__(self, is_blocked: bool) -> None:
        self.writers: list[asyncio.StreamWriter] = []  # towards the client, then towards the server
        self.clear = asyncio.Event()
        if not is_blocked:
            self.clear.set()

    def cut(self) -> None:
        self.clear.set()
        for writer in self.writers:
            writer.transport.abort()


class Proxy:
    """Forwards connections to a server; runs in a separate thread.

    Args:
        port: the server's port on 127.0.0.1.

    Attributes:
        port: the proxy's own.
        connections: how many were made so far.
    """

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._wires: list[_Wire] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_blocked = False
        self._wanted = b""
        self._caught = threading.Event()
        self._heard: bytearray | None = None
        self.connections = 0

    @property
    def url(self) -> str:
        """The URL to connect to in place of the server's."""
        return f"nats://127.0.0.1:{self.port}"

    # -- faults ------------------------------------------------------------------------------------

    def cut(self) -> None:
        """Close every connection; new ones are forwarded."""

        async def cut() -> None:
            for wire in self._wires:
                wire.cut()
            self._wires.clear()

        self._run(cut())

    def block(self) -> None:
        """From now on read nothing and forward nothing, also on new connections, and keep all of them open."""

        async def block() -> None:
            self._is_blocked = True
            for wire in self._wires:
                wire.clear.clear()

        self._run(block())

    def mend(self) -> None:
        """Forward new connections; blocked ones stay blocked."""

        async def mend() -> None:
            self._is_blocked = False

        self._run(mend())

    def unblock(self) -> None:
        """Forward again, starting with the data that was held up."""

        async def unblock() -> None:
            self._is_blocked = False
            for wire in self._wires:
                wire.clear.set()

        self._run(unblock())

    def say(self, data: bytes) -> None:
        """Send data to all clients as if the server had."""

        async def say() -> None:
            for wire in self._wires:
                wire.writers[0].write(data)

        self._run(say())

    def catch(self, data: bytes) -> Callable[[float], bool]:
        """Block a connection for good before the first bytes from a client that contain `data`.

        Returns:
            A function that waits up to the given seconds for this, and returns whether it happened.
        """
        self._wanted = data
        return self._caught.wait

    def listen_in(self) -> bytearray:
        """Return everything that clients send from now on, as it arrives."""
        self._heard = bytearray()
        return self._heard

    # -- internals ---------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = _Wire(self._is_blocked)
        wire.writers.append(writer)
        self.connections += 1
        self._wires.append(wire)
        try:
            await wire.clear.wait()
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
            wire.writers.append(server_writer)
            await asyncio.gather(
                self._pump(wire, reader, server_writer, taps=True),
                self._pump(wire, server_reader, writer, taps=False),
            )
        except OSError:
            pass  # one side has closed, so close the other
        finally:
            wire.cut()

    async def _pump(
        self, wire: _Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, taps: bool
    ) -> None:
        while chunk := await reader.read(_CHUNK):
            if taps and self._heard is not None:
                self._heard += chunk
            if taps and self._wanted and self._wanted in chunk:
                self._wanted = b""
                wire.clear.clear()
                self._caught.set()
            await wire.clear.wait()
            writer.write(chunk)
            await writer.drain()
        wire.cut()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _run(self, work: Coroutine[Any, Any, R]) -> R:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def __enter__(self) -> Proxy:
        self._thread.start()

        async def listen() -> asyncio.Server:
            return await asyncio.start_server(self._accept, "127.0.0.1", 0)

        self._server = self._run(listen())
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async def close() -> None:
            self._server.close()
            for wire in self._wires:
                wire.cut()
            for task in tuple(self._tasks):
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*self._tasks, return_exceptions=True)

        self._run(close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
