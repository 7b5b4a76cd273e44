"""Waiting for outcomes, never for time to pass."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable

BOUND = 90.0  # seconds that any awaited outcome may take on a slow machine
_POLL = 0.02  # seconds between two checks


async def until(condition: Callable[[], bool | Awaitable[bool]], what: str, bound: float = BOUND) -> None:
    """Poll until a condition holds.

    Args:
        condition: what to check.
        what: the outcome in words, for the failure.
        bound: seconds after which the outcome counts as missing.
    """
    try:
        async with asyncio.timeout(bound):
            while True:
                holds = condition()
                if await holds if inspect.isawaitable(holds) else holds:
                    return
                await asyncio.sleep(_POLL)
    except TimeoutError:
        raise AssertionError(f"never came to be: {what}") from None
