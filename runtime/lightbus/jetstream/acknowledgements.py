"""The server's answers to published messages: one inbox, a number for each message, one timer for all.

A timer and a task for each message, as `asyncio.wait_for` makes them, cost a fifth of the time of a fire.
"""

from __future__ import annotations

import asyncio
import re

import msgspec

from lightbus.errors import PermissionDenied, TransportError
from lightbus.jetstream.connection.connection import Connection
from lightbus.jetstream.connection.refusals import Refusals
from lightbus.jetstream.connection.wire import Message

_NO_RESPONDERS = "503"
_NUMBER = re.compile("[1-9][0-9]{0,17}")
_SWEEP = 0.1  # seconds between checks for messages past their deadline


class Unanswered(TransportError):
    """No answer came; the message may have reached the server."""


class Refusal(msgspec.Struct):
    """Why the server did not store a message."""

    code: int = 0
    err_code: int = 0
    description: str = ""


class Answer(msgspec.Struct):
    """The server's answer to a message: where it is stored, or an error."""

    stream: str = ""
    seq: int = 0
    duplicate: bool = False
    error: Refusal | None = None


_answers = msgspec.json.Decoder(Answer)


class Acknowledgements:
    """Sends messages and returns their answers.

    A reply that is not an acknowledgement of the expected stream is refused, and the real one is still awaited: other
    responders on the subject may reply as well, and a client can have the server's answers sent to any subject.

    Attributes:
        refusals: replies that were not acknowledgements.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._inbox = ""
        self._waiting: dict[str, tuple[asyncio.Future[Answer | None], str, float, str]] = {}
        self._number = 0
        self.refusals = Refusals("acknowledgements")
        self._inbox_denied: PermissionDenied | None = None  # answers cannot reach this user
        self._denials: dict[str, int] = {}  # messages that the server denied, by subject in lower case
        self._sweeper: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Begin to receive answers; the connection must be up."""
        self._loop = asyncio.get_running_loop()
        self._inbox = self._connection.new_inbox() + "."
        self._connection.when_down(self._disconnected)
        self._connection.when_up(self._reconnected)
        self._connection.when_denied(self._denied)
        await self._connection.subscribe(f"{self._inbox}*", self._received)
        await self._connection.processed()  # a user who cannot receive answers must not publish

    def send(
        self, subject: str, header: bytes, body: bytes, deadline: float, stream: str
    ) -> asyncio.Future[Answer | None]:
        """Send a message, and return the future of its answer; None means that no stream answered.

        The future raises `Unanswered` when the connection breaks, when answers cannot be received, or when nothing
        came by the deadline (a time of the event loop) or a tenth of a second later; and `PermissionDenied` when the
        server denied the message.

        Args:
            stream: the stream that is to store the message; answers of others do not count.

        Raises:
            TransportError: the connection is down; nothing was sent. PermissionDenied: answers cannot be received.
        """
        if self._inbox_denied is not None:
            raise self._inbox_denied
        self._number += 1
        reply = f"{self._inbox}{self._number}"
        self._connection.send(subject, body, reply=reply, header=header)
        future: asyncio.Future[Answer | None] = asyncio.Future(loop=self._loop)
        self._waiting[reply] = (future, subject, deadline, stream)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(_SWEEP, self._sweep)
        return future

    def _received(self, message: Message) -> None:
        waiting = self._waiting.get(message.subject)
        if waiting is None:
            if not self._was_used(message.subject):  # a late answer is normal
                self.refusals.add(message.subject, "does not answer anything that was sent")
            return
        try:
            answer = _read(message, waiting[3])
        except ValueError as error:
            self.refusals.add(message.subject, f"is not an acknowledgement: {error}")
            return
        del self._waiting[message.subject]
        if not waiting[0].done():
            waiting[0].set_result(answer)

    def _was_used(self, subject: str) -> bool:
        """Whether a message was sent with this reply subject."""
        number = subject[len(self._inbox) :]
        return _NUMBER.fullmatch(number) is not None and int(number) <= self._number

    def _sweep(self) -> None:
        now = self._loop.time()
        for reply in [reply for reply, waiting in self._waiting.items() if waiting[2] <= now]:
            _fail(self._waiting.pop(reply)[0], Unanswered("no acknowledgement came"))
        if self._denials:
            self._fail_denied()
        self._sweeper = self._loop.call_later(_SWEEP, self._sweep) if self._waiting else None

    def _disconnected(self) -> None:
        self._denials.clear()
        self._abandon("the connection broke")

    def _reconnected(self) -> None:
        """Assume that answers can arrive again: the new subscription may have other permissions."""
        self._inbox_denied = None

    def _denied(self, action: str, subject: str) -> None:
        """Fail the messages that the server denies, at once.

        Without an inbox, those that were sent may be stored all the same.
        """
        if action == "subscription" and subject == f"{self._inbox}*".lower():
            self._inbox_denied = PermissionDenied(f"{self._inbox}*", "subscribing to")
            self._abandon(str(self._inbox_denied))
        elif action == "publish":
            count = self._denials[subject] = self._denials.get(subject, 0) + 1
            if count >= len(self._waiting):  # otherwise the sweep decides
                self._fail_denied()

    def _fail_denied(self) -> None:
        """Fail the messages of each subject of which the server denied as many as still wait.

        A denial does not say which message it is for. While there are fewer, for example because the permissions have
        just changed, the others may be stored, and wait for their acknowledgements.
        """
        for subject, count in tuple(self._denials.items()):
            denied = [reply for reply, waiting in self._waiting.items() if waiting[1].lower() == subject]
            if count >= len(denied):
                del self._denials[subject]
                for reply in denied:
                    future, target, _, _ = self._waiting.pop(reply)
                    _fail(future, PermissionDenied(target, "publishing to"))

    def _abandon(self, reason: str) -> None:
        """Fail all messages; what became of them is unknown."""
        waiting, self._waiting = self._waiting, {}
        for future, _, _, _ in waiting.values():
            _fail(future, Unanswered(reason))


def _fail(future: asyncio.Future[Answer | None], error: TransportError) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # retrieved, otherwise asyncio would report it when nobody waits any more


def _read(message: Message, stream: str) -> Answer | None:
    """Decode an answer; None means that no stream answered.

    Raises:
        ValueError: it is not an acknowledgement of the stream.
    """
    if message.header and message.status[0] == _NO_RESPONDERS:
        return None
    try:
        answer = _answers.decode(message.body)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from error
    if not (answer.seq > 0 if answer.error is None else answer.error.code):
        raise ValueError("it names neither a sequence nor an error")
    if answer.stream != stream:
        raise ValueError(f"it is of stream {answer.stream!r}, expected {stream!r}")
    return answer
