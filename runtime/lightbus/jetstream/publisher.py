"""Publishing with acknowledgements of our own: one inbox, retries under one deadline, honest outcomes.

nats-py's `js.publish` waits out its timeout when the connection breaks and never retries; here a break ends
the attempt at once and the event is sent again under the same id, which the server stores only once.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping

import msgspec
from nats.aio.msg import Msg

from lightbus.envelope import message_size
from lightbus.errors import EventTooLarge, PermissionDenied, PublishFailed, PublishUnknown, TransportError
from lightbus.jetstream.connection import Connection
from lightbus.transport import PubAck

_ATTEMPT = 5.0  # seconds one attempt waits for its acknowledgement
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0  # seconds between attempts, doubling, with jitter
_TRANSIENT = {10008, 10009, 10023, 10158, 10167}  # unavailable, no leader, resources, id in process, too many
_MAX_SUBJECT = 1024  # characters; the server closes the connection over 4,096


class _Answer(msgspec.Struct):
    stream: str = ""
    seq: int = 0
    duplicate: bool = False
    error: _Refusal | None = None


class _Refusal(msgspec.Struct):
    code: int = 0
    err_code: int = 0
    description: str = ""


_answers = msgspec.json.Decoder(_Answer)


class NoStream(Exception):
    """No stream captures the subject."""


class _Lost(Exception):
    """The connection broke while the acknowledgement was awaited."""


class Publisher:
    """Publishes on one connection.

    Args:
        connection: a connected connection.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._inbox = connection.new_inbox()
        self._waiting: dict[str, tuple[str, asyncio.Future[Msg]]] = {}
        self._token = 0

    async def start(self) -> None:
        """Begin to receive acknowledgements."""
        await self._connection.subscribe(f"{self._inbox}.*", self._received)
        self._connection.when_down(self._lost)
        self._connection.when_error(self._refused)

    async def publish(
        self,
        subject: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        what: str,
        event_id: str,
        timeout: float,
        patience: int = 1,
    ) -> PubAck:
        """Store a message and return the server's acknowledgement.

        Args:
            subject: a literal subject.
            body, headers: the message; headers carry its `Nats-Msg-Id`.
            what: the event's name, for messages.
            event_id: its id, for messages.
            timeout: seconds for all attempts together.
            patience: attempts without a stream until `NoStream`; an election looks the same (ADR-22).

        Raises:
            NoStream: no stream captures the subject.
            PublishFailed: the server refused it, or it was never sent. EventTooLarge: before sending.
            PublishUnknown: it was sent and not confirmed in time.
            PermissionDenied: the user may not publish there.
        """
        size = message_size(body, headers)
        if size > self._connection.max_payload:
            raise EventTooLarge(what, event_id, size, self._connection.max_payload)
        if len(subject) > _MAX_SUBJECT:
            raise PublishFailed(what, event_id, f"its subject is longer than {_MAX_SUBJECT} characters")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        pause, sent, no_stream, reason = _FIRST_PAUSE, False, 0, "the connection is down"
        while (left := deadline - loop.time()) > 0:
            if not await self._connection.ready(left):
                break
            try:
                sent = True  # from here on the bytes may reach the server
                answer = await self._attempt(subject, body, headers, min(_ATTEMPT, deadline - loop.time()))
            except (TimeoutError, _Lost, TransportError) as error:
                if isinstance(error, PermissionDenied):
                    raise
                reason = "the connection broke" if isinstance(error, _Lost) else "no acknowledgement came"
                continue
            if answer is None:
                no_stream += 1
                if no_stream >= patience:
                    raise NoStream
            elif answer.error is None:
                return PubAck(answer.stream, answer.seq, answer.duplicate)
            elif answer.error.err_code not in _TRANSIENT and answer.error.code not in (429, 503):
                raise PublishFailed(what, event_id, f"{answer.error.description} ({answer.error.err_code})")
            elif answer.error.err_code == 10077:
                raise PublishFailed(what, event_id, f"the stream is full: {answer.error.description}")
            else:
                reason = answer.error.description
            await asyncio.sleep(min(pause * random.uniform(0.5, 1.0), max(0.0, deadline - loop.time())))
            pause = min(pause * 2, _LONGEST_PAUSE)
        if not sent:
            raise PublishFailed(what, event_id, f"there was no connection for {timeout:g} s")
        raise PublishUnknown(what, event_id, timeout, reason)

    async def _attempt(
        self, subject: str, body: bytes, headers: Mapping[str, str], timeout: float
    ) -> _Answer | None:
        """Send once; None means that no stream answered."""
        self._token += 1
        token = f"{self._inbox}.{self._token}"
        future: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        self._waiting[token] = (subject, future)
        try:
            await self._connection.publish(subject, body, reply=token, headers=dict(headers))
            message = await asyncio.wait_for(future, timeout)
        finally:
            del self._waiting[token]
        if message.headers and message.headers.get("Status") == "503":
            return None
        try:
            return _answers.decode(message.data)
        except msgspec.MsgspecError as error:
            raise TransportError(f"the acknowledgement cannot be read: {error}") from error

    def _received(self, message: Msg) -> None:
        _, future = self._waiting.get(message.subject, (None, None))
        if future is not None and not future.done():
            future.set_result(message)

    def _lost(self) -> None:
        for _, future in self._waiting.values():
            if not future.done():
                future.set_exception(_Lost())

    def _refused(self, error: Exception) -> None:
        """Fail fast on a denied subject; the server says so beside the reply, which never comes."""
        text = str(error).lower()
        if "permissions violation for publish" not in text:
            return
        for subject, future in self._waiting.values():
            if f'"{subject.lower()}"' in text and not future.done():
                future.set_exception(PermissionDenied(subject, "publishing to"))
