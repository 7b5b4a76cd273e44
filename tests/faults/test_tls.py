"""TLS connections that end in every way: one reason in words, and no noise from asyncio."""

from __future__ import annotations

import asyncio
import logging
import sys
import warnings
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

import lightbus
from lightbus import ConnectionFailed, DynamicBus
from lightbus.testing import NatsServer
from tests.faults.identities import Certificates, write_context
from tests.faults.jobs import JobApi
from tests.faults.waiting import BOUND


class Noise(logging.Handler):
    """What asyncio, nats-py and the interpreter report beside the library's own log."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != "lightbus":
            self.lines.append(self.format(record))


def bus() -> DynamicBus:
    return lightbus.create(service_name="tls", apis=[JobApi], timeout=BOUND)


async def closed_by_us(server: NatsServer) -> None:
    async with bus() as one:
        await one.job.wanted.listen_async(lambda **_: None, listener_name="one")
        await one.job.wanted.fire_async(number=1)


async def killed_under_load(server: NatsServer) -> None:
    async with bus() as one:
        await one.job.wanted.listen_async(lambda **_: None, listener_name="one")
        await one.job.wanted.fire_async(number=0)
        for _ in range(3):
            firing = asyncio.create_task(one.job.wanted.fire_many_async([{"number": 1}] * 2_000))
            await asyncio.sleep(0)
            server.kill()
            await asyncio.to_thread(server.start)
            await firing


async def stopped_and_closed_while_down(server: NatsServer) -> None:
    async with bus() as one:
        await one.job.wanted.listen_async(lambda **_: None, listener_name="one")
        server.kill()
    await asyncio.to_thread(server.start)


async def used_by_a_blocking_call(server: NatsServer) -> None:
    """A blocking call runs in a loop of the bus."""

    def fire() -> None:
        with bus() as one:
            one.job.wanted.fire(number=1)

    await asyncio.to_thread(fire)


Ending = Callable[[NatsServer], Coroutine[Any, Any, None]]


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize(
    "ending",
    [closed_by_us, killed_under_load, stopped_and_closed_while_down, used_by_a_blocking_call],
    ids=lambda ending: ending.__name__,
)
def test_a_tls_connection_ends_without_noise(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    ending: Ending,
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    files = Certificates(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    unraisable: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    noise = Noise()
    logging.getLogger().addHandler(noise)
    try:
        with (
            NatsServer(config=files.config("verify: true")) as server,
            warnings.catch_warnings(record=True) as warned,
        ):
            warnings.simplefilter("always")
            settings = {"url": server.url, "ca": str(files.ca), **files.client}
            monkeypatch.setenv("NATS_CONTEXT", write_context(tmp_path, **settings))
            with asyncio.Runner(loop_factory=loop) as runner:
                runner.run(ending(server))
    finally:
        logging.getLogger().removeHandler(noise)
    assert noise.lines == [] and [str(warning.message) for warning in warned] == [] and unraisable == []
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_the_reason_of_a_tls_failure_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    files = Certificates(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)

    async def reason(**settings: str) -> str:
        monkeypatch.setenv("NATS_CONTEXT", write_context(tmp_path, **settings))
        async with bus() as one:
            with pytest.raises(ConnectionFailed) as caught:
                await one.job.wanted.fire_async(number=1)
        assert isinstance(caught.value.reason, str)
        return caught.value.reason

    with asyncio.Runner(loop_factory=loop) as runner:
        with NatsServer() as plain:
            url = plain.url.replace("nats://", "tls://")
            assert runner.run(reason(url=url)) == "TLS was asked for, and the server does not offer it"
        with NatsServer(config=files.config("verify: true")) as server:
            reasons = [
                runner.run(reason(url=server.url)),
                runner.run(reason(url=server.url, ca=str(files.other_ca))),
                runner.run(reason(url=server.url, ca=str(files.ca))),
            ]
    assert not [text for text in reasons if text.startswith(("(", "'"))]
