"""A fair limit on how many handlers run at a time."""

from __future__ import annotations

import asyncio
from collections import deque


class Permits:
    """A number of permits; the task that has waited longest gets the next one.

    Like `asyncio.Semaphore`, but a free permit is taken by a plain call: the coroutines of `async with` cost a
    twentieth of the time of an event.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: deque[asyncio.Future[None]] = deque()

    def take_now(self) -> bool:
        """Take a permit if one is free."""
        if not self._free:
            return False
        self._free -= 1
        return True

    async def take(self) -> None:
        """Wait for a permit."""
        if self.take_now():
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()
            raise

    def give_back(self) -> None:
        """Return a permit, to the first waiting task if there is one."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
