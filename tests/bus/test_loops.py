"""Which event loop the library creates, where it creates one."""

from __future__ import annotations

import asyncio
import sys
import threading

import pytest
import uvloop

import lightbus
from lightbus.bus.portal import new_loop
from lightbus.testing import NatsServer


def test_uvloop_is_used_where_it_is_installed() -> None:
    loop = new_loop()
    loop.close()
    assert isinstance(loop, uvloop.Loop)


def test_asyncios_own_is_used_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    loop = new_loop()
    loop.close()
    assert isinstance(loop, asyncio.SelectorEventLoop)


@pytest.mark.parametrize("installed", [True, False], ids=["uvloop", "asyncio"])
@pytest.mark.usefixtures("job_api")
def test_a_script_fires_and_listens_on_either(
    installed: bool, nats_server: NatsServer, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not installed:
        monkeypatch.setitem(sys.modules, "uvloop", None)
    names = [str(number) for number in range(200)]
    seen: list[str] = []
    kinds: set[bool] = set()
    done = threading.Event()

    async def handler(name: str) -> None:
        seen.append(name)
        kinds.add(isinstance(asyncio.get_running_loop(), uvloop.Loop))
        if len(seen) == len(names):
            done.set()

    with lightbus.create(url=nats_server.url, prefix=prefix) as bus:
        bus.job.wanted.listen(handler, listener_name="l")
        bus.job.wanted.fire_many({"name": name} for name in names[:-1])
        bus.job.wanted.fire(name=names[-1])
        assert done.wait(30)
    assert (seen, kinds) == (names, {installed})
