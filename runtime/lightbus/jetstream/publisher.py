"""Publishing with acknowledgements of our own: one inbox, retries under one deadline, honest outcomes.

nats-py's `js.publish` waits out its timeout when the connection breaks and never retries; here a break ends
the attempt at once and the event is sent again under the same id, which the server stores only once.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from nats.aio.msg import Msg

from lightbus.envelope import MESSAGE_ID, message_size
from lightbus.errors import (
    EventTooLarge,
    PermissionDenied,
    ProvisionError,
    PublishFailed,
    PublishUnknown,
    TransportError,
)
from lightbus.jetstream.connection import ApiError, Connection
from lightbus.transport import PubAck

_ATTEMPT = 5.0  # seconds one attempt waits for its acknowledgement
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0  # seconds between attempts, doubling, with jitter
_PATIENCE = 4  # attempts nobody answers after the stream was seen to; an election looks like that (ADR-22)
_TRANSIENT = {10008, 10009, 10023, 10158, 10167}  # unavailable, no leader, resources, id in process, too many
_CONFLICT = 10071  # the message was expected to be another, or the first, on its subject
_FULL = 10077  # a limit of the stream is reached, and it refuses new messages
_MAX_SUBJECT = 1024  # characters; the server closes the connection over 4,096


class _Refusal(msgspec.Struct):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _Answer(msgspec.Struct):
    stream: str = ""
    seq: int = 0
    duplicate: bool = False
    error: _Refusal | None = None


_answers = msgspec.json.Decoder(_Answer)


class Publisher:
    """Publishes on one connection.

    Args:
        connection: a connection.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._inbox = ""
        self._waiting: dict[str, tuple[str, asyncio.Future[Msg]]] = {}
        self._token = 0
        self._deaf: PermissionDenied | None = None  # acknowledgements cannot reach this user

    async def start(self) -> None:
        """Begin to receive acknowledgements; the connection is connected by now."""
        self._inbox = self._connection.new_inbox()
        await self._connection.subscribe(f"{self._inbox}.*", self._received)
        self._connection.when_down(self._lost)
        self._connection.when_denied(self._denied)

    async def publish(
        self,
        subject: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        what: str,
        make_stream: Callable[[], Awaitable[None]],
        timeout: float,
    ) -> PubAck:
        """Store a message and return the server's acknowledgement.

        Args:
            subject: a literal subject.
            body, headers: the message; without a `Nats-Msg-Id` among the headers it may be stored twice.
            what: what is published, for messages.
            make_stream: called once, when nobody answers on the subject.
            timeout: seconds for everything together.

        Raises:
            PublishFailed: the server refused it, or it was never sent. EventTooLarge: before sending.
            PublishUnknown: it was sent and not confirmed in time.
            Conflict: the stream is not as `Nats-Expected-*` headers say.
            PermissionDenied: the user may not publish there.
            ProvisionError: its stream cannot be made.
        """
        if self._deaf is not None:
            raise self._deaf
        event_id = headers.get(MESSAGE_ID, "")
        size = message_size(body, headers)
        if size > self._connection.max_payload:
            raise EventTooLarge(what, event_id, size, self._connection.max_payload)
        if len(subject) > _MAX_SUBJECT:
            raise PublishFailed(what, event_id, f"its subject is longer than {_MAX_SUBJECT} characters")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        pause, is_unknown, unanswered, reason = _FIRST_PAUSE, False, 0, ""
        while (left := deadline - loop.time()) > 0 and await self._connection.ready(left):
            try:
                answer = await self._attempt(subject, body, headers, min(_ATTEMPT, deadline - loop.time()))
            except PermissionDenied:
                raise
            except _Sent as error:
                is_unknown, answer, reason = True, None, str(error)
            except TransportError as error:
                answer, reason = None, str(error)
            else:
                if answer is None:
                    unanswered += 1
                    if unanswered == 1:
                        reason = await self._see_to_stream(
                            make_stream, what, event_id, deadline - loop.time()
                        )
                        if not reason:
                            continue
                        unanswered = 0  # nobody could tell: an election goes on
                    if unanswered > _PATIENCE:
                        raise PublishFailed(what, event_id, f"no stream captures {subject!r}")
                elif answer.error is None:
                    return PubAck(answer.stream, answer.seq, answer.duplicate)
                else:
                    reason = _transient(answer.error, what, event_id)
            await asyncio.sleep(min(pause * random.uniform(0.5, 1.0), max(0.0, deadline - loop.time())))
            pause = min(pause * 2, _LONGEST_PAUSE)
        if self._connection.closing:
            reason = "the bus was closed"
        elif not reason or not self._connection.is_up:
            reason = self._connection.why_down
        if not is_unknown:
            raise PublishFailed(what, event_id, f"no server took it within {timeout:g} s: {reason}")
        raise PublishUnknown(what, event_id, timeout, reason)

    async def _see_to_stream(
        self, make_stream: Callable[[], Awaitable[None]], what: str, event_id: str, left: float
    ) -> str:
        """Make the stream when it is missing.

        Returns:
            Why that cannot be known for now, "" when there is a stream.
        """
        making = asyncio.ensure_future(make_stream())
        await asyncio.wait({making}, timeout=max(0.0, left))
        if not making.done():
            making.cancel()
            return "no stream takes it, and the server did not say why in time"
        try:
            making.result()
        except ProvisionError:
            raise
        except TransportError as error:
            refused = isinstance(error, PermissionDenied) or (
                isinstance(error, ApiError) and error.err_code not in _TRANSIENT and error.code != 503
            )
            if not refused:
                return str(error)
            raise PublishFailed(
                what, event_id, f"no stream takes it, and this user could not make one: {error}"
            ) from error
        return ""

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
        except TimeoutError as error:
            raise _Sent("no acknowledgement came") from error
        finally:
            del self._waiting[token]
        if message.headers and message.headers.get("Status") == "503":
            return None
        try:
            return _answers.decode(message.data)
        except msgspec.MsgspecError as error:
            raise _Sent(f"the acknowledgement cannot be read: {error}") from error

    def _received(self, message: Msg) -> None:
        _, future = self._waiting.get(message.subject, (None, None))
        if future is not None and not future.done():
            future.set_result(message)

    def _lost(self) -> None:
        for _, future in self._waiting.values():
            if not future.done():
                future.set_exception(_Sent("the connection broke"))

    def _denied(self, action: str, subject: str) -> None:
        """Fail at once what the server denies."""
        if action == "subscription" and subject == f"{self._inbox}.*".lower():
            self._deaf = PermissionDenied(f"{self._inbox}.*", "subscribing to")
        for target, future in self._waiting.values():
            if not future.done():
                if self._deaf is not None:
                    future.set_exception(self._deaf)
                elif action == "publish" and subject == target.lower():
                    future.set_exception(PermissionDenied(target, "publishing to"))


class Conflict(PublishFailed):
    """The stream is not as the headers of a message expect it, so the message was not stored."""


class _Sent(TransportError):
    """An attempt whose bytes may have reached the server ended without an answer."""


def _transient(refusal: _Refusal, what: str, event_id: str) -> str:
    """Return why the server refuses for now.

    Raises:
        PublishFailed: it refuses for good.
    """
    if refusal.err_code == _FULL:
        raise PublishFailed(what, event_id, f"the stream is full: {refusal.description}")
    if refusal.err_code == _CONFLICT:
        raise Conflict(what, event_id, refusal.description)
    if refusal.err_code in _TRANSIENT or refusal.code in (429, 503):
        return refusal.description
    raise PublishFailed(what, event_id, f"{refusal.description} (error {refusal.err_code})")
