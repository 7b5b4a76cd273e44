"""Watches the durables of one connection, and logs their alarms."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from lightbus.errors import PermissionDenied, TransportError
from lightbus.jetstream.connection.connection import ApiError, Connection
from lightbus.jetstream.streams.health import Alarm, alarms
from lightbus.jetstream.streams.resources import Durable
from lightbus.logs import log

_EVERY = 30.0  # seconds between checks


class Watchdog:
    """Logs each alarm of its durables when it begins, until `close()`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._logged: dict[Durable, set[str]] = {}
        self._task: asyncio.Task[None] | None = None

    def add(self, durable: Durable, present: Sequence[Alarm]) -> None:
        """Watch a durable from now on, and log its first alarms."""
        self._log_new(present, self._logged.setdefault(durable, set()))
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="lightbus/watch")

    async def close(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            for durable in tuple(self._logged):
                try:
                    await self._check(durable)
                except (ApiError, PermissionDenied) as error:  # deleted, or not visible to this user
                    log.debug("%s is not watched: %s", durable, error)
                    del self._logged[durable]
                except TransportError as error:
                    log.debug("%s: %s", durable, error)

    async def _check(self, durable: Durable) -> None:
        info = await self._connection.api(durable.info)
        stream = await self._connection.api(f"STREAM.INFO.{durable.stream}")
        self._log_new(alarms(stream, info), self._logged[durable])

    def _log_new(self, present: Sequence[Alarm], logged: set[str]) -> None:
        for alarm in present:
            if alarm.kind not in logged:
                (log.error if alarm.kind == "lost" else log.warning)("%s", alarm.text)
        logged.clear()
        logged.update(alarm.kind for alarm in present)
