"""The environment of every contender: one server, streams of the same kind, the same event, and access to results."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats
from nats.aio.client import Client

from lightbus import naming
from lightbus.bus.create import create
from lightbus.memory import broker
from lightbus.server import NatsServer, ServerError

_BATCH = 500  # messages between two confirmations while filling a stream
_LONGEST_WAIT = 240.0  # seconds for a listener to finish
SERVICE = "shop"


def order(size: int = 100) -> dict[str, Any]:
    """Return an event whose compact JSON has `size` bytes, 100 or more."""
    values = {"order_id": str(uuid.UUID(int=7)), "customer": "c-1042", "amount": 1299, "note": ""}
    return {**values, "note": "n" * (size - len(json.dumps(values, separators=(",", ":"))))}


def schema(events: int) -> dict[str, Any]:
    """Return the schema document of the `orders` API with one or more identical events."""
    kinds = {"order_id": "string", "customer": "string", "amount": "integer", "note": "string"}
    parameters = {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in kinds.items()},
        "required": list(kinds),
        "additionalProperties": False,
    }
    names = ["placed", *(f"placed_{number}" for number in range(1, events))]
    return {"lightbus": 1, "api": "orders", "events": {name: {"parameters": parameters} for name in names}}


def generate(folder: Path, events: int = 1) -> Path:
    """Generate the typed client of the `orders` API; return the folder to import it from."""
    (folder / "schemas").mkdir(parents=True)
    (folder / "schemas" / "orders.json").write_text(json.dumps(schema(events)))
    (folder / "pyproject.toml").write_text('[tool.lightbus-gen]\npackage = "bench_bus"\n')
    command = [sys.executable, "-m", "lightbus_gen", "--quiet"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "generated"


@dataclass(frozen=True)
class Message:
    """The bytes and headers of an event as Lightbus sends it."""

    body: bytes
    headers: dict[str, str]

    @property
    def settings(self) -> dict[str, Any]:
        """The same, as a contender's settings."""
        return {"body": base64.b64encode(self.body).decode(), "headers": self.headers}


@dataclass(frozen=True)
class Place:
    """A stream with one subject."""

    stream: str
    subject: str


class Stage:
    """The server and its streams.

    Attributes:
        url: of the NATS server.
        folder: for all files that are written.
        path: folder of the generated package.
    """

    def __init__(self, url: str, folder: Path, nc: Client) -> None:
        self.url, self.folder, self._nc = url, folder, nc
        self.path = generate(folder / "client")
        self.log = folder / "contenders.log"
        self._numbers = iter(range(1, 1_000_000))

    def fresh(self, word: str) -> str:
        """Return an unused name."""
        return f"{word}{next(self._numbers)}"

    async def _api(self, what: str, request: Any = None) -> dict[str, Any]:
        payload = b"" if request is None else json.dumps(request).encode()
        answer = await self._nc.request(f"$JS.API.{what}", payload, timeout=30)
        found: dict[str, Any] = json.loads(answer.data)
        if "error" in found:
            raise RuntimeError(f"{what}: {found['error']['description']}")
        return found

    @staticmethod
    def place(prefix: str) -> Place:
        """Return the stream and subject of the event under a prefix."""
        return Place(naming.stream(prefix, "orders"), naming.subject(prefix, "orders", "placed"))

    async def sample(self, size: int = 100) -> Message:
        """Return the message that Lightbus sends for an order."""
        url = f"memory://{self.fresh('sample')}"
        schemas = self.folder / "client" / "schemas"
        async with create(url=url, service_name=SERVICE, schemas=schemas) as bus:
            await bus.orders.placed.fire_async(**order(size))
        (stored,) = broker(url).messages(naming.stream(naming.DEFAULT_PREFIX, "orders"))
        return Message(stored.body, dict(stored.headers))

    async def make_stream(self, prefix: str) -> Place:
        """Create a stream like those of Lightbus: file storage, one replica, a duplicate window of 10 minutes."""
        place = self.place(prefix)
        config = {
            "name": place.stream,
            "subjects": [naming.stream_subjects(prefix, "orders")],
            "storage": "file",
            "retention": "limits",
            "discard": "new",
            "duplicate_window": 600 * 1_000_000_000,
            "allow_direct": True,
        }
        await self._api(f"STREAM.CREATE.{place.stream}", config)
        return place

    async def delete_stream(self, place: Place) -> None:
        """Delete a stream with all its messages."""
        await self._api(f"STREAM.DELETE.{place.stream}")

    async def stored(self, place: Place) -> int:
        """Return how many events a stream has stored in total."""
        found = await self._api(f"STREAM.INFO.{place.stream}")
        return int(found["state"]["last_seq"])

    async def first(self, place: Place) -> Message:
        """Return the first event of a stream."""
        found = (await self._api(f"STREAM.MSG.GET.{place.stream}", {"seq": 1}))["message"]
        lines = base64.b64decode(found.get("hdrs", "")).decode().splitlines()[1:]
        headers = dict(line.split(": ", 1) for line in lines if line)
        headers.pop("Nats-Expected-Stream", None)  # it names this stream
        return Message(base64.b64decode(found["data"]), headers)

    async def fill(self, place: Place, message: Message, count: int) -> None:
        """Store copies of an event, each with its own id, as fast as the server accepts them."""
        sample = message.headers.get("Nats-Msg-Id", "").encode()
        done = 0
        while done < count:
            for number in range(batch := min(_BATCH, count - done)):
                own, headers = str(uuid.uuid4()), dict(message.headers)
                body = message.body
                if sample:
                    body, headers["Nats-Msg-Id"] = body.replace(sample, own.encode()), own
                if number < batch - 1:
                    await self._nc.publish(place.subject, body, headers=headers or None)
                else:
                    await self._nc.request(place.subject, body, headers=headers or None, timeout=30)
            done += batch
        if (found := await self.stored(place)) != count:
            raise RuntimeError(f"the stream was to hold {count} events and holds {found}")

    async def left(self, place: Place, durable: str) -> int:
        """Return the number of events that a durable has not acknowledged, pending and in flight."""
        info = await self._api(f"CONSUMER.INFO.{place.stream}.{durable}")
        return int(info["num_pending"]) + int(info["num_ack_pending"])

    async def settled(self, place: Place, durables: Sequence[str], longest: float = _LONGEST_WAIT) -> float:
        """Wait until the server has every acknowledgement; return when that was, on the monotonic clock.

        Polls more often towards the end, so as not to disturb the measurement before.
        """
        deadline = time.monotonic() + longest
        for durable in durables:
            before, seen = time.monotonic(), await self.left(place, durable)
            pause = 0.02
            while seen:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{durable}: {seen} events are left after {longest:g} s")
                await asyncio.sleep(pause)
                now, left = time.monotonic(), await self.left(place, durable)
                speed = (seen - left) / (now - before)
                pause = min(max(left / speed / 2, 0.002), 0.25) if speed > 0 else 0.02
                before, seen = now, left
        return time.monotonic()

    async def delete_durables(self, place: Place, durables: Sequence[str]) -> None:
        """Delete durables that were measured."""
        for durable in durables:
            await self._api(f"CONSUMER.DELETE.{place.stream}.{durable}")


@asynccontextmanager
async def a_stage(folder: Path) -> AsyncIterator[Stage]:
    """Run a server with default settings, with its data in `folder`, for the duration of the block."""
    with NatsServer(folder / "store") as server:
        nc = await nats.connect(server.url)
        try:
            yield Stage(server.url, folder, nc)
        finally:
            await nc.close()


@asynccontextmanager
async def a_redis(folder: Path) -> AsyncIterator[str]:
    """Run a Redis server that appends every write to a file and leaves the sync to the operating system.

    Raises:
        ServerError: there is no `redis-server` on PATH, or it does not start.
    """
    if (binary := shutil.which("redis-server")) is None:
        raise ServerError("no redis-server on PATH")
    folder.mkdir()  # noqa: ASYNC240 - nothing else runs yet
    socket = folder / "redis.sock"
    settings = ["--port", "0", "--unixsocket", str(socket), "--appendonly", "yes", "--appendfsync", "no"]
    process = await asyncio.create_subprocess_exec(
        *(binary, *settings, "--save", "", "--dir", str(folder)), stdout=asyncio.subprocess.DEVNULL
    )
    try:
        for _ in range(200):
            if socket.exists():
                break
            await asyncio.sleep(0.02)
        yield f"unix://{socket}"
    finally:
        process.terminate()
        await process.wait()
