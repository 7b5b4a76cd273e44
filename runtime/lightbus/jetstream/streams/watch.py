"""Looking after the durables of one connection: alarms of the server's numbers reach the log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from lightbus.errors import PermissionDenied, TransportError
from lightbus.jetstream.connection.connection import ApiError, Connection
from lightbus.jetstream.streams.health import Alarm, alarms
from lightbus.jetstream.streams.resources import Durable
from lightbus.logs import log

_EVERY = 30.0  # seconds between looks


class Watch:
    """Logs each alarm of its durables when it begins; ends with `close()`.

    Args:
        connection: a connection.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._told: dict[Durable, set[str]] = {}
        self._task: asyncio.Task[None] | None = None

    def add(self, durable: Durable, found: Sequence[Alarm]) -> None:
        """Look after a durable from now on; these alarms are the first ones."""
        self._tell(found, self._told.setdefault(durable, set()))
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="lightbus/watch")

    async def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            for durable in tuple(self._told):
                try:
                    await self._look(durable)
                except (ApiError, PermissionDenied) as error:  # deleted, or not this user's to see
                    log.debug("%s is not looked after: %s", durable, error)
                    del self._told[durable]
                except TransportError as error:
                    log.debug("%s: %s", durable, error)

    async def _look(self, durable: Durable) -> None:
        now = await self._connection.api(durable.info)
        stream = await self._connection.api(f"STREAM.INFO.{durable.stream}")
        self._tell(alarms(stream, now), self._told[durable])

    def _tell(self, found: Sequence[Alarm], told: set[str]) -> None:
        for alarm in found:
            if alarm.kind not in told:
                (log.error if alarm.kind == "lost" else log.warning)("%s", alarm.text)
        told.clear()
        told.update(alarm.kind for alarm in found)
