"""Workers are killed, slow, or many (scenarios 11, 12, 15, 29 and 30)."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import pytest

import lightbus
from lightbus import BusClosed
from lightbus.testing import NatsServer
from tests.faults.conftest import Gate, Open
from tests.faults.jobs import JobApi
from tests.faults.ledger import Ledger
from tests.faults.state import count, dead_letters, stored, until_settled
from tests.faults.waiting import BOUND, until
from tests.faults.workers import Workers


async def test_s11_another_worker_takes_over_from_one_that_was_killed(
    server: NatsServer, producer: Open, workers: Workers, ledger: Ledger, gate: Gate
) -> None:
    both = [workers.ready(one={"ack_wait": 2.0}) for _ in range(2)]
    await producer().job.wanted.fire_async(number=1, order=f"hold:{gate}")
    await until(lambda: ledger.began() == [1], "a handler begins")
    (first,) = ledger.entries
    (killed,) = (worker for worker in both if worker.pid == first.pid)
    killed.signal(signal.SIGKILL)
    await until(lambda: ledger.attempts(1) == [1, 2], "the event is delivered again")
    assert ledger.entries[-1].pid == next(worker.pid for worker in both if worker is not killed)
    gate.open()
    await until_settled(server.url)
    assert ledger.handled() == {1: 1}


async def test_s12_handlers_may_take_longer_than_ack_wait(
    server: NatsServer, producer: Open, workers: Workers, ledger: Ledger
) -> None:
    """Neither the event in the handler nor those buffered behind it are delivered to another worker."""
    for _ in range(2):
        workers.ready(one={"ack_wait": 2.0})
    bus = producer()
    for number in range(4):
        await bus.job.wanted.fire_async(number=number, order="slow:2.5")
    await until_settled(server.url)
    assert [ledger.attempts(number) for number in range(4)] == [[1]] * 4


async def test_s15_an_event_that_kills_its_workers_becomes_a_dead_letter_without_running_again(
    server: NatsServer, producer: Open, workers: Workers, ledger: Ledger
) -> None:
    bus = producer()
    event = await bus.job.wanted.fire_async(number=1, order="die")
    for _ in range(3):
        worker = workers.start(one={"ack_wait": 1.0, "retries": 2})
        assert await asyncio.to_thread(worker.end) == 1
    workers.ready(one={"ack_wait": 1.0, "retries": 2})
    await until_settled(server.url)
    assert ledger.attempts(1) == [1, 2, 3]
    (dead_letter,) = await dead_letters(server.url)
    assert (dead_letter.event_id, dead_letter.attempts) == (event.id, 4)
    assert "delivered 3 times without a result" in dead_letter.failure.reason
    await bus.job.wanted.fire_async(number=2)
    await until_settled(server.url)
    assert ledger.handled() == {2: 1}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_s29_a_bus_is_not_shared_over_a_fork(server: NatsServer) -> None:
    """Two processes that read one connection would take each other's replies."""
    with lightbus.create(url=server.url, apis=[JobApi], timeout=BOUND) as bus:
        bus.job.wanted.fire(number=1)
        child = os.fork()
        if child == 0:
            try:
                bus.job.wanted.fire(number=2)
            except BusClosed as error:
                os._exit(0 if "after the fork" in str(error) else 2)
            os._exit(1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        bus.job.wanted.fire(number=3)
    assert asyncio.run(count(server.url)) == 2


def test_s30_many_threads_fire_through_one_bus(server: NatsServer) -> None:
    threads, each = 50, 10
    ids: list[str] = []
    with lightbus.create(url=server.url, apis=[JobApi], timeout=BOUND) as bus:

        def fire(first: int) -> None:
            for number in range(first, first + each):
                ids.append(bus.job.wanted.fire(number=number).id)

        running = [threading.Thread(target=fire, args=(index * each,)) for index in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join(BOUND)
    assert len(set(ids)) == threads * each
    messages = asyncio.run(stored(server.url))
    assert len(messages) == threads * each == asyncio.run(count(server.url))
    assert all(sum(event_id.encode() in message.body for message in messages) == 1 for event_id in ids)
