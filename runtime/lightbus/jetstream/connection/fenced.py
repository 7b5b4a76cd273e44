"""nats-py's client, made so that it can be looked after; measured on nats-py 2.16.

It can stop without saying so: its read loop ends on an unexpected exception while it calls itself connected, a
reconnect waits for a dead connection to take the bytes that are left, and its reconnect task can end early.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import Any

from nats.aio.client import Client


class FencedClient(Client):
    """A client that never sends credentials in clear text where TLS was asked for, and that can be looked after.

    nats-py uses TLS only if the server demands it: `tls://` to a server without TLS connects in clear text.

    Args:
        wants_tls: whether the connection must be encrypted.
    """

    def __init__(self, *, wants_tls: bool) -> None:
        super().__init__()
        self._wants_tls = wants_tls

    def _connect_command(self) -> bytes:
        if self._wants_tls and self._wire("ssl_object") is None:
            raise ssl.SSLError("TLS was asked for, and the server does not offer it")
        return super()._connect_command()

    async def _connect_to_server(self, *arguments: Any, **options: Any) -> None:
        self.abort()  # an attempt that the server refused leaves its socket open
        await super()._connect_to_server(*arguments, **options)

    def _wire(self, name: str) -> Any:
        """Return something asyncio knows of the connection, None when there is none."""
        writer = getattr(self._transport, "_io_writer", None)
        return None if writer is None else writer.get_extra_info(name)

    @property
    def server(self) -> str:
        """Host and port of the server it is connected to, or was last."""
        return "" if self._current_server is None else self._current_server.uri.netloc

    @property
    def knows_other_servers(self) -> bool:
        """Whether there is more than one server, given or discovered."""
        return len(self._server_pool) > 1

    @property
    def is_deaf(self) -> bool:
        """Whether it calls itself connected and reads nothing any more."""
        return self.is_connected and self._reading_task is not None and self._reading_task.done()

    @property
    def has_given_up(self) -> bool:
        """Whether nothing will connect it again."""
        reconnecting: asyncio.Task[None] | None = self._reconnection_task
        return self.is_closed or (not self.is_connected and reconnecting is not None and reconnecting.done())

    def abort(self) -> None:
        """Drop the TCP connection, with the bytes that are left; nothing waits for it any longer."""
        writer = getattr(self._transport, "_io_writer", None)
        if writer is not None:
            writer.transport.abort()

    def limit_unacknowledged_time(self, seconds: float) -> None:
        """Have the kernel give up on a peer that does not acknowledge bytes; it waits about 15 minutes otherwise."""
        raw = self._wire("socket")
        if raw is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))
