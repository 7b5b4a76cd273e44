"""Looking after the durables of one connection: alarms of the server's numbers reach the log."""

from __future__ import annotations

import asyncio
import logging

from lightbus.errors import PermissionDenied, TransportError
from lightbus.jetstream.connection import ApiError, Connection
from lightbus.jetstream.health import Alarm, alarms

log = logging.getLogger("lightbus")

_EVERY = 30.0  # seconds between looks


class Watch:
    """Logs each alarm of its durables when it begins; ends with `close()`.

    Args:
        connection: a connection.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._told: dict[tuple[str, str], set[str]] = {}
        self._task: asyncio.Task[None] | None = None

    def add(self, stream: str, durable: str) -> None:
        """Look after a durable from now on."""
        self._told.setdefault((stream, durable), set())
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="lightbus/watch")

    async def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        while True:
            for stream, durable in tuple(self._told):
                try:
                    await self._look(stream, durable)
                except (ApiError, PermissionDenied) as error:  # deleted, or not this user's to see
                    log.debug("%s is not looked after: %s", durable, error)
                    del self._told[stream, durable]
                except TransportError as error:
                    log.debug("%s: %s", durable, error)
            await asyncio.sleep(_EVERY)

    async def _look(self, stream: str, durable: str) -> None:
        consumer = await self._connection.api(f"CONSUMER.INFO.{stream}.{durable}")
        found = alarms(await self._connection.api(f"STREAM.INFO.{stream}"), consumer)
        self._tell(found, self._told[stream, durable])

    def _tell(self, found: list[Alarm], told: set[str]) -> None:
        for alarm in found:
            if alarm.kind not in told:
                (log.error if alarm.kind == "lost" else log.warning)("%s", alarm.text)
        told.clear()
        told.update(alarm.kind for alarm in found)
