"""One attempt to connect: bounded from outside, ended early when it is hopeless, with the actual reason of a failure."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from lightbus.errors import ConnectionFailed
from lightbus.jetstream.connection import diagnosis
from lightbus.jetstream.connection.address import Address
from lightbus.jetstream.connection.client import EventClient, bounded

CONNECT_TIMEOUT = 5.0  # seconds for the whole attempt
_HUNG_UP = (ConnectionResetError, BrokenPipeError)


class Attempt:
    """Connects a new client; nats-py by itself retries a first connect without limit.

    Args:
        client: a client that was never connected.
    """

    def __init__(self, client: EventClient, address: Address) -> None:
        self._client, self._address = client, address
        self._errors: list[Exception] = []
        self._hopeless = asyncio.Event()

    async def run(self, options: dict[str, Any]) -> None:
        """Connect.

        Args:
            options: arguments of nats-py's `connect()`; its `error_cb` must call `failed`.

        Raises:
            ConnectionFailed: with advice.
        """
        connecting = asyncio.create_task(self._client.connect(**options))
        hopeless = asyncio.create_task(self._hopeless.wait())
        is_connected = False
        try:
            # nats-py may swallow a cancellation, so the bound comes from outside
            await asyncio.wait(
                {connecting, hopeless}, timeout=CONNECT_TIMEOUT, return_when=asyncio.FIRST_COMPLETED
            )
            is_connected = connecting.done() and connecting.exception() is None and self._client.is_connected
            if is_connected:
                return
            reason = diagnosis.reason(self._cause(connecting), CONNECT_TIMEOUT)
        finally:
            hopeless.cancel()
            if not is_connected:
                await self._abandon(connecting)
        raise failure(self._address, reason)

    def failed(self, error: Exception) -> None:
        """Record an error that nats-py reports, and stop the attempt if no retry can succeed."""
        self._errors.append(error)
        # a server that rejects a password may hang up before its reason is read; the next try reads it
        answers = [error for error in self._errors if not isinstance(error, _HUNG_UP)]
        if diagnosis.is_final(error) or len(answers) >= len(self._address.servers):
            self._hopeless.set()

    def _cause(self, connecting: asyncio.Task[None]) -> BaseException | None:
        """Return the first error that no retry can fix, else the last one."""
        if self._errors:
            final = (error for error in self._errors if diagnosis.is_final(error))
            return next(final, self._errors[-1])
        return connecting.exception() if connecting.done() and not connecting.cancelled() else None

    async def _abandon(self, connecting: asyncio.Task[None]) -> None:
        """Clean up after a connect that failed or was cancelled."""
        connecting.cancel()
        await asyncio.wait({connecting}, timeout=1.0)
        if connecting.done() and not connecting.cancelled():
            connecting.exception()  # retrieved, otherwise asyncio would report it
        await bounded(self._client.close(), 1.0)


def tls_context(address: Address) -> ssl.SSLContext | None:
    """Return the TLS context for the files that an address names, None without any.

    Raises:
        ConnectionFailed: the files cannot be used.
    """
    files = address.tls_files
    if not files:
        return None
    try:
        context = ssl.create_default_context(cafile=files.get("ca"))
        if "cert" in files:
            context.load_cert_chain(files["cert"], files.get("key"))
    except (OSError, ssl.SSLError) as error:
        used = ", ".join(f"{name} {path}" for name, path in files.items())
        raise failure(address, f"the TLS files cannot be used ({used}): {error}") from None
    return context


def failure(address: Address, reason: str) -> ConnectionFailed:
    """Return the error for an address that cannot be connected to, with advice."""
    return ConnectionFailed(address.display, reason, diagnosis.advice(reason, address.origin))
