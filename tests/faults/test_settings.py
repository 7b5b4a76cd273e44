"""Two versions of a service with different settings for one durable (scenario 26)."""

from __future__ import annotations

from typing import Any

from lightbus.jetstream.streams.resources import NANOSECONDS
from lightbus.testing import NatsServer
from tests.faults.conftest import Open
from tests.faults.ledger import Ledger
from tests.faults.state import durable, durable_of, until_settled
from tests.faults.workers import SERVICE, Workers


async def changes(workers: Workers, **listeners: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what `lightbus plan` would change about the durable."""
    _, actions = await workers.ask("plan", "--bus", SERVICE, **listeners)
    return [action for action in actions if action["name"] == durable_of("one")]


async def test_s26_a_newer_version_tells_what_differs_and_overwrites_nothing(
    server: NatsServer, producer: Open, workers: Workers, ledger: Ledger
) -> None:
    older, newer = {"ack_wait": 30.0}, {"ack_wait": 10.0}
    workers.ready(one=older)
    before = (await durable(server.url))["config"]
    workers.ready(one=newer)
    for number in range(4):
        await producer().job.wanted.fire_async(number=number)
    await until_settled(server.url)
    assert ledger.handled() == dict.fromkeys(range(4), 1)
    assert (await durable(server.url))["config"] == before
    assert await changes(workers, one=older) == []
    (change,) = await changes(workers, one=newer)
    (difference,) = change["differences"]
    assert {key: difference[key] for key in ("setting", "is", "should_be")} == {
        "setting": "ack_wait",
        "is": 30 * NANOSECONDS,
        "should_be": 10 * NANOSECONDS,
    }
