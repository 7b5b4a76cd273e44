"""Services with names that are easily confused, on a server with the permissions that are printed for them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from lightbus.jetstream.connection.connection import Connection
from lightbus.jetstream.streams.plan import connected
from lightbus.testing import NatsServer
from tests.cli.conftest import clean_environment
from tests.cli.kit import BOUND, run_to_end
from tests.jetstream.connection.rogue import Rogue

APIS = ("a", "b", "a.b", "b.a", "c")  # each has one event, `a`


@dataclass(frozen=True)
class Party:
    """A service of the test, and what is its own by docs/protocol.md.

    Attributes:
        name, prefix: of the service and its bus.
        fires: an API.
        listeners: listener names, by the API they listen to.
    """

    name: str
    prefix: str
    fires: str
    listeners: dict[str, str]

    @property
    def module(self) -> str:
        """A bus module; its APIs are defined elsewhere."""
        apis = ", ".join(f"events.{class_name(api)}" for api in {self.fires, *self.listeners})
        listens = "\n".join(
            f"    bus.{api}.a.listen(handle, listener_name={listener!r})"
            for api, listener in self.listeners.items()
        )
        return (
            "import events\nimport lightbus\n\n"
            f"bus = lightbus.create(service_name={self.name!r}, prefix={self.prefix!r}, apis=[{apis}])\n\n"
            "def handle(**_: object) -> None: ...\n\n"
            f"def before_server_start() -> None:\n{listens}\n"
        )

    @property
    def inbox(self) -> str:
        return f"_INBOX_{self.name}.answers"

    @property
    def event(self) -> str:
        """The subject of its event."""
        return f"{self.prefix}.{self.fires}.a"

    @property
    def streams(self) -> list[str]:
        apis = [f"{self.prefix}-{api.replace('.', '-')}" for api in {self.fires: "", **self.listeners}]
        return [*apis, f"{self.prefix}-dead-letters", f"{self.prefix}-dead-letters-replays"]

    @property
    def sources(self) -> list[str]:
        """Its durables for events, as `<stream>.<durable>`."""
        return [
            f"{self.prefix}-{api.replace('.', '-')}.{self.name}-{listener}"
            for api, listener in self.listeners.items()
        ]

    @property
    def durables(self) -> list[str]:
        """All its durables, as `<stream>.<durable>`."""
        replays = (source.split(".") for source in self.sources)
        return [
            *self.sources,
            *(f"{self.prefix}-dead-letters-replays.{name}@{stream}" for stream, name in replays),
        ]

    @property
    def allowed(self) -> list[str]:
        """The filters of all that it may publish to."""
        return [
            "$JS.API.INFO",
            *(f"$JS.API.STREAM.INFO.{stream}" for stream in self.streams),
            *(
                f"$JS.API.CONSUMER.{verb}.{durable}"
                for verb in ("INFO", "MSG.NEXT")
                for durable in self.durables
            ),
            *(f"$JS.ACK.{durable}.*.*.*.*.*" for durable in self.durables),
            *(f"$JS.ACK.*.*.{durable}.*.*.*.*.>" for durable in self.durables),
            f"$JS.API.STREAM.MSG.DELETE.{self.prefix}-dead-letters",
            *(f"{self.prefix}-dead-letters.{source}.1.1" for source in self.sources),
            f"{self.prefix}.{self.fires}.*",
        ]

    def may(self, subject: str) -> bool:
        patterns = (re.escape(filter_).replace(r"\*", "[^.]+").replace(">", ".+") for filter_ in self.allowed)
        return any(re.fullmatch(pattern, subject) for pattern in patterns)


def class_name(api: str) -> str:
    return f"Api_{api.replace('.', '_')}"


# Durables are called like streams (`a-a`, `a-b`), and services and prefixes are almost the same
PARTIES = (
    Party("a", "a", "a", {"b": "a", "a.b": "b"}),
    Party("a-b", "a", "b", {"a": "a", "b": "b"}),
    Party("a_b", "a", "b.a", {"a": "a", "b": "a"}),
    Party("A", "a", "a.b", {"a": "a", "b.a": "a"}),
    Party("lightbus_admin", "a-c", "c", {"c": "a"}),
)
BY_NAME = {party.name: party for party in PARTIES}
ADMIN = "lightbus-admin"
VERDICTS = (b'+NXT {"batch": 10}', b"+ACK", b"-NAK", b"+TERM")
DOMAIN_AND_ACCOUNT = "_.szMpdrwD"  # of the only account of a server that defines none
STREAM_OPERATIONS = (
    *("CREATE", "UPDATE", "INFO", "DELETE", "PURGE", "SNAPSHOT", "RESTORE", "MSG.GET", "MSG.DELETE"),
    *("LEADER.STEPDOWN", "PEER.REMOVE"),
)
DURABLE_OPERATIONS = (
    *("CREATE", "DURABLE.CREATE", "INFO", "DELETE", "PAUSE", "RESET", "UNPIN", "MSG.NEXT", "LEADER.STEPDOWN"),
)
GENERAL = (
    *("$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.META.LEADER.STEPDOWN", "$JS.API.SERVER.REMOVE"),
    *("$JS.API.ACCOUNT.PURGE.$G", "$SYS.REQ.USER.INFO", "$SYS.REQ.SERVER.PING", "$SRV.PING", "_INBOX.x", "x"),
)


def subjects_of(party: Party) -> Iterator[str]:
    """Everything that can be published about a service, its streams and its durables."""
    yield from (party.event, f"{party.prefix}.{party.fires}.other", party.inbox)
    for stream in party.streams:
        yield from (f"$JS.API.STREAM.{operation}.{stream}" for operation in STREAM_OPERATIONS)
        yield from (f"$JS.API.CONSUMER.{operation}.{stream}" for operation in ("CREATE", "LIST", "NAMES"))
        yield from (f"$JS.API.DIRECT.GET.{stream}", f"$JS.API.DIRECT.GET.{stream}.{party.event}")
    for durable in party.durables:
        yield from (f"$JS.API.CONSUMER.{operation}.{durable}" for operation in DURABLE_OPERATIONS)
        yield f"$JS.API.CONSUMER.CREATE.{durable}.{party.event}"
        yield from (f"$JS.ACK.{durable}.1.1.1.1.1", f"$JS.ACK.{DOMAIN_AND_ACCOUNT}.{durable}.1.1.1.1.1")
        yield f"$JS.FC.{durable}.1"
    for source in party.sources:
        yield from (
            f"{party.prefix}-dead-letters.{source}.1.1",
            f"{party.prefix}-dead-letters-replays.{source}.1.1.1",
        )


def reading_letters(party: Party) -> Iterator[str]:
    """The subjects that read the dead letters of a service."""
    for source in party.sources:
        yield f"$JS.API.DIRECT.GET.{party.prefix}-dead-letters.{party.prefix}-dead-letters.{source}.1.1"


def crossed(one: Party, other: Party) -> Iterator[str]:
    """Acknowledgement subjects that name durables of both, in the places of both forms."""
    for mine in one.durables:
        for yours in other.durables:
            for count in range(8):
                yield f"$JS.ACK.{mine}.{yours}" + ".1" * count
                yield f"$JS.ACK.{yours}.{mine}" + ".1" * count


class Intruder(Rogue):
    """A service that does not use the library.

    Attributes:
        denied: subjects that the server denied.
        received: messages that arrived, each with its subject.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(reader, writer)
        self.denied: set[str] = set()
        self.received: list[tuple[str, bytes]] = []

    def subscribe(self, subject: str, queue: str = "") -> None:
        """Subscribe without waiting."""
        self._writer.write(f"SUB {subject} {queue} 1\r\n".encode())

    async def flush(self) -> None:
        """Wait until the server has taken what was sent, and read what it sent meanwhile."""
        self._writer.write(b"PING\r\n")
        while (line := await asyncio.wait_for(self._reader.readline(), BOUND)) != b"PONG\r\n":
            self._read(line, await self._body_after(line))

    async def receive(self) -> bytes:
        """Wait for the next message, and return its body."""
        while not self.received:
            line = await asyncio.wait_for(self._reader.readline(), BOUND)
            self._read(line, await self._body_after(line))
        return self.received.pop(0)[1]

    async def _body_after(self, line: bytes) -> bytes:
        if not line.startswith((b"MSG", b"HMSG")):
            return b""
        return (await self._reader.readexactly(int(line.split()[-1]) + 2))[:-2]

    def _read(self, line: bytes, body: bytes) -> None:
        if line.startswith((b"MSG", b"HMSG")):
            self.received.append((line.split()[1].decode(), body))
        elif violation := re.match(rb"-ERR 'Permissions Violation for [^\"]*\"([^\"]+)\"", line):
            self.denied.add(violation[1].decode())
        else:
            assert line.startswith((b"INFO", b"PING")), line

    async def request(self, subject: str, body: bytes = b"", *, reply: str) -> bytes:
        """Publish, and return the answer."""
        self.publish(subject.encode(), body, reply=reply.encode())
        return await self.receive()


@asynccontextmanager
async def connect(url: str, user: str, password: str) -> AsyncIterator[Intruder]:
    """Connect as a user, without any library."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    login = {"user": user, "pass": password, "headers": True, "verbose": False}
    writer.write(b"CONNECT %b\r\n" % json.dumps(login).encode())
    try:
        yield Intruder(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()


@dataclass(frozen=True)
class Site:
    """A server with the printed permissions, all streams and durables, and an event, dead letter and replay for each.

    Attributes:
        passwords: by user.
    """

    url: str
    passwords: dict[str, str]

    @asynccontextmanager
    async def intruder(self, party: Party) -> AsyncIterator[Intruder]:
        """Connect as a service, with its inbox."""
        async with connect(self.url, party.name, self.passwords[party.name]) as intruder:
            intruder.subscribe(f"_INBOX_{party.name}.>")
            await intruder.flush()
            yield intruder

    def admin(self) -> AbstractAsyncContextManager[Connection]:
        """Connect as the operator."""
        return connected(self.admin_url, origin="the test")

    @property
    def admin_url(self) -> str:
        return self.url.replace("//", f"//{ADMIN}:{self.passwords[ADMIN]}@")

    async def fill(self) -> None:
        """Store events, dead letters and replays, and have one event delivered to each durable."""
        async with self.admin() as admin:
            for party in PARTIES:
                async with self.intruder(party) as service:
                    for subject in (party.event, party.event):
                        await service.request(subject, b"an event", reply=party.inbox)
                    for source in party.sources:
                        letter = f"{party.prefix}-dead-letters.{source}.1.1"
                        await service.request(letter, b"a dead letter", reply=party.inbox)
                        await admin.request(
                            f"{party.prefix}-dead-letters-replays.{source}.1.1.1", b"a replay", BOUND
                        )
            for party in PARTIES:
                async with self.intruder(party) as service:
                    for durable in party.durables:
                        body = await service.request(
                            f"$JS.API.CONSUMER.MSG.NEXT.{durable}", reply=party.inbox
                        )
                        assert body in (b"an event", b"a replay")

    async def state(self) -> dict[str, Any]:
        """Return what the streams hold and how far the durables are."""
        state = {}
        async with self.admin() as admin:
            for party in PARTIES:
                for stream in party.streams:
                    info = await admin.api(f"STREAM.INFO.{stream}")
                    state[stream] = [info["config"], info["state"]]
                for durable in party.durables:
                    info = await admin.api(f"CONSUMER.INFO.{durable}")
                    state[durable] = [value for key, value in info.items() if key != "ts"]
        return state


@contextmanager
def running_site(folder: Path) -> Iterator[Site]:
    """Write the services' modules, print their permissions, and start a server with these and with what `apply` makes."""
    classes = "".join(
        f"class {class_name(api)}(Api):\n    a = Event()\n\n    class Meta:\n        name = {api!r}\n\n"
        for api in APIS
    )
    (folder / "events.py").write_text(f"from lightbus import Api, Event\n\n{classes}")
    options: list[str] = []
    for number, party in enumerate(PARTIES):
        (folder / f"s{number}").mkdir()
        (folder / f"s{number}" / "bus.py").write_text(party.module)
        options += ["--bus", f"s{number}.bus"]
    fires = [option for party in PARTIES for option in ("--fires", f"{party.name}:{party.fires}")]
    environment = clean_environment(folder)
    plan = run_to_end("plan", "--format", "nats", *options, *fires, folder=folder, environment=environment)
    assert plan.code == 0, plan.err
    variables = dict(re.findall(r'user: "(\S+)", password: \$(\w+)', plan.out))
    passwords = {user: f"secret-of-{user}" for user in variables}
    with pytest.MonkeyPatch.context() as patch:
        for user, variable in variables.items():
            patch.setenv(variable, passwords[user])
        with NatsServer(config=f"{plan.out}\nfeature_flags {{ js_ack_fc_v2: true }}") as server:
            site = Site(server.url, passwords)
            applied = run_to_end(
                "apply", "--yes", "--url", site.admin_url, *options, folder=folder, environment=environment
            )
            assert applied.code == 0, applied.out + applied.err
            asyncio.run(site.fill())
            yield site
