"""Sending dead letters to their listeners, and watching what becomes of them."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, replace

from lightbus.event.dead_letter import DeadLetter
from lightbus.transport import DeadLetters

_AT_ONCE = 16  # requests to the server
_ON_THE_WAY = 1000  # replays that are watched at a time, so that any number takes the same memory
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5  # seconds between looks at the server
_PATIENCE = 5.0  # seconds without news until it is asked whether a listener is there


class Outcome(enum.Enum):
    """What became of a replay; `STAYS` when its dead letter is there although the replay has ended."""

    SENT = "sent"
    HANDLED = "handled"
    FAILED = "failed"
    WAITING = "waiting"
    STAYS = "stays"


@dataclass(frozen=True, slots=True)
class Replayed:
    """A dead letter that was replayed.

    Attributes:
        letter: as it was, without body and headers.
        outcome: what became of it.
        number: the number of its new failure; 0 without one.
    """

    letter: DeadLetter
    outcome: Outcome
    number: int = 0


async def send(store: DeadLetters, letters: AsyncIterator[DeadLetter]) -> AsyncIterator[Replayed]:
    """Replay dead letters, and do not wait for their listeners; those on their way already count as sent."""
    async for some in _chunks(letters):
        await asyncio.gather(*(store.replay(letter) for letter in some))
        for letter in some:
            yield Replayed(light(letter), Outcome.SENT)


async def send_and_watch(
    store: DeadLetters, letters: AsyncIterator[DeadLetter], sent: Callable[[int], None]
) -> AsyncIterator[Replayed]:
    """Replay dead letters, and tell what became of each as soon as it is known.

    One whose listener nobody serves is told as waiting.

    Args:
        store: the dead letters.
        letters: which to replay.
        sent: called with the number that was sent in addition.
    """
    watch = _Watch(store)
    async for some in _chunks(letters):
        await asyncio.gather(*(store.replay(letter) for letter in some))
        sent(len(some))
        watch.add(some)
        while watch.count > _ON_THE_WAY - _AT_ONCE:
            for replayed in await watch.news():
                yield replayed
    while watch.count:
        for replayed in await watch.news():
            yield replayed


class _Watch:
    """What is on its way."""

    def __init__(self, store: DeadLetters) -> None:
        self._store = store
        self._on_the_way: dict[int, DeadLetter] = {}
        self._pause = _FIRST_PAUSE
        self._silent_since = asyncio.get_running_loop().time()

    @property
    def count(self) -> int:
        return len(self._on_the_way)

    def add(self, letters: Iterable[DeadLetter]) -> None:
        for letter in letters:
            self._on_the_way[letter.number] = light(letter)

    async def news(self) -> list[Replayed]:
        """Wait a moment, and return what has been settled by then, or is known to wait in vain."""
        await asyncio.sleep(self._pause)
        left = await self._store.replaying()
        settled = [letter for number, letter in self._on_the_way.items() if number not in left]
        found = [await self._outcome(letter) for letter in settled]
        now = asyncio.get_running_loop().time()
        if found:
            self._pause, self._silent_since = _FIRST_PAUSE, now
        else:
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
            if now - self._silent_since > _PATIENCE:
                self._silent_since = now
                found = await self._unserved()
        for replayed in found:
            del self._on_the_way[replayed.letter.number]
        return found

    async def _outcome(self, letter: DeadLetter) -> Replayed:
        latest = await self._store.latest(letter)
        if latest == 0:
            return Replayed(letter, Outcome.HANDLED)
        if latest == letter.number:
            return Replayed(letter, Outcome.STAYS)
        return Replayed(letter, Outcome.FAILED, latest)

    async def _unserved(self) -> list[Replayed]:
        listeners = {
            (letter.place.stream, letter.place.listener): letter for letter in self._on_the_way.values()
        }
        served = {key: await self._store.is_served(letter) for key, letter in listeners.items()}
        return [
            Replayed(letter, Outcome.WAITING)
            for letter in self._on_the_way.values()
            if not served[letter.place.stream, letter.place.listener]
        ]


async def discard(
    store: DeadLetters, letters: Iterable[DeadLetter], removed: Callable[[int], None]
) -> list[DeadLetter]:
    """Remove dead letters for good.

    Args:
        store: the dead letters.
        letters: which to remove.
        removed: called with the number that was removed in addition.

    Returns:
        Those that were removed; others were gone already.
    """
    gone: list[DeadLetter] = []
    pending = list(letters)
    for start in range(0, len(pending), _AT_ONCE):
        some = pending[start : start + _AT_ONCE]
        results = await asyncio.gather(*(store.discard(letter) for letter in some))
        gone += [letter for letter, was_there in zip(some, results, strict=True) if was_there]
        removed(len(some))
    return gone


def light(letter: DeadLetter) -> DeadLetter:
    """Return a dead letter without what takes memory."""
    return replace(letter, body=b"", headers={}, failure=replace(letter.failure, traceback=""))


async def _chunks(letters: AsyncIterator[DeadLetter]) -> AsyncIterator[list[DeadLetter]]:
    some: list[DeadLetter] = []
    async for letter in letters:
        some.append(letter)
        if len(some) == _AT_ONCE:
            yield some
            some = []
    if some:
        yield some
