"""Bulk replay of dead letters, with their outcomes, and bulk discard."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass

from lightbus.event.dead_letter import DeadLetter
from lightbus.transport import DeadLetters

_AT_ONCE = 16  # requests to the server
_WATCHED = 1000  # replays watched at a time, which bounds the memory
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5  # seconds between looks at the server
_PATIENCE = 5.0  # seconds without news until the server is asked whether anyone listens


class ReplayOutcome(enum.Enum):
    """The outcome of a replay.

    `STAYS`: the replay has ended, but its dead letter is still there. `UNREADABLE`: it was not sent, because no
    listener wrote the dead letter.
    """

    SENT = "sent"
    HANDLED = "handled"
    FAILED = "failed"
    WAITING = "waiting"
    STAYS = "stays"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Replayed:
    """A dead letter that was replayed.

    Attributes:
        dead_letter: the dead letter before the replay, without its event.
        outcome: the outcome as far as it is known.
        new_number: the number after another failure; 0 without one.
    """

    dead_letter: DeadLetter
    outcome: ReplayOutcome
    new_number: int = 0


async def replay(
    store: DeadLetters,
    dead_letters: AsyncIterator[DeadLetter],
    sent: Callable[[int], None],
    *,
    wait: bool = True,
) -> AsyncIterator[Replayed]:
    """Replay dead letters, and yield the outcome of each as soon as it is known.

    A replay whose listener is not running has the outcome `WAITING`. One that is under way is not sent again.

    Args:
        store: the dead letters.
        dead_letters: which to replay.
        sent: called with the size of each chunk that was sent.
        wait: whether to wait for the listeners; otherwise each outcome is `SENT`.
    """
    watch = _Outcomes(store)
    async for read in _chunks(dead_letters):
        chunk = [dead_letter for dead_letter in read if not dead_letter.problem]
        for dead_letter in read:
            if dead_letter.problem:
                yield Replayed(dead_letter.without_event(), ReplayOutcome.UNREADABLE)
        await asyncio.gather(*(store.replay(dead_letter) for dead_letter in chunk))
        sent(len(chunk))
        if not wait:
            for dead_letter in chunk:
                yield Replayed(dead_letter.without_event(), ReplayOutcome.SENT)
            continue
        watch.add(chunk)
        while watch.count > _WATCHED - _AT_ONCE:
            for replayed in await watch.news():
                yield replayed
    while watch.count:
        for replayed in await watch.news():
            yield replayed


class _Outcomes:
    """The replays that were sent and have no outcome yet."""

    def __init__(self, store: DeadLetters) -> None:
        self._store = store
        self._pending: dict[int, DeadLetter] = {}
        self._pause = _FIRST_PAUSE
        self._silent_since = asyncio.get_running_loop().time()

    @property
    def count(self) -> int:
        return len(self._pending)

    def add(self, dead_letters: Iterable[DeadLetter]) -> None:
        for dead_letter in dead_letters:
            self._pending[dead_letter.number] = dead_letter.without_event()

    async def news(self) -> list[Replayed]:
        """Wait a moment, and return the replays that have ended or whose listener is not running."""
        await asyncio.sleep(self._pause)
        replaying = await self._store.replaying()
        ended = [dead_letter for dead_letter in self._pending.values() if dead_letter.key not in replaying]
        news = [await self._outcome(dead_letter) for dead_letter in ended]
        now = asyncio.get_running_loop().time()
        if news:
            self._pause, self._silent_since = _FIRST_PAUSE, now
        else:
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
            if now - self._silent_since > _PATIENCE:
                self._silent_since = now
                news = await self._unserved()
        for replayed in news:
            del self._pending[replayed.dead_letter.number]
        return news

    async def _outcome(self, dead_letter: DeadLetter) -> Replayed:
        latest = await self._store.latest(dead_letter)
        if latest == 0:
            return Replayed(dead_letter, ReplayOutcome.HANDLED)
        if latest == dead_letter.number:
            return Replayed(dead_letter, ReplayOutcome.STAYS)
        return Replayed(dead_letter, ReplayOutcome.FAILED, latest)

    async def _unserved(self) -> list[Replayed]:
        """Return the replays whose listener is not running."""
        listeners = {
            (dead_letter.place.stream, dead_letter.place.listener): dead_letter
            for dead_letter in self._pending.values()
        }
        served = {key: await self._store.is_served(dead_letter) for key, dead_letter in listeners.items()}
        return [
            Replayed(dead_letter, ReplayOutcome.WAITING)
            for dead_letter in self._pending.values()
            if not served[dead_letter.place.stream, dead_letter.place.listener]
        ]


async def discard(
    store: DeadLetters, dead_letters: list[DeadLetter], removed: Callable[[int], None]
) -> list[DeadLetter]:
    """Remove dead letters for good.

    Args:
        store: the dead letters.
        dead_letters: which to remove.
        removed: called with the size of each chunk that was removed.

    Returns:
        Those that were removed; the others were gone already.
    """
    discarded: list[DeadLetter] = []
    for start in range(0, len(dead_letters), _AT_ONCE):
        chunk = dead_letters[start : start + _AT_ONCE]
        results = await asyncio.gather(*(store.discard(dead_letter) for dead_letter in chunk))
        discarded += [dead_letter for dead_letter, was_there in zip(chunk, results, strict=True) if was_there]
        removed(len(chunk))
    return discarded


async def _chunks(dead_letters: AsyncIterator[DeadLetter]) -> AsyncIterator[list[DeadLetter]]:
    chunk: list[DeadLetter] = []
    async for dead_letter in dead_letters:
        chunk.append(dead_letter)
        if len(chunk) == _AT_ONCE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
