# ruff: noqa: RUF001 - names of people
"""Whatever is in an event, an exception or on the server, no command passes it to a terminal or a log raw."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lightbus import naming
from lightbus.jetstream.connection.wire import header_block
from tests.cli.kit import BOUND, service_code
from tests.conformance.kits import look_into
from tests.faults.waiting import until
from tests.hostile_text import C1, CSI, HOSTILE, INVISIBLE, OSC, WORD, check_harmless, in_terminal, piped

SERVICE = """
def welcome(username, email):
    raise ValueError(username)

def dropped(username, email):
    raise KeyError("first line\\n" + username)

def shut_down(username):
    raise OSError(username)

def before_server_start():
    event = bus.auth.user_created
    event.listen(welcome, listener_name="welcome", retries=1, backoff=Backoff(first=0.01))
    event.listen(dropped, listener_name="dropped", on_error=OnError.ACKNOWLEDGE_AND_LOG)
"""
SHUTDOWN = '    bus.auth.user_deleted.listen(shut_down, listener_name="down", on_error=OnError.SHUTDOWN)\n'
JSON = ("--format", "json")
HEADER = f"{OSC}{CSI}{C1}{INVISIBLE}".replace("\x85", "")


def event(**fields: object) -> dict[str, Any]:
    """Return a CloudEvent of which some fields are hostile."""
    data = {"username": "ada", "email": "a@b"}
    return {
        "specversion": "1.0",
        "id": "1",
        "source": "/s",
        "type": "auth.user_created",
        "data": data,
        **fields,
    }


DATA = {"username": HOSTILE, "email": "a@b"}
EVENTS = [
    event(id=f"1{HOSTILE}", data=DATA),
    event(id="2", source=HOSTILE, data=DATA),
    event(id="3", type=HOSTILE),
    event(id="4", time=HOSTILE),
    event(id="5", dataschema=HOSTILE, subject=HOSTILE, datacontenttype=HOSTILE, traceparent=HOSTILE),
    event(id=f"6{HOSTILE}", data={**DATA, HOSTILE: 1}),
    event(id="7", data={"username": [HOSTILE], HOSTILE: {HOSTILE: HOSTILE}}),
    event(id="8", data=HOSTILE),
    event(id="9\ud800", data={"username": "\ud800", "email": "a@b"}),
    {HOSTILE: HOSTILE},
]
BODIES = [
    *(json.dumps(each).encode() for each in EVENTS),
    HOSTILE.encode(),
    HOSTILE.encode() + b"\xff\x9b",
]


async def publish(url: str, subject: str, body: bytes, headers: dict[str, str] | None = None) -> None:
    async with look_into(url) as server:
        server.send(subject, body, header=header_block(headers or {}))
        await server.request("$JS.API.INFO", b"", BOUND)  # by now the server has it


def fill(url: str, prefix: str) -> None:
    """Publish every hostile event, some with hostile headers and one on a hostile subject."""

    async def work() -> None:
        for number, body in enumerate(BODIES):
            headers = {"X-Header": HEADER, "ce-id": HEADER, "Content-Type": HEADER} if number == 1 else {}
            await publish(url, f"{prefix}.auth.user_created", body, headers)
        await publish(url, f"{prefix}.auth.{WORD}", BODIES[0])

    asyncio.run(work())


def false_dead_letter(url: str, prefix: str) -> None:
    """Publish a dead letter whose headers are hostile."""
    names = ("Error", "Digest", "Reason", "Event-Id", "Traceback", "Attempts", "First-Failed", "Subject")
    headers = {f"Lightbus-{name}": HEADER for name in names} | {"X-Header": HEADER}
    place = f"{naming.stream(prefix, 'auth')}.mailer-{WORD.replace('.', '')}.7.2026-11-23T00:00:00"
    asyncio.run(publish(url, f"{naming.dead_letter_stream(prefix)}.{place}", BODIES[0], headers))


async def dead_letters(url: str, prefix: str) -> int:
    async with look_into(url) as server:
        state = (await server.api(f"STREAM.INFO.{naming.dead_letter_stream(prefix)}"))["state"]
        return int(state["messages"])


def start(
    folder: Path, environment: dict[str, str], *, terminal: bool
) -> tuple[subprocess.Popen[bytes], int]:
    """Start `lightbus run`, and return the file descriptor of its output."""
    reader, writer = pty.openpty() if terminal else os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "lightbus", "run"], cwd=folder, env=environment, stdout=writer, stderr=writer
    )
    os.close(writer)
    return process, reader


def read(reader: int, until_text: str = "") -> bytes:
    """Read until a text has come, or to the end."""
    output = b""
    while not until_text or until_text.encode() not in output:
        try:
            chunk = os.read(reader, 65_536)
        except OSError:  # the end, of a terminal
            chunk = b""
        if not chunk:
            break
        output += chunk
    return output


@pytest.fixture
def provisioned(folder: Path, environment: dict[str, str], on_server: str, prefix: str) -> str:
    (folder / "bus.py").write_text(service_code(prefix, SERVICE))
    subprocess.run(
        [sys.executable, "-m", "lightbus", "apply", "--yes"], cwd=folder, env=environment, check=True
    )
    return on_server


@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
def test_no_log_of_a_service_is_steered_or_forged(
    provisioned: str, folder: Path, environment: dict[str, str], prefix: str, terminal: bool
) -> None:
    fill(provisioned, prefix)
    process, reader = start(folder, environment, terminal=terminal)
    with process:
        output = read(reader, "ready (process")
        unhandled = len(BODIES)
        asyncio.run(until_settled(provisioned, prefix, unhandled))
        process.send_signal(signal.SIGTERM)
        output += read(reader)
    os.close(reader)
    log = check_harmless(output)
    assert "Ольга" in log and "Traceback (most recent call last)" in log
    assert r"event 1Ольга \x1b]0;title\x07\x1b[2J" in log
    assert (
        "    ValueError: Ольга" not in log and "  ValueError: Ольга" in log
    )  # a traceback stays a traceback
    assert "in welcome\n" in log


async def until_settled(url: str, prefix: str, number: int) -> None:
    await until(lambda: _dead_lettered(url, prefix, number), "all events are dead letters")


async def _dead_lettered(url: str, prefix: str, number: int) -> bool:
    return await dead_letters(url, prefix) >= number


@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
def test_no_error_that_ends_a_service_is_steered_or_forged(
    provisioned: str, folder: Path, environment: dict[str, str], prefix: str, terminal: bool
) -> None:
    (folder / "bus.py").write_text(service_code(prefix, SERVICE + SHUTDOWN))
    process, reader = start(folder, environment, terminal=terminal)
    with process:
        output = read(reader, "ready (process")
        body = json.dumps(event(id=HOSTILE, type="auth.user_deleted", data={"username": HOSTILE}))
        asyncio.run(publish(provisioned, f"{prefix}.auth.user_deleted", body.encode()))
        output += read(reader)
    os.close(reader)
    assert process.returncode == 1
    shown = check_harmless(output)
    assert "error: listener 'mailer-down' failed on event Ольга" in shown


@pytest.mark.timeout(300)
def test_no_command_is_steered_or_forged(
    provisioned: str, folder: Path, environment: dict[str, str], prefix: str
) -> None:
    fill(provisioned, prefix)
    process, reader = start(folder, environment, terminal=False)
    with process:
        read(reader, "ready (process")
        asyncio.run(until_settled(provisioned, prefix, len(BODIES)))
        process.send_signal(signal.SIGTERM)
        read(reader)
    os.close(reader)
    false_dead_letter(provisioned, prefix)
    asyncio.run(spoil(provisioned, prefix))
    on = ("--prefix", prefix)
    commands = [
        ("inspect", *on),
        ("inspect", *on, "--id", HOSTILE),
        ("inspect", *on, HOSTILE),
        ("status", *on),
        ("plan",),
        ("apply", "--yes"),
        ("dead-letters", "list", *on),
        ("dead-letters", "list", *on, "--summary"),
        ("dead-letters", "list", *on, "--id", HOSTILE, "--listener", HOSTILE, "--event", HOSTILE),
        *(("dead-letters", "show", str(number), *on) for number in (1, 5, len(BODIES), len(BODIES) + 1)),
        ("dead-letters", "show", HOSTILE, *on),
        ("dead-letters", "replay", *on, "--all", "--no-wait", "--dry-run"),
        ("dead-letters", "discard", *on, "--listener", "mailer-w*", "--yes"),
    ]
    for command in commands:
        if "discard" not in command:  # its progress bar moves the cursor
            check_harmless(in_terminal("lightbus", *command, folder=folder, environment=environment))
    for command in (("inspect", *on), ("dead-letters", "show", "1", *on)):
        check_harmless(in_terminal("lightbus", *command, *JSON, folder=folder, environment=environment))
    for command in commands[:1] + commands[3:5] + commands[6:8] + commands[9:11]:
        out, err = piped("lightbus", *command, *JSON, folder=folder, environment=environment)
        assert b"Traceback" not in err
        check_harmless(err)
        objects = [json.loads(line) for line in check_harmless(out).splitlines()]
        if command == ("inspect", *on):
            assert HOSTILE in [one["data"]["username"] for one in objects if one.get("id") == f"1{HOSTILE}"]


async def spoil(url: str, prefix: str) -> None:
    """Give a stream and a durable hostile descriptions and metadata, as another client may."""
    async with look_into(url) as server:
        stream = naming.stream(prefix, "auth")
        config = (await server.api(f"STREAM.INFO.{stream}"))["config"]
        config |= {"description": HOSTILE, "metadata": {"by": HOSTILE}, "max_msgs": 10_000}
        await server.api(f"STREAM.UPDATE.{stream}", config)
        other = {
            "durable_name": "other",
            "ack_policy": "explicit",
            "description": HOSTILE,
            "metadata": {"by": HOSTILE},
        }
        await server.api(
            f"CONSUMER.CREATE.{stream}.other", {"stream_name": stream, "config": {**other, "name": "other"}}
        )
