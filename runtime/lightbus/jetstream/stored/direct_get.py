"""Reading stored messages without a consumer: direct get, in batches where the server offers them (2.11)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from lightbus.errors import PermissionDenied, TransportError
from lightbus.jetstream.connection.connection import Connection
from lightbus.jetstream.connection.wire import Message, read_headers

BATCH, _BATCH_BYTES = 256, 1024 * 1024  # the most messages and bytes of one request
_TIMEOUT = 5.0  # seconds for the next message of an answer
_NONE, _END = "404", "204"  # statuses of an answer
_ADDED = b"Nats-Stream: "  # begins the lines that the server adds to a message's own header block


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as it is stored.

    Attributes:
        sequence: its sequence in the stream.
        subject, headers, body: the message, as it was published.
        time: when it was stored.
        is_cut: whether its header block has no end, so that the last header is incomplete.
    """

    sequence: int
    subject: str
    headers: dict[str, str]
    body: bytes
    time: datetime
    is_cut: bool = False


async def messages(
    connection: Connection, stream: str, subjects: str, first: int, last: int, since: datetime | None = None
) -> AsyncIterator[StoredMessage]:
    """Iterate over a stream, reading a bounded number of messages at a time.

    Args:
        subjects: a subject filter for its messages.
        first, last: the first and the last sequence to read.
        since: leaves out messages stored before.

    Raises:
        TransportError: the stream cannot be read directly, or no answer came.
    """
    while first <= last:
        start = {"seq": first} if since is None else {"start_time": since.isoformat()}
        request = {
            **start,
            "next_by_subj": subjects,
            "batch": min(BATCH, last - first + 1),
            "max_bytes": _BATCH_BYTES,
        }
        since = None
        batch = await _ask(connection, f"$JS.API.DIRECT.GET.{stream}", request)
        if not batch:
            return
        for message in batch:
            if message.sequence < first:  # otherwise this would never end
                raise TransportError(f"stream {stream!r} answers with messages before the requested one")
            if message.sequence > last:
                return
            yield message
        first = batch[-1].sequence + 1


async def message_at(connection: Connection, stream: str, sequence: int) -> StoredMessage | None:
    """Return the message of a sequence, None when there is none; raises as `messages` does."""
    batch = await _ask(connection, f"$JS.API.DIRECT.GET.{stream}", {"seq": sequence})
    return batch[0] if batch else None


async def last_message(connection: Connection, stream: str, subject: str) -> StoredMessage | None:
    """Return the last message of a literal subject, None when there is none; raises as `messages` does."""
    batch = await _ask(connection, f"$JS.API.DIRECT.GET.{stream}.{subject}", None)
    return batch[0] if batch else None


class NotReadable(TransportError):
    """The stream cannot be read directly."""


async def _ask(connection: Connection, subject: str, request: dict[str, Any] | None) -> list[StoredMessage]:
    """Send a request and collect its answer: one message, or a whole batch."""
    answers: asyncio.Queue[Message | PermissionDenied] = asyncio.Queue()

    def denied(action: str, denied_subject: str) -> None:
        for expected in (("publish", subject), ("subscription", inbox)):
            if (action, denied_subject) == (expected[0], expected[1].lower()):
                answers.put_nowait(connection.denied(*expected))

    inbox = connection.new_inbox()
    connection.when_denied(denied)
    end: Callable[[], Coroutine[Any, Any, None]] | None = None
    batch: list[StoredMessage] = []
    try:
        end = await connection.subscribe(inbox, answers.put_nowait)
        body = b"" if request is None else msgspec.json.encode(request)
        connection.send(subject, body, reply=inbox)
        while True:
            try:
                answer = await asyncio.wait_for(answers.get(), _TIMEOUT)
            except TimeoutError as error:
                raise TransportError(f"no answer on {subject} within {_TIMEOUT:g} s") from error
            if isinstance(answer, PermissionDenied):
                raise answer
            own, is_stored, added = answer.header.rpartition(_ADDED)
            if not is_stored:
                status, text = answer.status
                if status in (_NONE, _END):
                    return batch
                raise _refusal(subject, status, text)
            facts = read_headers(added)  # its first line is the stream
            try:
                batch.append(_stored(own, facts, answer.body))
            except (KeyError, ValueError) as error:
                raise TransportError(f"the answer on {subject} is not a stored message: {error!r}") from error
            if "Nats-Num-Pending" not in facts:  # one message was requested, or the server has no batches
                return batch
    finally:
        connection.forget(denied)
        if end is not None:
            await end()


def _stored(own: bytes, facts: dict[str, str], body: bytes) -> StoredMessage:
    """Assemble a message from an answer.

    Args:
        own: its own header block, of which the server dropped the last two bytes.
        facts: what the server says about it, by header name.
    """
    return StoredMessage(
        int(facts["Nats-Sequence"]),
        facts["Nats-Subject"],
        read_headers(own),
        body,
        datetime.fromisoformat(facts["Nats-Time-Stamp"]),
        is_cut=own != b"" and not own.endswith(b"\r\n"),
    )


def _refusal(subject: str, status: str, text: str) -> TransportError:
    if not status:
        return TransportError(f"the answer on {subject} is not a stored message")
    if status == "503":
        stream = subject.removeprefix("$JS.API.DIRECT.GET.").partition(".")[0]
        advice = f"Allow it with: nats stream edit {stream} --allow-direct"
        return NotReadable(f"stream {stream!r} cannot be read directly. {advice}")
    return TransportError(f"the server refuses to read on {subject}: {status} {text}")
