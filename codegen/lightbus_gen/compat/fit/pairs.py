"""The results of comparing pairs of schemas: which of the writer's schemas fit which of the reader's.

A pair whose comparison is still running is assumed to fit: values are finite, so an obstacle inside it also
appears at the outer pair, at less depth. A result that relies on this assumption is tentative: it is proven once
the outer pair fits, and forgotten if the outer pair does not. Obstacles are final, as they rely on no assumption.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from lightbus_gen.compat.fit.obstacles import Obstacle, Spot, deduplicated

Key = tuple[object, ...]
_NOTHING = math.inf
"""The reliance of a proven result: on no pair whose comparison is running."""


@dataclass(frozen=True, slots=True)
class _Open:
    """A pair whose comparison is running: its depth in the payload, and the number of pairs around it."""

    depth: int
    order: int


class Pairs:
    """Pairs of schemas that were compared, and those whose comparison is running."""

    def __init__(self) -> None:
        self._fitting: dict[Key, float] = {}
        self._tentative: list[Key] = []
        self._failing: dict[Key, tuple[Spot, list[Obstacle]]] = {}
        self._open: dict[Key, _Open] = {}
        self._lowest = _NOTHING

    def begin(self) -> None:
        """Forget the obstacles of the previous event, and the results of a comparison that was not completed."""
        self._failing.clear()
        for key in self._tentative:
            del self._fitting[key]
        self._tentative.clear()
        self._open.clear()
        self._lowest = _NOTHING

    def recall(self, key: Key, spot: Spot) -> list[Obstacle] | None:
        """Return the obstacles of a pair; None if it has to be compared.

        Obstacles deep inside keep the place where they were first found, which demonstrates them equally well.

        Args:
            key: the pair.
            spot: the place where it is compared now.
        """
        if key in self._fitting:
            self._lowest = min(self._lowest, self._fitting[key])
            return []
        if key in self._failing:
            first_spot, obstacles = self._failing[key]
            return [each.moved(first_spot, spot) if each.is_near(first_spot) else each for each in obstacles]
        outer = self._open.get(key)
        if outer is not None and outer.depth < len(spot.path):
            self._lowest = min(self._lowest, outer.order)
            return []
        return None

    @contextmanager
    def comparing(self, key: Key, spot: Spot, obstacles: Sequence[Obstacle]) -> Iterator[None]:
        """Assume that a pair fits while it is compared; record the result at the end.

        Args:
            key: the pair.
            spot: the place where it is compared.
            obstacles: the list that the comparison fills.
        """
        is_inner = key in self._open
        order, first, before = len(self._open), len(self._tentative), self._lowest
        self._open.setdefault(key, _Open(len(spot.path), order))
        self._lowest = _NOTHING
        yield
        reliance, self._lowest = self._lowest, before
        if not is_inner:
            del self._open[key]
        if obstacles:
            self._forget(first)
            self._failing[key] = spot, deduplicated(list(obstacles))
            return
        if reliance < order:
            self._lowest = min(before, reliance)
        if not is_inner:
            self._tentative.append(key)
            self._prove(first, reliance if reliance < order else _NOTHING)

    def _forget(self, first: int) -> None:
        """Forget the tentative results from index `first` on: they rely on a pair that does not fit."""
        for key in self._tentative[first:]:
            del self._fitting[key]
        del self._tentative[first:]

    def _prove(self, first: int, reliance: float) -> None:
        """Record the tentative results from index `first` on, and the outermost pair that they rely on."""
        for key in self._tentative[first:]:
            self._fitting[key] = min(self._fitting.get(key, reliance), reliance)
        if reliance == _NOTHING:
            for key in self._tentative[first:]:
                self._fitting[key] = _NOTHING
            del self._tentative[first:]
