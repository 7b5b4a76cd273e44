"""Publishing with our own acknowledgements: retries under one deadline, and accurate outcomes.

nats-py's `js.publish` waits for its timeout when the connection breaks, and never retries. Here a break ends the attempt
at once, and the event is sent again under the same id, which the server stores only once.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import msgspec

from lightbus.errors import (
    EventTooLarge,
    PermissionDenied,
    ProvisionError,
    PublishFailed,
    PublishUnknown,
    TransportError,
)
from lightbus.event.envelope import MESSAGE_ID
from lightbus.jetstream.acknowledgements import Acknowledgements, Answer, Refusal, Unanswered
from lightbus.jetstream.connection.connection import ApiError, Connection
from lightbus.jetstream.connection.wire import header_block
from lightbus.transport import PubAck

_ATTEMPT = 5.0  # seconds one attempt waits for its acknowledgement
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0  # seconds between attempts, doubling, with jitter
_PATIENCE = 4  # unanswered attempts after the stream was created; an election looks the same (ADR-22)
_TRANSIENT = {10008, 10009, 10023, 10158, 10167}  # unavailable, no leader, resources, id in process, too many
_CONFLICT = 10071  # the last message on the subject is not the expected one
_FULL = 10077  # the stream reached a limit and refuses new messages
_SUBJECT_FULL = "maximum messages per subject exceeded"  # its description when that is the subject's limit
_NO_ROLLUP = 10111  # the stream takes no message that replaces others
_MAX_SUBJECT = 1024  # characters; the server closes the connection over 4,096


class Publication(msgspec.Struct):
    """A message to be stored.

    Attributes:
        what: a description for error messages.
        event_id: its `Nats-Msg-Id`.
        subject, header, body: the message.
        stream: the stream that is to store it.
        create_stream: creates its stream if missing.
        timeout: seconds for all attempts together.
        deadline: the end of the timeout, as a time of the event loop.
    """

    what: str
    event_id: str
    subject: str
    header: bytes
    body: bytes
    stream: str
    create_stream: Callable[[], Coroutine[Any, Any, None]]
    timeout: float
    deadline: float


class Publisher:
    """Publishes on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._acknowledgements = Acknowledgements(connection)
        # streams being created, by the subject that nobody answered on
        self._creating: dict[str, asyncio.Future[None]] = {}

    async def start(self) -> None:
        """Begin to receive acknowledgements; the connection must be up."""
        self._clock = asyncio.get_running_loop().time
        await self._acknowledgements.start()

    def publish(
        self,
        subject: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        what: str,
        stream: str,
        create_stream: Callable[[], Coroutine[Any, Any, None]],
        timeout: float,
        headroom: int = 0,
    ) -> Coroutine[Any, Any, PubAck]:
        """Send a message, at once if possible, and return a coroutine that waits until it is stored.

        Args:
            subject: a literal subject.
            body, headers: the message; without a `Nats-Msg-Id` among the headers it may be stored twice.
            what: a description for error messages.
            stream: the stream that is to store it; the answers of others do not count.
            create_stream: called once, when nobody answers on the subject.
            timeout: seconds for all attempts together.
            headroom: bytes below the server's `max_payload` to leave free.

        Returns:
            A coroutine to await once. It returns the server's acknowledgement, and raises:

            PublishUnknown: it was sent, and an answer is missing; it may be stored, whatever came of later attempts.
            PublishFailed: the server refused it, or it was never sent. EventTooLarge: before sending.
            Conflict: the stream is not as `Nats-Expected-*` headers say.
            PermissionDenied: the user may not publish there.
            ProvisionError: its stream cannot be created.
        """
        header = header_block(headers)
        size, limit = len(header) + len(body), self._connection.max_payload - headroom
        event_id = headers.get(MESSAGE_ID, "")
        if size > limit:
            return _failing(EventTooLarge(what, event_id, size, limit))
        if len(subject) > _MAX_SUBJECT:
            reason = f"its subject is longer than {_MAX_SUBJECT} characters"
            return _failing(PublishFailed(what, event_id, reason))
        now = self._clock()
        message = Publication(
            what, event_id, subject, header, body, stream, create_stream, timeout, now + timeout
        )
        first: asyncio.Future[Answer | None] | None = None
        try:
            until = now + min(_ATTEMPT, timeout)
            first = self._acknowledgements.send(subject, header, body, until, stream)
        except PermissionDenied as error:
            return _failing(error)
        except TransportError:
            pass  # the connection is down; `_outcome` waits for it
        return self._outcome(message, first)

    async def _outcome(self, message: Publication, answering: asyncio.Future[Answer | None] | None) -> PubAck:
        """Wait for the answer to a first attempt, and retry while a retry can help."""
        pause, is_unknown, unanswered, reason = _FIRST_PAUSE, False, 0, ""
        while True:
            try:
                if answering is None:
                    left = message.deadline - self._clock()
                    if left <= 0 or not await self._connection.ready(left):
                        break
                    answering = self._send_again(message)
                answer = await answering
                if answer is not None and answer.error is None:
                    return PubAck(answer.stream, answer.seq, answer.duplicate)
                if answer is None:
                    unanswered += 1
                    if unanswered == 1:
                        answering = None
                        reason = await self._ensure_stream(message)
                        if not reason:
                            continue
                        unanswered = 0  # unknown: an election is going on
                    if unanswered > _PATIENCE:
                        reason = f"no stream captures {message.subject!r}, see: lightbus plan"
                        raise PublishFailed(message.what, message.event_id, reason)
                elif answer.error is not None:
                    reason = _transient(answer.error, message)
            except Unanswered as error:
                is_unknown, reason = True, str(error)
            except (PermissionDenied, ProvisionError, PublishFailed) as error:
                if not is_unknown:
                    raise
                last = error.reason if isinstance(error, PublishFailed) else str(error)
                reason = f"an attempt was not answered; the last one: {last}"
                raise PublishUnknown(message.what, message.event_id, message.timeout, reason) from error
            except TransportError as error:
                reason = str(error)
            if self._connection.closing:
                break
            answering = None
            left = max(0.0, message.deadline - self._clock())
            await asyncio.sleep(min(pause * random.uniform(0.5, 1.0), left))
            pause = min(pause * 2, _LONGEST_PAUSE)
        if self._connection.closing:
            reason = "the bus was closed"
        elif not reason or not self._connection.is_up:
            reason = self._connection.why_down
        if not is_unknown:
            reason = f"no server took it within {message.timeout:g} s: {reason}"
            raise PublishFailed(message.what, message.event_id, reason)
        reason = f"within {message.timeout:g} s: {reason}"
        raise PublishUnknown(message.what, message.event_id, message.timeout, reason)

    def _send_again(self, message: Publication) -> asyncio.Future[Answer | None]:
        until = min(self._clock() + _ATTEMPT, message.deadline)
        return self._acknowledgements.send(
            message.subject, message.header, message.body, until, message.stream
        )

    async def _ensure_stream(self, message: Publication) -> str:
        """Create the stream if it is missing.

        Returns:
            Why the stream's state is unknown for now, "" when there is a stream.
        """
        creating = self._creating.get(message.subject)
        if creating is None or creating.done():  # thousands may be fired at once; one check serves them all
            creating = self._creating[message.subject] = asyncio.ensure_future(message.create_stream())
            creating.add_done_callback(_retrieved)
        await asyncio.wait({creating}, timeout=max(0.0, message.deadline - self._clock()))
        if not creating.done():
            return "no stream takes it, and the server did not say why in time"
        try:
            creating.result()
        except ProvisionError:
            raise
        except TransportError as error:
            is_refused = isinstance(error, PermissionDenied) or (
                isinstance(error, ApiError) and error.err_code not in _TRANSIENT and error.code != 503
            )
            if not is_refused:
                return str(error)
            reason = f"no stream takes it, and this user could not create one: {error}"
            raise PublishFailed(message.what, message.event_id, reason) from error
        return ""


def _retrieved(creating: asyncio.Future[None]) -> None:
    """Retrieve the outcome; otherwise asyncio would report an error that nobody waits for any more."""
    if not creating.cancelled():
        creating.exception()


async def _failing(error: TransportError) -> PubAck:
    try:
        raise error
    finally:
        del error  # its traceback holds this frame


class Conflict(PublishFailed):
    """The stream is not in the state that a message's headers expect, so the message was not stored."""

    @property
    def last(self) -> int:
        """Sequence of the last message on the subject; 0 when there is none, or the server does not say."""
        number = self.reason.rpartition(": ")[2]  # "wrong last sequence: 17"
        return int(number) if number.isdecimal() and len(number) < 20 else 0


class RollupRefused(PublishFailed):
    """The stream takes no message that replaces others."""


class SubjectFull(PublishFailed):
    """The stream keeps the messages on the subject, and takes no more."""


def _transient(refusal: Refusal, message: Publication) -> str:
    """Return the reason of a temporary refusal.

    Raises:
        PublishFailed: the refusal is permanent.
    """
    if refusal.err_code == _FULL:
        kind = SubjectFull if refusal.description == _SUBJECT_FULL else PublishFailed
        raise kind(message.what, message.event_id, f"the stream is full: {refusal.description}")
    if refusal.err_code == _CONFLICT:
        raise Conflict(message.what, message.event_id, refusal.description)
    if refusal.err_code == _NO_ROLLUP:
        raise RollupRefused(message.what, message.event_id, refusal.description)
    if refusal.err_code in _TRANSIENT or refusal.code in (429, 503):
        return refusal.description
    raise PublishFailed(message.what, message.event_id, f"{refusal.description} (error {refusal.err_code})")
