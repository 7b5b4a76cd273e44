"""How many may work at a time, and who is next."""

from __future__ import annotations

import asyncio
from collections import deque


class Permits:
    """A number of permits; whoever has waited longest gets the next one.

    Like `asyncio.Semaphore`, but a permit that is free is had by a plain call: the coroutines of `async with` took a
    twentieth of the time of an event.

    Args:
        count: how many there are.
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
        mine = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self.give_back()
            raise

    def give_back(self) -> None:
        """Give a permit back, to whoever waits."""
        while self._waiting:
            next_one = self._waiting.popleft()
            if not next_one.done():
                next_one.set_result(None)
                return
        self._free += 1
