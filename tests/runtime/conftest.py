"""What several modules of this folder need: definitions to fire and listen with, and the library's log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from lightbus import Api, Event


@pytest.fixture
def job_api() -> type[Api]:
    class JobApi(Api):
        wanted = Event(parameters="name")

        class Meta:
            name = "job"

    return JobApi


BOUND = 20.0


class Records(logging.Handler):
    """What the library logs, to be waited for."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._queue: asyncio.Queue[logging.LogRecord] = asyncio.Queue()

    def emit(self, record: logging.LogRecord) -> None:
        self._queue.put_nowait(record)

    async def level_of(self, text: str) -> str:
        """Wait for a record that holds a text, and return its level."""
        async with asyncio.timeout(BOUND):
            while text not in (record := await self._queue.get()).getMessage():
                pass
        return record.levelname


@pytest.fixture
async def records() -> AsyncIterator[Records]:
    handler = Records()
    logging.getLogger("lightbus").addHandler(handler)
    yield handler
    logging.getLogger("lightbus").removeHandler(handler)
