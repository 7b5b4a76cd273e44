"""The server's answers to published messages: one inbox, a number for each message, one timer for all.

A timer and a task for each message, as `asyncio.wait_for` makes them, cost a fifth of the time of a fire.
"""

from __future__ import annotations

import asyncio
import re
from typing import NamedTuple

import msgspec

from lightbus.errors import PermissionDenied, TransportError
from lightbus.jetstream.connection.connection import Connection
from lightbus.jetstream.connection.refusals import Refusals
from lightbus.jetstream.connection.wire import Message

_NO_RESPONDERS = "503"
_NUMBER = re.compile("[1-9][0-9]{0,17}")
_SWEEP = 0.1  # seconds between checks for messages past their deadline
_LATEST = 60.0  # seconds a denial may take; a connection that is silent for so long breaks


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


class _Waiting(NamedTuple):
    """A message that waits for its answer."""

    future: asyncio.Future[Answer | None]
    subject: str
    deadline: float
    stream: str
    number: int
    refused: str = ""  # why the last answer does not count


class _Denials(NamedTuple):
    """How many messages of a subject the server denied: some of those with these numbers."""

    total: int
    after: int
    until: int


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
        self._waiting: dict[str, _Waiting] = {}
        self._number = self._answered = 0  # of the last message that was sent, and that was answered
        self.refusals = Refusals("acknowledgements")
        self._inbox_denied: PermissionDenied | None = None  # answers cannot reach this user
        # By subject in lower case, as denials have it; the last message that got no answer, and when it was given up
        self._denials: dict[str, _Denials] = {}
        self._expired: dict[str, tuple[int, float]] = {}
        self._sweeper: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Begin to receive answers; the connection must be up."""
        self._loop = asyncio.get_running_loop()
        self._inbox = self._connection.new_inbox() + "."
        self._connection.when_down(self._disconnected)
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
        self._waiting[reply] = _Waiting(future, subject, deadline, stream, self._number)
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
            self._waiting[message.subject] = waiting._replace(refused=f"; an answer does not count: {error}")
            return
        del self._waiting[message.subject]
        self._answered = waiting[4]
        if not waiting[0].done():
            waiting[0].set_result(answer)

    def _was_used(self, subject: str) -> bool:
        """Whether a message was sent with this reply subject."""
        number = subject[len(self._inbox) :]
        return _NUMBER.fullmatch(number) is not None and int(number) <= self._number

    def _sweep(self) -> None:
        if self._denials:
            self._fail_denied()
        now = self._loop.time()
        for reply in [reply for reply, waiting in self._waiting.items() if waiting[2] <= now]:
            waiting = self._waiting.pop(reply)
            subject = waiting.subject.lower()
            self._denials.pop(subject, None)  # they may be for this message
            self._expired[subject] = waiting.number, now
            _fail(waiting.future, Unanswered(f"no acknowledgement came{waiting.refused}"))
        for subject in tuple(self._expired):
            if not self._may_be_denied_late(subject):
                del self._expired[subject]
        self._sweeper = self._loop.call_later(_SWEEP, self._sweep) if self._waiting else None

    def _disconnected(self) -> None:
        self._denials.clear()
        self._expired.clear()
        self._inbox_denied = None  # the next connection may have other permissions
        self._abandon("the connection broke")

    def _denied(self, action: str, subject: str) -> None:
        """Fail the messages that the server denies, at once.

        Without an inbox, those that were sent may be stored all the same.
        """
        if action == "subscription" and subject == f"{self._inbox}*".lower():
            self._inbox_denied = self._connection.denied(action, f"{self._inbox}*")
            self._abandon(str(self._inbox_denied))
        elif action == "publish":
            if self._may_be_denied_late(subject):
                return
            denials = self._denials.get(subject, _Denials(0, self._answered, 0))
            self._denials[subject] = _Denials(denials.total + 1, denials.after, self._number)
            if denials.total + 1 >= len(self._waiting):  # otherwise the sweep decides
                self._fail_denied()

    def _may_be_denied_late(self, subject: str) -> bool:
        """Whether a denial of this subject may be for a message that is no longer awaited."""
        number, when = self._expired.get(subject, (0, 0.0))
        return number > self._answered and self._loop.time() < when + _LATEST

    def _fail_denied(self) -> None:
        """Fail the messages of a subject when the server denied as many as may be meant.

        A denial does not say which message it is for, and its subject is in lower case. It comes in the order in which
        the server reads messages: before the answers to later ones. So it is for a message that was sent before
        it came, and after the last one that was answered by then. While more of these wait, for example because the
        permissions have just changed, some may be stored, and wait for their acknowledgements.
        """
        for subject, (total, after, until) in tuple(self._denials.items()):
            denied = [
                reply
                for reply, waiting in self._waiting.items()
                if after < waiting.number <= until and waiting.subject.lower() == subject
            ]
            if total >= len(denied):
                del self._denials[subject]
                for reply in denied:
                    waiting = self._waiting.pop(reply)
                    _fail(waiting.future, self._connection.denied("publish", waiting.subject))

    def _abandon(self, reason: str) -> None:
        """Fail all messages; what became of them is unknown."""
        waiting, self._waiting = self._waiting, {}
        for message in waiting.values():
            _fail(message.future, Unanswered(reason))


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
