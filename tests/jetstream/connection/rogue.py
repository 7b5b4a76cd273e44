"""A client on the same server that sends what no client library would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class Rogue:
    """A bare connection; bytes are sent as they are given."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def publish(self, subject: bytes, body: bytes = b"", *, reply: bytes = b"", header: bytes = b"") -> None:
        """Send a message without waiting."""
        sizes = b"%d %d" % (len(header), len(header) + len(body)) if header else b"%d" % len(body)
        operation = b"HPUB" if header else b"PUB"
        self._writer.write(b"%b %b %b %b\r\n%b%b\r\n" % (operation, subject, reply, sizes, header, body))

    async def flush(self) -> None:
        """Wait until the server has received what was sent."""
        self._writer.write(b"PING\r\n")
        while (line := await self._reader.readline()) != b"PONG\r\n":
            assert line and not line.startswith(b"-ERR"), line

    async def overhear(self, subject: bytes) -> bytes:
        """Return the reply subject of the next message that another client sends; `listen` first."""
        while not (line := await self._reader.readline()).startswith((b"MSG " + subject, b"HMSG " + subject)):
            assert line and not line.startswith(b"-ERR"), line
        return line.split()[3]

    async def listen(self, subject: bytes) -> None:
        """Subscribe to what other clients send."""
        self._writer.write(b"SUB %b 1\r\n" % subject)
        await self.flush()


@asynccontextmanager
async def rogue(url: str) -> AsyncIterator[Rogue]:
    """Connect to a server without any library."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(b'CONNECT {"verbose": false, "headers": true}\r\n')
    yield Rogue(reader, writer)
    writer.close()
