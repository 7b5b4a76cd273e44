"""Fixtures for all tests; the real server comes from `lightbus.testing`."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

from lightbus import Api, Event
from lightbus.api import registry

pytest_plugins = ["lightbus.testing"]

# The same examples each time, so that a failure comes from the change; `make nightly` looks for new ones.
settings.register_profile("default", derandomize=True, deadline=None)
settings.register_profile("nightly", max_examples=3_000, deadline=None, print_blob=True)
settings.load_profile("default")

# Commands run as on most machines, where Python keeps bytecode beside the source
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Set how many malformed messages the flood has; `make flood` sends many more."""
    parser.addoption("--flood", type=int, default=2_000, help="messages of tests/listening/test_flood.py")


@pytest.fixture(autouse=True, scope="session")
def same_examples() -> Iterator[None]:
    """Keep constants of modules that happen to be imported out of the drawn examples, except in `make
    nightly`.

    Hypothesis collects them, so the examples of a test would depend on the tests that ran before it.
    """
    with pytest.MonkeyPatch.context() as patch:
        if settings.get_current_profile_name() == "default":
            patch.setattr(providers, "_get_local_constants", Constants)
        yield


ROOT = Path(__file__).parent.parent
_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def fresh_api_registry() -> Iterator[None]:
    """Let each test define its own APIs."""
    before = dict(registry)
    registry.clear()
    yield
    registry.clear()
    registry.update(before)


@pytest.fixture(autouse=True)
def no_ambient_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own NATS settings out of the tests."""
    for name in (
        "NATS_URL",
        "NATS_CONTEXT",
        "LIGHTBUS_SERVICE_NAME",
        "LIGHTBUS_MODULE",
        "LIGHTBUS_PROVISION",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def prefix() -> str:
    """A separate prefix gives each test empty streams on the shared server."""
    return f"t{os.getpid()}-{next(_numbers)}"


@pytest.fixture
def job_api() -> type[Api]:
    class JobApi(Api):
        wanted = Event(parameters="name")

        class Meta:
            name = "job"

    return JobApi


BOUND = 20.0


class Records(logging.Handler):
    """The library's log records, which tests can wait for."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._queue: asyncio.Queue[logging.LogRecord] = asyncio.Queue()
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record.getMessage())
        self._queue.put_nowait(record)

    async def level_of(self, text: str) -> str:
        """Wait for a record that contains a text, and return its level."""
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
