"""What the conformance suite needs from each transport beyond the contract: access to its state."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from lightbus import naming
from lightbus.jetstream import JetStreamTransport
from lightbus.jetstream.acknowledgements import Acknowledgements
from lightbus.jetstream.connection.address import Address
from lightbus.jetstream.connection.connection import ApiError, Connection
from lightbus.jetstream.connection.wire import header_block
from lightbus.memory import MemoryBroker, MemoryTransport
from lightbus.transport import Transport


@dataclass(frozen=True)
class Found:
    """A stored message."""

    subject: str
    body: bytes


class Kit(Protocol):
    """One kind of transport under test."""

    def transport(self) -> Transport: ...

    async def stored(self, stream: str) -> list[Found]: ...

    async def publish_raw(self, subject: str, body: bytes) -> None: ...

    async def store(self, stream: str, subject: str, body: bytes, headers: dict[str, str]) -> None: ...

    async def unsettled(self, api: str, durable: str) -> int: ...

    async def delete_durable(self, api: str, durable: str) -> None: ...


class MemoryKit:
    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._broker = MemoryBroker()

    def transport(self) -> Transport:
        return MemoryTransport(self._broker, self._prefix)

    async def stored(self, stream: str) -> list[Found]:
        return [Found(message.subject, message.body) for message in self._broker.messages(stream)]

    async def publish_raw(self, subject: str, body: bytes) -> None:
        await self.store(naming.stream(self._prefix, "shop"), subject, body, {})

    async def store(self, stream: str, subject: str, body: bytes, headers: dict[str, str]) -> None:
        self._broker.store(stream, subject, body, headers, replace=stream.endswith("dead-letters"))

    async def unsettled(self, api: str, durable: str) -> int:
        return self._broker.unsettled(naming.stream(self._prefix, api), durable)

    async def delete_durable(self, api: str, durable: str) -> None:
        self._broker.delete_durable(naming.stream(self._prefix, api), durable)


class JetStreamKit:
    def __init__(self, url: str, prefix: str) -> None:
        self._url, self._prefix = url, prefix

    def transport(self) -> Transport:
        return JetStreamTransport(self._url, service_name="conformance", prefix=self._prefix)

    async def stored(self, stream: str) -> list[Found]:
        async with look_into(self._url) as server:
            return await stored_messages(server, stream)

    async def publish_raw(self, subject: str, body: bytes) -> None:
        async with look_into(self._url) as server:
            await server.request(subject, body, 10.0)

    async def store(self, stream: str, subject: str, body: bytes, headers: dict[str, str]) -> None:
        async with look_into(self._url) as server:
            acknowledgements = Acknowledgements(server)
            await acknowledgements.start()
            deadline = asyncio.get_running_loop().time() + 10.0
            answer = await acknowledgements.send(subject, header_block(headers), body, deadline, stream)
            assert answer is not None and answer.error is None and not answer.duplicate, answer

    async def unsettled(self, api: str, durable: str) -> int:
        async with look_into(self._url) as server:
            info = await server.api(f"CONSUMER.INFO.{naming.stream(self._prefix, api)}.{durable}")
            return int(info["num_ack_pending"])

    async def delete_durable(self, api: str, durable: str) -> None:
        async with look_into(self._url) as server:
            await server.api(f"CONSUMER.DELETE.{naming.stream(self._prefix, api)}.{durable}")


@asynccontextmanager
async def look_into(url: str) -> AsyncIterator[Connection]:
    """Connect to a server, or to one of several separated by commas, for assertions on its state."""
    connection = Connection(Address(tuple(url.split(",")), "the test"), "look-into")
    try:
        await connection.connect()
        yield connection
    finally:
        await connection.close()


async def stored_messages(server: Connection, stream: str) -> list[Found]:
    """Return all messages of a stream; none if it does not exist."""
    try:
        state = (await server.api(f"STREAM.INFO.{stream}"))["state"]
    except ApiError:
        return []
    found = []
    for sequence in range(max(1, state["first_seq"]), state["last_seq"] + 1):
        message = (await server.api(f"STREAM.MSG.GET.{stream}", {"seq": sequence}))["message"]
        found.append(Found(message["subject"], base64.b64decode(message.get("data", ""))))
    return found
