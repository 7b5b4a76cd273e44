"""Dead letters on JetStream: a stream that keeps them, and one that carries replays to their listeners."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Set
from typing import Any

from lightbus import naming
from lightbus.errors import PermissionDenied, TransportError
from lightbus.event.dead_letter import DeadLetter, Filter
from lightbus.event.envelope import MESSAGE_ID
from lightbus.jetstream.connection.connection import Connection
from lightbus.jetstream.publisher import Conflict, Publisher, RollupRefused, SubjectFull
from lightbus.jetstream.stored import direct_get
from lightbus.jetstream.stored.direct_get import NotReadable, StoredMessage
from lightbus.jetstream.streams.ensure import Provisioner
from lightbus.jetstream.streams.resources import (
    CONSUMER_NOT_FOUND,
    STREAM_NOT_FOUND,
    dead_letter_stream,
    replay_stream,
)
from lightbus.logs import log
from lightbus.naming import Place
from lightbus.transport import PubAck

_TIMEOUT = 10.0  # seconds for a copy to be confirmed
_NOTHING_TO_DELETE, _NOTHING_FOUND = 10057, 10037  # error codes of the server
_EXPECTED_LAST = "Nats-Expected-Last-Subject-Sequence"
_NEVER_LAST = str(2**63 - 1)  # no message has this sequence
_REPLACE = {"Nats-Rollup": "sub"}


class JetStreamDeadLetters:
    """See `lightbus.transport.DeadLetters`; `keep` and `remove` are for workers."""

    def __init__(
        self, connection: Connection, publisher: Publisher, provisioner: Provisioner, prefix: str
    ) -> None:
        self._connection, self._publisher = connection, publisher
        self._provisioner, self._prefix = provisioner, prefix
        self._stream = naming.dead_letter_stream(prefix)
        self._replays = naming.replay_stream(prefix)
        self._takes_rollups = True  # what the stream's last answer showed

    # -- for workers -------------------------------------------------------------------------------

    async def keep(self, dead_letter: DeadLetter) -> None:
        """Store a dead letter, replacing an earlier one of the same listener and event.

        Its id can be guessed. If another client has used it, the server drops the dead letter as a duplicate; then it
        is stored under another id.

        Raises:
            TransportError: it was not confirmed.
        """
        stored = await self._store(dead_letter, {MESSAGE_ID: dead_letter.message_id})
        if stored.duplicate and not await self._is_kept(dead_letter, stored.sequence):
            await self._store(dead_letter, {MESSAGE_ID: str(uuid.uuid4())})

    async def _store(self, dead_letter: DeadLetter, needed: Mapping[str, str]) -> PubAck:
        """Store a dead letter in place of what is on its subject.

        A stream of an earlier version refuses the header that replaces, and any message replaces another there.
        Where neither is possible, as for an event so large that the header has no room, the other is removed first.
        """
        limit = self._connection.max_payload
        for is_rollup in (self._takes_rollups, not self._takes_rollups):
            try:
                headers = dead_letter.encode({**_REPLACE, **needed} if is_rollup else needed, limit)
                stored = await self._publish(dead_letter.place, dead_letter.body, headers)
            except (RollupRefused, SubjectFull):
                continue
            self._takes_rollups = is_rollup
            return stored
        await self._vacate(dead_letter.place)
        return await self._publish(dead_letter.place, dead_letter.body, dead_letter.encode(needed, limit))

    async def _vacate(self, place: Place) -> None:
        """Remove the message on the subject of a dead letter, whose event is still pending."""
        try:
            await self._publish(place, b"", {_EXPECTED_LAST: _NEVER_LAST})
        except Conflict as error:
            if error.last:
                await self.remove(error.last)

    async def _publish(self, place: Place, body: bytes, headers: Mapping[str, str]) -> PubAck:
        return await self._publisher.publish(
            naming.dead_letter_subject(self._prefix, place),
            body,
            headers,
            what=f"the dead letter of sequence {place.sequence}",
            stream=self._stream,
            create_stream=lambda: self._provisioner.ensure_on_demand(
                dead_letter_stream(self._prefix, self._connection.version)
            ),
            timeout=_TIMEOUT,
        )

    async def _is_kept(self, dead_letter: DeadLetter, sequence: int) -> bool:
        """Whether the stream has this failure of the event, or a later one; store it if its subject is empty.

        Args:
            sequence: where the message is stored that used the dead letter's id.
        """
        try:
            return dead_letter.is_kept_by(await self.current(dead_letter.place))
        except (PermissionDenied, NotReadable):
            pass  # whoever used the id on this subject had the listener's permissions
        try:
            await self._store(dead_letter, {MESSAGE_ID: str(uuid.uuid4()), _EXPECTED_LAST: "0"})
        except Conflict as error:
            return error.last == sequence
        return True

    async def current(self, place: Place) -> DeadLetter | None:
        """Return the message that is stored as the dead letter of a listener and event, None when there is none.

        A service that creates nothing has the least permissions, and does not ask: with the permission to read its
        dead letters, it could have the server's answer, with bytes of its choice, sent to any subject.

        Raises:
            NotReadable, PermissionDenied: this user may not read it. TransportError: no answer came.
        """
        if not self._provisioner.creates:
            raise NotReadable(f"stream {self._stream!r} is not for services")
        subject = naming.dead_letter_subject(self._prefix, place)
        message = await direct_get.last_message(self._connection, self._stream, subject)
        return None if message is None else _read(self._connection, message)

    async def remove(self, number: int) -> bool:
        """Delete a dead letter; False when it no longer existed."""
        return await self._delete(self._stream, number)

    async def _delete(self, stream: str, sequence: int) -> bool:
        request = {"seq": sequence, "no_erase": True}
        absent = (_NOTHING_TO_DELETE, STREAM_NOT_FOUND)
        answer = await self._connection.lookup(f"STREAM.MSG.DELETE.{stream}", request, absent=absent)
        return answer is not None

    # -- for operators and tools ----------------------------------------------------------------------

    async def find(self, selection: Filter) -> AsyncIterator[DeadLetter]:
        """Iterate over the dead letters that match; see `DeadLetters.find`."""
        state = (await self._info(self._stream)).get("state", {})
        if not state.get("messages"):
            return
        if selection.numbers and not selection.event_ids:
            messages = self._numbered(sorted(selection.numbers - {0}))
        else:
            is_literal = selection.listener and not set(selection.listener) & set("*?[")
            # a client can have an event stored here by its reply subject, which keeps the event's own subject
            subjects = naming.dead_letter_subjects(self._prefix, selection.listener) if is_literal else ">"
            messages = direct_get.messages(
                self._connection, self._stream, subjects, state["first_seq"], state["last_seq"]
            )
        async for message in messages:
            dead_letter = _read(self._connection, message)
            if selection.matches(dead_letter):
                yield dead_letter

    async def count(self) -> int:
        """Return how many there are."""
        state = (await self._info(self._stream)).get("state", {})
        return int(state.get("messages", 0))

    async def _numbered(self, numbers: list[int]) -> AsyncIterator[StoredMessage]:
        for number in numbers:
            message = await direct_get.message_at(self._connection, self._stream, number)
            if message is not None:
                yield message

    async def replay(self, dead_letter: DeadLetter) -> bool:
        """Send a dead letter to its listener again; see `DeadLetters.replay`."""
        if await self._send(dead_letter):
            return True
        subject = naming.replay_subject(self._prefix, dead_letter.place, dead_letter.number)
        message = await direct_get.last_message(self._connection, self._replays, subject)
        if message is None or _read(self._connection, message, is_replay=True).is_same_event(dead_letter):
            return False
        await self._delete(self._replays, message.sequence)  # its listener would only refuse it
        if await self._send(dead_letter):
            return True
        raise TransportError(f"another message keeps taking the subject of the replay, {subject!r}")

    async def _send(self, dead_letter: DeadLetter) -> bool:
        """Store a replay, unless there is a message on its subject; then return False."""
        needed = {_EXPECTED_LAST: "0", MESSAGE_ID: str(uuid.uuid4())}  # only one may be on its way
        try:
            await self._publisher.publish(
                naming.replay_subject(self._prefix, dead_letter.place, dead_letter.number),
                dead_letter.body,
                dead_letter.as_replay().encode(needed, self._connection.max_payload),
                what=f"the replay of dead letter {dead_letter.number}",
                stream=self._replays,
                create_stream=lambda: self._provisioner.ensure_on_demand(replay_stream(self._prefix)),
                timeout=_TIMEOUT,
            )
        except Conflict:
            return False
        return True

    async def discard(self, dead_letter: DeadLetter) -> bool:
        """Remove a dead letter for good; see `DeadLetters.discard`."""
        if not dead_letter.problem:
            subject = naming.replay_subject(self._prefix, dead_letter.place, dead_letter.number)
            operation = f"STREAM.PURGE.{self._replays}"
            await self._connection.lookup(operation, {"filter": subject}, absent=(STREAM_NOT_FOUND,))
        return await self.remove(dead_letter.number)

    async def replaying(self) -> Set[tuple[Place, int]]:
        """Return the dead letters whose replays are on their way; see `DeadLetters.replaying`."""
        subjects: list[str] = []
        while True:
            request = {"subjects_filter": naming.replay_subjects(self._prefix), "offset": len(subjects)}
            info = await self._info(self._replays, request)
            page = info.get("state", {}).get("subjects") or {}
            subjects += page
            if not page or len(subjects) >= info.get("total", 0):
                return {key for subject in subjects if (key := naming.place_of(subject)) is not None}

    async def latest(self, dead_letter: DeadLetter) -> int:
        """Return the dead letter's current number; see `DeadLetters.latest`."""
        subject = naming.dead_letter_subject(self._prefix, dead_letter.place)
        operation = (
            f"STREAM.MSG.GET.{self._stream}"  # asks the leader, because another replica may lag behind
        )
        absent = (_NOTHING_FOUND, STREAM_NOT_FOUND)
        answer = await self._connection.lookup(operation, {"last_by_subj": subject}, absent=absent)
        return 0 if answer is None else int(answer["message"]["seq"])

    async def is_served(self, dead_letter: DeadLetter) -> bool:
        """Whether any worker takes the listener's replays now; see `DeadLetters.is_served`."""
        durable = naming.replay_durable(dead_letter.place.stream, dead_letter.place.listener)
        absent = (CONSUMER_NOT_FOUND, STREAM_NOT_FOUND)
        info = await self._connection.lookup(f"CONSUMER.INFO.{self._replays}.{durable}", absent=absent)
        return info is not None and bool(info["num_waiting"] or info["num_ack_pending"])

    async def _info(self, stream: str, request: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the server's information about a stream, empty when it does not exist."""
        operation = f"STREAM.INFO.{stream}"
        return await self._connection.lookup(operation, request, absent=(STREAM_NOT_FOUND,)) or {}


async def count_unreadable(connection: Connection, prefix: str) -> Mapping[str, int]:
    """Count the dead letters that no listener wrote, by the subject filter of the listener they would belong to.

    Empty if they cannot be read.
    """
    stream = naming.dead_letter_stream(prefix)
    info = await connection.lookup(f"STREAM.INFO.{stream}", absent=(STREAM_NOT_FOUND,))
    if info is None or not info["state"]["messages"]:
        return {}
    first, last = info["state"]["first_seq"], info["state"]["last_seq"]
    subjects: set[str] = set()
    try:
        async for message in direct_get.messages(
            connection, stream, naming.dead_letter_subjects(prefix), first, last
        ):
            if _read(connection, message).problem:
                subjects.add(message.subject)
            else:
                subjects.discard(message.subject)
    except (PermissionDenied, NotReadable) as error:
        log.debug("dead letters are counted unread: %s", error)
        return {}
    return Counter(f"{'.'.join(subject.split('.')[:3])}.>" for subject in subjects)


def _read(connection: Connection, message: StoredMessage, *, is_replay: bool = False) -> DeadLetter:
    """Read a message of the stream of dead letters, or of that of replays."""
    return DeadLetter.stored(
        message.subject,
        message.sequence,
        message.headers,
        message.body,
        message.time,
        limit=connection.max_payload,
        is_cut=message.is_cut,
        is_replay=is_replay,
    )
