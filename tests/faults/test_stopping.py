"""Workers are asked to stop (scenarios 9 and 10)."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest

from lightbus.testing import NatsServer
from tests.faults.conftest import Gate, Open
from tests.faults.ledger import Ledger
from tests.faults.servers import pause, resume
from tests.faults.state import durable, stored, until_settled
from tests.faults.waiting import until
from tests.faults.workers import Workers


async def test_s09_handlers_that_run_at_sigterm_finish_and_fire_and_the_rest_is_given_back(
    server: NatsServer, producer: Open, workers: Workers, ledger: Ledger, gate: Gate
) -> None:
    worker = workers.ready(one={"concurrency": 4})
    bus = producer()
    for number, order in enumerate(["hold", "hold", "hold", "follow"]):
        await bus.job.wanted.fire_async(number=number, order=f"{order}:{gate}")
    await until(lambda: len(ledger.began()) == 4, "four handlers run")
    for number in (4, 5, 6):
        await bus.job.wanted.fire_async(number=number)
    worker.signal(signal.SIGTERM)
    worker.wait_for("SIGTERM: finishing")
    gate.open()
    assert await asyncio.to_thread(worker.end) == 0
    assert ledger.handled() == {0: 1, 1: 1, 2: 1, 3: 1}
    assert len([found for found in await stored(server.url) if found.subject.endswith(".followed")]) == 1
    left = await durable(server.url)
    assert (left["ack_floor"]["consumer_seq"], left["num_pending"] + left["num_ack_pending"]) == (4, 3)
    workers.ready(one={"concurrency": 4})
    await until_settled(server.url)
    assert ledger.handled() == dict.fromkeys(range(7), 1)


@pytest.mark.parametrize("fault", ["killed", "paused"])
async def test_s10_a_worker_stops_within_its_grace_time_while_the_server_is_away(
    server: NatsServer, producer: Open, workers: Workers, ledger: Ledger, gate: Gate, fault: str
) -> None:
    options = {"ack_wait": 2.0, "concurrency": 2}
    worker = workers.ready(grace=2.0, one=options)
    bus = producer()
    for number in (1, 2):
        await bus.job.wanted.fire_async(number=number, order=f"hold:{gate}")
    await until(lambda: len(ledger.began()) == 2, "two handlers run")
    server.kill() if fault == "killed" else pause(server)
    asked = time.monotonic()
    worker.signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.end) == 0
    assert time.monotonic() - asked < 20  # 2 s of grace; the other limits would take a minute and more
    await asyncio.to_thread(server.start) if fault == "killed" else resume(server)
    gate.open()
    workers.ready(one=options)
    await until_settled(server.url)
    assert ledger.handled() == {1: 1, 2: 1}
