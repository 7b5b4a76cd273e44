"""Servers and brokers for tests of code on the bus, and a pytest plugin with fixtures for them.

Add `pytest_plugins = ["lightbus.testing"]` to `conftest.py` for the fixtures `memory_url` (an empty
in-memory broker per test), `nats_server` (a real nats-server per test session) and `bus_prefix` (empty
streams on it per test).
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator

import pytest

from lightbus.memory import Clock, ManualClock, MemoryBroker, broker
from lightbus.server import NatsServer

__all__ = [
    "Clock",
    "ManualClock",
    "MemoryBroker",
    "NatsServer",
    "broker",
    "bus_prefix",
    "memory_url",
    "nats_server",
]

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def nats_server() -> Iterator[NatsServer]:
    """Provide a real nats-server with JetStream on a free port, stopped when the session ends."""
    with NatsServer() as server:
        yield server


@pytest.fixture
def bus_prefix() -> str:
    """Provide a unique prefix, so that a bus with it sees no events of other tests."""
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture
def memory_url() -> str:
    """Provide the URL of a new in-memory broker; `broker(url)` returns the broker."""
    return f"memory://test-{next(_numbers)}"
