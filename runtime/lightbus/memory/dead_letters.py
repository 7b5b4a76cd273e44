"""The dead letters on a broker."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Set
from datetime import UTC, datetime

from lightbus import naming
from lightbus.event.dead_letter import DeadLetter, Filter
from lightbus.event.envelope import MESSAGE_ID
from lightbus.memory.broker import MAX_PAYLOAD, MemoryBroker, Stored
from lightbus.naming import Place


class MemoryDeadLetters:
    """See `lightbus.transport.DeadLetters`; `keep` and `remove` are for workers."""

    def __init__(self, broker: MemoryBroker, prefix: str) -> None:
        self._broker, self._prefix = broker, prefix
        self._stream = naming.dead_letter_stream(prefix)
        self._replays = naming.replay_stream(prefix)

    def keep(self, dead_letter: DeadLetter) -> None:
        """Store a dead letter, replacing an earlier one of the same listener and event."""
        subject = naming.dead_letter_subject(self._prefix, dead_letter.place)
        for message_id in (dead_letter.message_id, str(uuid.uuid4())):
            headers = dead_letter.encode({MESSAGE_ID: message_id}, MAX_PAYLOAD)
            stored = self._broker.store(self._stream, subject, dead_letter.body, headers, replace=True)
            if not stored.duplicate or dead_letter.is_kept_by(self.current(dead_letter.place)):
                return

    def current(self, place: Place) -> DeadLetter | None:
        """Return the message that is stored as the dead letter of a listener and event, None when there is none."""
        subject = naming.dead_letter_subject(self._prefix, place)
        stored = [message for message in self._broker.messages(self._stream) if message.subject == subject]
        return read(stored[-1]) if stored else None

    def remove(self, number: int) -> bool:
        """Delete a dead letter; False when it no longer existed."""
        return self._broker.remove(self._stream, number)

    async def find(self, selection: Filter) -> AsyncIterator[DeadLetter]:
        """Iterate over the dead letters that match, oldest first."""
        for message in self._broker.messages(self._stream):
            dead_letter = read(message)
            if selection.matches(dead_letter):
                yield dead_letter

    async def count(self) -> int:
        """Return how many there are."""
        return len(self._broker.messages(self._stream))

    async def replay(self, dead_letter: DeadLetter) -> bool:
        """Send a dead letter to its listener again, unless a replay is on its way."""
        subject = naming.replay_subject(self._prefix, dead_letter.place, dead_letter.number)
        for message in self._broker.messages(self._replays):
            if message.subject == subject:
                if read(message, is_replay=True).is_same_event(dead_letter):
                    return False
                self._broker.remove(self._replays, message.sequence)
        headers = dead_letter.as_replay().encode({}, MAX_PAYLOAD)
        self._broker.store(self._replays, subject, dead_letter.body, headers)
        return True

    async def discard(self, dead_letter: DeadLetter) -> bool:
        """Remove a dead letter and its replay."""
        subject = naming.replay_subject(self._prefix, dead_letter.place, dead_letter.number)
        self._broker.remove_subject(self._replays, subject)
        return self.remove(dead_letter.number)

    async def replaying(self) -> Set[tuple[Place, int]]:
        """Return place and number of the dead letters whose replays are on their way."""
        subjects = (message.subject for message in self._broker.messages(self._replays))
        return {key for subject in subjects if (key := naming.place_of(subject)) is not None}

    async def latest(self, dead_letter: DeadLetter) -> int:
        """Return the dead letter's current number, 0 when it is gone."""
        current = self.current(dead_letter.place)
        return current.number if current is not None else 0

    async def is_served(self, dead_letter: DeadLetter) -> bool:
        """Whether any worker is taking the listener's replays now."""
        place = dead_letter.place
        return self._broker.is_served(self._replays, naming.replay_durable(place.stream, place.listener))


def read(message: Stored, *, is_replay: bool = False) -> DeadLetter:
    """Read a stored dead letter or replay."""
    return DeadLetter.stored(
        message.subject,
        message.sequence,
        message.headers,
        message.body,
        datetime.fromtimestamp(message.time, UTC),
        limit=MAX_PAYLOAD,
        is_replay=is_replay,
    )
