"""Who runs next when not all may run at once."""

from __future__ import annotations

import asyncio
import contextlib

from lightbus.listening.permits import Permits


async def waiting(permits: Permits, count: int) -> list[asyncio.Task[None]]:
    """Start several waiters."""
    tasks = [asyncio.create_task(permits.take()) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def done(tasks: list[asyncio.Task[None]]) -> list[bool]:
    """Let waiters that got a permit finish, and return them."""
    await asyncio.sleep(0)
    return [task.done() for task in tasks]


async def test_no_more_are_given_than_there_are() -> None:
    permits = Permits(2)
    assert [permits.take_now() for _ in range(3)] == [True, True, False]
    permits.give_back()
    await permits.take()
    assert not permits.take_now()


async def test_who_has_waited_longest_is_next() -> None:
    permits = Permits(1)
    await permits.take()
    tasks = await waiting(permits, 2)
    permits.give_back()
    assert not permits.take_now()  # nobody gets ahead of those who wait
    assert await done(tasks) == [True, False]
    permits.give_back()
    assert await done(tasks) == [True, True]
    permits.give_back()
    assert permits.take_now()


async def test_who_is_cancelled_leaves_the_permit_to_others() -> None:
    permits = Permits(1)
    await permits.take()
    gone, lost, next_one = await waiting(permits, 3)
    gone.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await gone
    permits.give_back()
    lost.cancel()  # it has been given the permit, and has not noticed yet
    await asyncio.wait([lost])
    assert lost.cancelled()
    await asyncio.wait_for(next_one, 10)
    permits.give_back()
    assert permits.take_now()
