"""The example this project grew from: the events page of the Lightbus documentation, on the dynamic bus.

Only argument names are corrected: `password` (the event has `email`), and two handlers' `email`
(`user_updated` has `new_email`, `user_deleted` has only `username`). As printed, each of the three is
refused.
"""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Iterator
from typing import Any

import pytest

import lightbus
from lightbus import InvalidEventArguments, InvalidListener
from lightbus.testing import NatsServer

AUTH_SERVICE = """
# auth_service/bus.py
from lightbus import Api, Event


class AuthApi(Api):
    user_created = Event(parameters=('username', 'email'))
    user_updated = Event(parameters=('username', 'new_email'))
    user_deleted = Event(parameters=('username'))

    class Meta:
        name = 'auth'
"""

OTHER_SERVICE = """
# other_service/bus.py
import lightbus

bus = lightbus.create()
user_db = {}


def handle_created(username, email):
    user_db[username] = email
    print(user_db)


def handle_updated(username, new_email):
    user_db[username] = new_email
    print(user_db)


def handle_deleted(username):
    user_db.pop(username)
    print(user_db)


def before_server_start():
    # before_server_start() is called on lightbus startup,
    # this allows you to setup your listeners.

    bus.auth.user_created.listen(
        handle_created,
        listener_name="user_created"
    )
    bus.auth.user_updated.listen(
        handle_updated,
        listener_name="user_updated"
    )
    bus.auth.user_deleted.listen(
        handle_deleted,
        listener_name="user_deleted"
    )
"""


@pytest.fixture
def other_service(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    with NatsServer() as server:  # a separate server, as the example uses the default prefix
        monkeypatch.setenv("NATS_URL", server.url)
        exec(AUTH_SERVICE, {"__name__": "auth_service.bus"})
        module: dict[str, Any] = {"__name__": "other_service.bus"}
        exec(OTHER_SERVICE, module)
        yield module
        module["bus"].close()


async def test_it_runs(other_service: dict[str, Any]) -> None:
    printed: queue.Queue[dict[str, str]] = queue.Queue()
    other_service["print"] = lambda users: printed.put(dict(users))
    bus = lightbus.create()
    await asyncio.to_thread(other_service["before_server_start"])
    try:
        await asyncio.to_thread(bus.auth.user_created.fire, username="adam", email="adam@example.com")
        assert await asyncio.to_thread(printed.get, timeout=20) == {"adam": "adam@example.com"}
        await bus.auth.user_updated.fire_async(username="adam", new_email="adam@new.example.com")
        assert await asyncio.to_thread(printed.get, timeout=20) == {"adam": "adam@new.example.com"}
        await bus.auth.user_deleted.fire_async(username="adam")
        assert await asyncio.to_thread(printed.get, timeout=20) == {}
    finally:
        await bus.close_async()


def test_the_printed_call_to_fire_is_refused(other_service: dict[str, Any]) -> None:
    with pytest.raises(InvalidEventArguments) as caught:
        other_service["bus"].auth.user_created.fire(username="adam", password="adam@example.com")
    assert "password" in str(caught.value) and "email" in str(caught.value)


@pytest.mark.parametrize("event", ["user_updated", "user_deleted"])
def test_the_printed_handlers_are_refused(other_service: dict[str, Any], event: str) -> None:
    def handler(username, email):  # type: ignore[no-untyped-def]
        pass

    with pytest.raises(InvalidListener, match="it takes 'email', which the event does not have"):
        getattr(other_service["bus"].auth, event).listen(handler, listener_name=event)
