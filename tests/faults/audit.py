"""The audit of a torture run: the outcome of every event. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from tests.faults.ledger import Gap


@dataclass
class Fired:
    """The outcomes that producers were given, by event id.

    Attributes:
        acknowledged: confirmed as stored.
        unknown: not confirmed, so perhaps stored.
        refused: certainly not stored.
    """

    acknowledged: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Account:
    """The outcome for one listener.

    Attributes:
        handled: events whose handler finished.
        duplicated: of these, handled more than once.
        dead: events in the dead letters.
        lost: events that are stored, or were confirmed, and neither handled nor in the dead letters.
    """

    handled: int
    duplicated: int
    dead: int
    lost: frozenset[str]


@dataclass(frozen=True, slots=True)
class Audit:
    """The outcome of a run, for one event or for several.

    Attributes:
        fired: the outcomes that producers were given.
        stored: how many events the stream holds. stored_twice: of these, more than once.
        accounts: by listener.
    """

    fired: Fired
    stored: int
    stored_twice: int
    accounts: Mapping[str, Account]

    @property
    def lost(self) -> int:
        """The number of missing deliveries, over all listeners."""
        return sum(len(account.lost) for account in self.accounts.values())

    def __add__(self, other: Audit) -> Audit:
        """Combine the outcomes for different events."""
        fired = Fired(
            self.fired.acknowledged | other.fired.acknowledged,
            self.fired.unknown | other.fired.unknown,
            self.fired.refused | other.fired.refused,
        )
        accounts = {**self.accounts, **other.accounts}
        return Audit(fired, self.stored + other.stored, self.stored_twice + other.stored_twice, accounts)


def audit(
    fired: Fired, stored: Counter[str], handled: Mapping[str, Counter[str]], dead: Mapping[str, Set[str]]
) -> Audit:
    """Compare promises with outcomes, for one event.

    Args:
        fired: the outcomes that producers were given.
        stored: how often each event is in the stream.
        handled: how often each listener finished each event.
        dead: the events that each listener has in the dead letters, with a reason.
    """
    owed = fired.acknowledged | set(stored)
    accounts = {
        listener: Account(
            handled=len(ended),
            duplicated=sum(times > 1 for times in ended.values()),
            dead=len(dead[listener]),
            lost=frozenset(owed - set(ended) - dead[listener]),
        )
        for listener, ended in handled.items()
    }
    return Audit(fired, len(stored), sum(times > 1 for times in stored.values()), accounts)


@dataclass(frozen=True, slots=True)
class Pause:
    """A stretch of time in which a worker was stopped by a signal."""

    pid: int
    begin: float
    end: float


def slowest_turn(gaps: Iterable[Gap], pauses: Sequence[Pause]) -> float:
    """Return the longest time in seconds that a worker's event loop did not turn though it was free to."""
    longest = 0.0
    for gap in gaps:
        begin = gap.at - gap.lasted
        stopped = sum(
            max(0.0, min(gap.at, pause.end) - max(begin, pause.begin))
            for pause in pauses
            if pause.pid == gap.pid
        )
        longest = max(longest, gap.lasted - stopped - gap.waited)
    return longest
