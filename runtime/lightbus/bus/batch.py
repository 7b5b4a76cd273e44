"""Many events on their way together: sent in their order, each confirmed by itself."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Any

from lightbus.errors import TransportError
from lightbus.transport import Outgoing, PubAck, Transport

_TOGETHER = 64  # events that are written at once, so that the server has work while more are made
_LATE = 0.05  # seconds for a confirmation, after which those that follow are waited for side by side

Outcome = TransportError | None


async def publish_all(
    transport: Transport, events: Sequence[Outgoing], timeout: float, *, first_alone: bool
) -> list[Outcome]:
    """Publish events, and wait until each is confirmed or has failed.

    Args:
        transport: a connected transport.
        events: what to store, in this order.
        timeout: seconds each of them has.
        first_alone: whether to wait for the first one before sending more. Where there may be no stream yet, the
            first makes it; the others would be sent in vain, and again out of order.

    Returns:
        Why each was not confirmed, None for those that were.
    """
    waiting: deque[Coroutine[Any, Any, PubAck]] = deque()
    outcomes: list[Outcome] = []
    clock = asyncio.get_running_loop().time
    try:
        for number, event in enumerate(events):
            if number % _TOGETHER == 0:
                await transport.room()
            if number == 1 and first_alone:
                outcomes.append(await _outcome(waiting.popleft()))
            waiting.append(transport.publish(event, timeout=timeout))
        while waiting:
            began = clock()
            outcomes.append(await _outcome(waiting.popleft()))
            if clock() - began > _LATE:  # it may have been sent again, and so may those behind it
                rest, waiting = waiting, deque()
                outcomes += await asyncio.gather(*map(_outcome, rest))
        return outcomes
    finally:
        for publishing in waiting:
            publishing.close()


async def _outcome(publishing: Coroutine[Any, Any, PubAck]) -> Outcome:
    try:
        await publishing
    except TransportError as error:
        return error
    return None
