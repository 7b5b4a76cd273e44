"""A transport within one process: the contract of `lightbus.transport` without a server.

For tests of code that uses the bus: `lightbus.create(url="memory://name")`. Buses with the same URL share
a broker, also across threads and event loops. Its clock can be turned by hand.
"""

from __future__ import annotations

from lightbus.memory.broker import Clock, ManualClock, MemoryBroker, Stored, broker
from lightbus.memory.transport import MemoryTransport

__all__ = ["Clock", "ManualClock", "MemoryBroker", "MemoryTransport", "Stored", "broker"]
