"""What a first connection refuses, and what it requires."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

import lightbus
from lightbus import PermissionDenied
from lightbus.testing import NatsServer

BOUND = 20.0


pytestmark = pytest.mark.usefixtures("job_api")


async def test_credentials_are_never_sent_in_clear_text_when_tls_was_asked_for() -> None:
    heard = bytearray()
    done = asyncio.Event()

    async def server_without_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        info = {"server_id": "x", "version": "2.15.1", "max_payload": 1024, "headers": True, "proto": 1}
        writer.write(f"INFO {json.dumps(info)}\r\n".encode())
        while chunk := await reader.read(1024):
            heard.extend(chunk)
        writer.close()
        done.set()

    server = await asyncio.start_server(server_without_tls, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with lightbus.create(url=f"tls://user:secret@127.0.0.1:{port}") as bus:
        with pytest.raises(lightbus.ConnectionFailed, match="TLS was asked for") as caught:
            await bus.job.wanted.fire_async(name="x")
        await asyncio.wait_for(done.wait(), BOUND)
    server.close()
    await server.wait_closed()
    assert b"secret" not in heard
    assert "secret" not in str(caught.value)


async def test_a_wrong_password_is_said_at_once() -> None:
    with NatsServer(config="authorization { user: svc, password: right }\n") as server:
        url = server.url.replace("//", "//svc:wrong@")
        async with lightbus.create(url=url) as bus:
            with pytest.raises(lightbus.ConnectionFailed, match="Authorization Violation") as caught:
                await bus.job.wanted.fire_async(name="x")
    assert "Check the user, password" in str(caught.value)
    assert "In a URL they are percent-encoded." in str(caught.value)
    assert "wrong" not in str(caught.value)


PERMISSIONS = """
authorization { users = [
  { user: admin, password: x }
  { user: producer, password: x, permissions: {
      publish: { allow: ["lightbus.job.wanted"] }, subscribe: { allow: ["_INBOX_producer.>"] } } }
] }
"""


async def test_a_producer_needs_its_subject_and_its_inbox_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contexts = tmp_path / ".config/nats/context"
    contexts.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("NATS_CONTEXT", "producer")
    with NatsServer(config=PERMISSIONS) as server:
        async with lightbus.create(url=server.url.replace("//", "//admin:x@")) as admin:
            await admin.job.wanted.fire_async(name="makes the stream")

        def select(inbox_prefix: str) -> None:
            settings = {"url": server.url, "user": "producer", "password": "x", "inbox_prefix": inbox_prefix}
            (contexts / "producer.json").write_text(json.dumps(settings))

        select("_INBOX_producer")
        async with lightbus.create() as bus:
            assert (await bus.job.wanted.fire_async(name="allowed")).id
        select("_INBOX_other")
        async with lightbus.create() as bus:
            with pytest.raises(
                PermissionDenied,
                match=r"'_INBOX_other\..*The inbox_prefix of NATS context 'producer' must be one that",
            ):
                await bus.job.wanted.fire_async(name="deaf")


async def test_all_first_calls_share_one_attempt_to_connect() -> None:
    async with lightbus.create(url="nats://127.0.0.1:9") as bus:
        fires = (bus.job.wanted.fire_async(name=str(number)) for number in range(50))
        results = await asyncio.wait_for(asyncio.gather(*fires, return_exceptions=True), BOUND)
    assert {type(result) for result in results} == {lightbus.ConnectionFailed}
    assert len({id(result) for result in results}) == 1
