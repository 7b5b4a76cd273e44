"""What a server would refuse fails before it is sent, or at once (scenarios 18 and 19)."""

from __future__ import annotations

import time

import pytest

import lightbus
from lightbus import Api, Event, EventTooLarge, PermissionDenied, PublishFailed
from lightbus.testing import NatsServer
from tests.faults.conftest import Open
from tests.faults.jobs import JobApi
from tests.faults.proxy import Proxy
from tests.faults.state import count
from tests.faults.waiting import BOUND, until


async def test_s18_an_event_of_exactly_the_limit_goes_and_one_byte_more_is_refused(
    server: NatsServer, producer: Open, proxy: Proxy
) -> None:
    """nats-py does not count headers, and the server closes the connection for good on a message that is too large."""
    bus = producer(proxy.url)
    size = 1024 * 1024
    with pytest.raises(EventTooLarge) as caught:
        await bus.job.wanted.fire_async(number=1, order="x" * size)
    fits = size - (caught.value.size - caught.value.limit)
    with pytest.raises(EventTooLarge):
        await bus.job.wanted.fire_async(number=1, order="x" * (fits + 1))
    await bus.job.wanted.fire_async(number=1, order="x" * fits)
    assert await count(server.url) == 1
    assert proxy.connections == 1


async def test_s18_a_subject_that_is_too_long_is_refused(server: NatsServer, proxy: Proxy) -> None:
    class LongApi(Api):
        locals()["e" * 5000] = Event()
        short = Event()

        class Meta:
            name = "long"

    async with lightbus.create(url=proxy.url, apis=[LongApi], timeout=BOUND) as bus:
        with pytest.raises(PublishFailed, match="longer than 1024 characters"):
            await getattr(bus.long, "e" * 5000).fire_async()
        await bus.long.short.fire_async()
    assert proxy.connections == 1


DENIED = """
authorization { users = [
  { user: admin, password: x }
  { user: producer, password: x, permissions: { publish: { deny: ["lightbus.job.wanted"] } } }
] }
"""


async def test_s19_what_the_server_denies_fails_at_once() -> None:
    """The server reports it apart from the event, which gets no reply; waiting for one would take the whole timeout."""
    with NatsServer(config=DENIED) as server:
        url = server.url.replace("//", "//producer:x@")
        async with lightbus.create(url=url, apis=[JobApi], timeout=BOUND) as bus:
            for _ in range(2):
                fired = time.monotonic()
                with pytest.raises(PermissionDenied, match=r"denies publishing to 'lightbus\.job\.wanted'"):
                    await bus.job.wanted.fire_async(number=1)
                assert time.monotonic() - fired < BOUND / 10
            await bus.job.followed.fire_async(number=1)
        assert await count(server.url.replace("//", "//admin:x@")) == 1


DEAF = """
authorization { users = [
  { user: admin, password: x }
  { user: producer, password: x, permissions: { subscribe: { allow: [ %s ] } } }
] }
"""


async def test_s19_nothing_is_stored_whose_acknowledgement_is_denied() -> None:
    with NatsServer(config=DEAF % '"nothing"') as server:
        admin, producer = (server.url.replace("//", f"//{user}:x@") for user in ("admin", "producer"))
        async with lightbus.create(url=admin, apis=[JobApi]) as bus:
            await bus.job.wanted.fire_async(number=1)
        async with lightbus.create(url=producer, apis=[JobApi], timeout=BOUND) as bus:
            for _ in range(2):
                with pytest.raises(PermissionDenied, match="denies subscribing to '_INBOX"):
                    await bus.job.wanted.fire_async(number=2)
        assert await count(admin) == 1


async def test_a_user_who_may_not_receive_answers_fires_once_the_right_is_granted() -> None:
    with NatsServer(config=DEAF % '"nothing"') as server:
        url = server.url.replace("//", "//producer:x@")
        async with lightbus.create(url=url, apis=[JobApi], timeout=BOUND) as bus:
            with pytest.raises(PermissionDenied, match="denies subscribing to '_INBOX"):
                await bus.job.wanted.fire_async(number=1)
            server.reload(DEAF % '">"')

            async def is_granted() -> bool:
                try:
                    await bus.job.wanted.fire_async(number=2)
                except PermissionDenied:
                    server.kill()
                    server.start()
                    return False
                return True

            await until(is_granted, "the connection is made anew, with the right")
