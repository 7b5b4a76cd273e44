"""What is known of pairs of schemas: which of the writer's fit which of the reader's.

A pair that is being compared already is taken to fit: values are finite, so an obstacle inside would be met at
the outer pair, which stands less deep. What fits because of that is proven once the outer pair is found to fit;
if it does not, what relied on it is forgotten. A pair with obstacles has them whatever else is found.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from lightbus_gen.compat.fit.obstacles import Obstacle, Spot, without_repetition

Key = tuple[object, ...]
_NOTHING = math.inf
"""What is proven relies on no pair that is being compared."""


@dataclass(frozen=True, slots=True)
class _Open:
    """A pair that is being compared: how deep in the payload, and how many others are around it."""

    depth: int
    order: int


class Pairs:
    """Remembers pairs of schemas that were compared, and those that are being compared."""

    def __init__(self) -> None:
        self._fitting: dict[Key, float] = {}
        self._tentative: list[Key] = []
        self._failing: dict[Key, tuple[Spot, list[Obstacle]]] = {}
        self._open: dict[Key, _Open] = {}
        self._lowest = _NOTHING

    def begin(self) -> None:
        """Forget what was found at places of another event, and what an earlier comparison left half done."""
        self._failing.clear()
        for key in self._tentative:
            del self._fitting[key]
        self._tentative.clear()
        self._open.clear()
        self._lowest = _NOTHING

    def recall(self, key: Key, spot: Spot) -> list[Obstacle] | None:
        """Return the obstacles between a pair; None where it has to be compared.

        Those deep inside stay at the place where they were met first, which shows them as well.

        Args:
            key: the pair.
            spot: where it is met now.
        """
        if key in self._fitting:
            self._lowest = min(self._lowest, self._fitting[key])
            return []
        if key in self._failing:
            there, found = self._failing[key]
            return [one.moved(there, spot) if one.is_near(there) else one for one in found]
        outer = self._open.get(key)
        if outer is not None and outer.depth < len(spot.path):
            self._lowest = min(self._lowest, outer.order)
            return []
        return None

    @contextmanager
    def comparing(self, key: Key, spot: Spot, found: Sequence[Obstacle]) -> Iterator[None]:
        """Take a pair to fit while it is compared; remember what was found in the end.

        Args:
            key: the pair.
            spot: where it is compared.
            found: the obstacles, complete when the comparison is over.
        """
        is_inner = key in self._open
        order, start, before = len(self._open), len(self._tentative), self._lowest
        self._open.setdefault(key, _Open(len(spot.path), order))
        self._lowest = _NOTHING
        yield
        relied, self._lowest = self._lowest, before
        if not is_inner:
            del self._open[key]
        if found:
            self._forget(start)
            self._failing[key] = spot, without_repetition(list(found))
            return
        if relied < order:
            self._lowest = min(before, relied)
        if not is_inner:
            self._tentative.append(key)
            self._prove(start, relied if relied < order else _NOTHING)

    def _forget(self, start: int) -> None:
        """Forget what was found to fit since a pair was taken to fit that does not."""
        for key in self._tentative[start:]:
            del self._fitting[key]
        del self._tentative[start:]

    def _prove(self, start: int, relied: float) -> None:
        """Note what was found to fit since, and the outermost pair that this relies on."""
        for key in self._tentative[start:]:
            self._fitting[key] = min(self._fitting.get(key, relied), relied)
        if relied == _NOTHING:
            for key in self._tentative[start:]:
                self._fitting[key] = _NOTHING
            del self._tentative[start:]
