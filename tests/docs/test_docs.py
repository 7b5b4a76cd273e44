"""The documentation is correct.

The blocks of a document are followed in order, in one new folder. A block that begins with `# path/name.ext`
becomes that file; any other python block is run (a py block is only a fragment); in a console block, the `$
commands` are run, and their output is compared with the lines below them. `lightbus run` and `lightbus
server` keep running in the background.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nats
import pytest

import lightbus
from lightbus.testing import NatsServer
from tests.conftest import ROOT
from tests.faults.waiting import until

BOUND = 60.0
BIN = Path(sys.executable).parent
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    line: int

    @property
    def path(self) -> str | None:
        match = re.match(r"# ([\w./-]+\.(?:py|toml|ya?ml))\n", self.text)
        return match[1] if match else None


def blocks(document: Path) -> list[Block]:
    text = document.read_text()
    return [
        Block(match[1], match[2], text[: match.start()].count("\n") + 2) for match in FENCE.finditer(text)
    ]


class Reader:
    """Follows a document to the letter."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "NATS_URL": url,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(folder),
            "XDG_CACHE_HOME": str(folder.with_name(f"{folder.name}-cache")),
            "NO_COLOR": "1",
        }
        self._background: list[subprocess.Popen[str]] = []
        self._files = 0

    def follow(self, block: Block) -> None:
        if block.path is not None:
            file = self.folder / block.path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text)
        elif block.language == "python":
            self._files += 1
            file = self.folder / f"block_{self._files}.py"
            file.write_text(block.text)
            self.run(f"python {file.name}")
        elif block.language == "console":
            for command, expected in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", block.text, re.MULTILINE):
                if command.startswith(("lightbus run", "lightbus server")):
                    self.start(command)
                    continue
                output = self.run(command)
                for line in expected.splitlines():
                    assert line in output, f"line {block.line}: {command!r} printed\n{output}"

    def run(self, command: str) -> str:
        done = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=self.environment,
            text=True,
            timeout=BOUND,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert done.returncode == 0, f"{command!r} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def start(self, command: str) -> None:
        if command == "lightbus server":  # replaced by the fixture's server, on a free port
            return
        process = subprocess.Popen(
            command.split(),
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._background.append(process)
        assert process.stdout is not None
        assert any("ready" in line for line in process.stdout), f"{command!r} never got ready"

    def printed(self, words: str) -> bool:
        """Wait until a background process prints some words."""
        (process,) = self._background
        assert process.stdout is not None
        return any(words in line for line in process.stdout)

    def close(self) -> None:
        for process in self._background:
            process.terminate()
            process.wait(BOUND)
            assert process.stdout is not None
            process.stdout.close()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    with NatsServer() as server:  # a separate server, as the documents use the default prefix
        reader = Reader(tmp_path, server.url)
        yield reader
        reader.close()


def test_the_readme(reader: Reader) -> None:
    for block in blocks(ROOT / "README.md"):
        reader.follow(block)
    assert reader.printed("welcome ada, we will write to ada@example.com")
    assert "4 passed" in reader.run("python -m pytest -q -W error -p no:asyncio -p no:cacheprovider")
    reader.run("mypy .")


def test_definitions(reader: Reader) -> None:
    for block in blocks(ROOT / "docs" / "definitions.md"):
        reader.follow(block)
    reader.run("lightbus-gen export shop.bus:OrdersApi")
    assert (reader.folder / "schemas" / "shop.orders.json").is_file()


def test_the_generator(reader: Reader) -> None:
    for block in blocks(ROOT / "docs" / "generator.md"):
        reader.follow(block)


def test_provisioning(reader: Reader) -> None:
    """The page continues where the README has generated its client."""
    readme = blocks(ROOT / "README.md")
    steps = [block.text for block in readme]
    for block in readme[: steps.index("$ lightbus-gen\n") + 1]:
        if block.path is not None or block.language == "console":
            reader.follow(block)
    for block in blocks(ROOT / "docs" / "provisioning.md"):
        reader.follow(block)
    assert 'user: "web"' in (reader.folder / "services.conf").read_text()


def test_delivery(reader: Reader) -> None:
    """The handler may run twice and does, and adds its points once."""
    for block in blocks(ROOT / "docs" / "delivery.md"):
        reader.follow(block)
    reader.start("lightbus run --bus shop.points")

    async def store_twice() -> None:
        client = await nats.connect(reader.environment["NATS_URL"])
        stream = client.jetstream()
        for amount in (10, 5):
            event = {
                "specversion": "1.0",
                "id": f"order-{amount}",
                "source": "/shop",
                "type": "orders.paid",
                "data": {"customer": "ada", "amount": amount},
            }
            for _ in range(2):
                await stream.publish("lightbus.orders.paid", json.dumps(event).encode())

        async def all_handled() -> bool:
            durable = await stream.consumer_info("lightbus-orders", "loyalty-give_points")
            return durable.ack_floor is not None and durable.ack_floor.stream_seq == 4

        await until(all_handled, "all four are acknowledged")
        await client.close()

    asyncio.run(store_twice())
    with sqlite3.connect(reader.folder / "points.db") as database:
        assert database.execute("SELECT * FROM points").fetchall() == [("ada", 15)]


def test_the_protocol_shows_what_is_read(nats_server: NatsServer, prefix: str, tmp_path: Path) -> None:
    """The protocol's event, published as another language would, reaches a listener of its schema."""
    event, document = (block.text for block in blocks(ROOT / "docs" / "protocol.md"))
    (tmp_path / "auth.json").write_text(document)
    seen: queue.Queue[dict[str, object]] = queue.Queue()

    async def publish() -> None:
        client = await nats.connect(nats_server.url)
        await client.jetstream().publish(f"{prefix}.auth.user_created", event.encode())
        await client.close()

    with lightbus.create(url=nats_server.url, prefix=prefix, schemas=tmp_path) as bus:
        bus.auth.user_created.listen(lambda event: seen.put(event.kwargs), listener_name="other")
        asyncio.run(publish())
        assert seen.get(timeout=BOUND) == {"username": "ada", "email": "ada@example.com"}


@pytest.mark.parametrize(
    "document", sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name
)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name} links to {target}"
