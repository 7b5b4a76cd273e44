"""Rounds in turns, and statistics of their samples."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """One round of one contender: the number of events, and the wall and CPU seconds they took."""

    count: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.count / self.seconds


@dataclass(frozen=True)
class Spread:
    """A median with the smallest and the largest value."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise values."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Bound:
    """A target: a value at most, or at least."""

    limit: float
    at_most: bool
    unit: str = "x"

    def holds(self, value: float) -> bool:
        """Whether a value meets the target."""
        return value <= self.limit if self.at_most else value >= self.limit

    def __str__(self) -> str:
        gap = "" if self.unit in ("x", "%") else " "
        return f"{'≤' if self.at_most else '≥'} {self.limit:g}{gap}{self.unit}"


Round = Callable[[], Awaitable[Sample]]


async def take_turns(
    contenders: Mapping[str, Round], rounds: int, tick: Callable[[], None]
) -> dict[str, list[Sample]]:
    """Run A B C A B C …; return the samples by contender.

    A temporary disturbance of the machine then affects all of them, and affects their ratio within a round
    least.
    """
    samples: dict[str, list[Sample]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            samples[name].append(await run())
            tick()
    return samples


def ratios(ours: Sequence[Sample], theirs: Sequence[Sample], of: Callable[[Sample], float]) -> Spread:
    """Return the ratio of each round to the adjacent one."""
    return Spread.of([of(mine) / of(other) for mine, other in zip(ours, theirs, strict=True)])


def rate(samples: Sequence[Sample]) -> Spread:
    """Summarise events per second."""
    return Spread.of([sample.rate for sample in samples])


def cpu_per_event(samples: Sequence[Sample]) -> float:
    """Return the median CPU time of the contender's process in microseconds per event."""
    return statistics.median(sample.cpu / sample.count * 1e6 for sample in samples)
