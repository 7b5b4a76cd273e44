"""What the server answers to published messages: one inbox, a number for each message, one timer for all.

A timer and a task for every message, as `asyncio.wait_for` makes them, took a fifth of the time of a fire.
"""

from __future__ import annotations

import asyncio

from lightbus.errors import PermissionDenied, TransportError
from lightbus.jetstream.connection import Connection
from lightbus.jetstream.message import Message

_SWEEP = 0.1  # seconds between looks for messages whose time is over


class Unanswered(TransportError):
    """A message may have reached the server, and no answer came."""


class Acknowledgements:
    """Sends messages and hands out their answers.

    Args:
        connection: a connection.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._inbox = ""
        self._waiting: dict[str, tuple[asyncio.Future[Message], str, float]] = {}
        self._number = 0
        self._deaf: PermissionDenied | None = None  # answers cannot reach this user
        self._sweeper: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Begin to receive answers; the connection is connected by now."""
        self._loop = asyncio.get_running_loop()
        self._inbox = self._connection.new_inbox() + "."
        await self._connection.subscribe(f"{self._inbox}*", self._received)
        self._connection.when_down(self._lost)
        self._connection.when_denied(self._denied)

    def send(self, subject: str, header: bytes, body: bytes, deadline: float) -> asyncio.Future[Message]:
        """Send a message, and return the future of its answer.

        The future raises `Unanswered` when the connection breaks or nothing came by the deadline, a time of the
        event loop, or a tenth of a second after; and `PermissionDenied` when the user may not publish there.

        Raises:
            TransportError: the connection is down; nothing was sent. PermissionDenied: answers cannot arrive.
        """
        if self._deaf is not None:
            raise self._deaf
        self._number += 1
        reply = f"{self._inbox}{self._number}"
        self._connection.send(subject, body, reply=reply, header=header)
        future: asyncio.Future[Message] = asyncio.Future(loop=self._loop)
        self._waiting[reply] = (future, subject, deadline)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(_SWEEP, self._sweep)
        return future

    def _received(self, message: Message) -> None:
        found = self._waiting.pop(message.subject, None)
        if found is not None and not found[0].done():
            found[0].set_result(message)

    def _sweep(self) -> None:
        now = self._loop.time()
        for reply in [reply for reply, (_, _, deadline) in self._waiting.items() if deadline <= now]:
            future, _, _ = self._waiting.pop(reply)
            if not future.done():
                future.set_exception(Unanswered("no acknowledgement came"))
        self._sweeper = self._loop.call_later(_SWEEP, self._sweep) if self._waiting else None

    def _lost(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for future, _, _ in waiting.values():
            if not future.done():
                future.set_exception(Unanswered("the connection broke"))

    def _denied(self, action: str, subject: str) -> None:
        """Fail at once what the server denies."""
        if action == "subscription" and subject == f"{self._inbox}*".lower():
            self._deaf = PermissionDenied(f"{self._inbox}*", "subscribing to")
        for future, target, _ in self._waiting.values():
            if not future.done():
                if self._deaf is not None:
                    future.set_exception(self._deaf)
                elif action == "publish" and subject == target.lower():
                    future.set_exception(PermissionDenied(target, "publishing to"))
