"""What may be refused, and where in a payload."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from lightbus_gen.compat.shapes.shape import Shape
from lightbus_gen.compat.shapes.view import View
from lightbus_gen.load.references import Node
from lightbus_gen.read.positions import Path

_MOST_VALUES = 30
_CHOICES = 4


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a payload.

    Attributes:
        path: the way there.
        within: the place of the object or array around it, None for the payload itself.
        step: how its label goes on from there: `.city`, `[]`.
        put: makes an object or array around a value that stands here; a number chooses among the values beside it.
    """

    path: Path = ()
    within: Spot | None = None
    step: str = ""
    put: Callable[[Any, int], Any] = dataclasses.field(default=lambda value, choice: value, repr=False)

    @property
    def label(self) -> str:
        """What people call it: `address.city`, `lines[].price`, `labels.*`."""
        return self._steps().removeprefix(".").strip()

    def _steps(self) -> str:
        return self.within._steps() + self.step if self.within else self.step

    def wrap(self, value: Any, choice: int) -> Any:
        """Make a whole payload around a value that stands here."""
        around = self.put(value, choice)
        return self.within.wrap(around, choice) if self.within else around

    def moved(self, old: Spot, new: Spot) -> Spot:
        """Return the place that is as far inside `new` as this one is inside `old`."""
        if self is old or self.within is None:
            return new
        path = (*new.path, *self.path[len(old.path) :])
        return Spot(path, self.within.moved(old, new), self.step, self.put)


class _Kept:
    """Values that are made when they are asked for, and can be asked for again."""

    def __init__(self, values: Iterable[Any]) -> None:
        self._values = itertools.islice(values, _MOST_VALUES)
        self._made: list[Any] = []

    def __iter__(self) -> Iterator[Any]:
        yield from self._made
        for value in self._values:
            self._made.append(value)
            yield value


@dataclass(slots=True, eq=False)
class Obstacle:
    """Something a producer may send and the reader may refuse.

    Attributes:
        kind: what sort of obstacle, a key of `rules.PAIRS`.
        reader, reader_keyword: the schema that may refuse, and by which keyword, "" for all of it.
        writer, writer_keyword: the schema that lets it be sent.
        sent, taken: what is sent and what is taken, in words.
        spot: the place in the payload.
        values: what may show it, to stand there.
        name: the property that is missing, where one is.
    """

    kind: str
    reader: Node
    reader_keyword: str
    writer: Node
    writer_keyword: str
    sent: str
    taken: str
    spot: Spot
    values: Iterable[Any] = dataclasses.field(repr=False)
    name: str = ""

    @property
    def path(self) -> Path:
        """The way to its place in the payload."""
        return self.spot.path

    def payloads(self) -> Iterator[Any]:
        """Yield payloads that may show it."""
        for value in self.values:
            for choice in range(_CHOICES):
                try:
                    yield self.spot.wrap(value, choice)
                except (StopIteration, RuntimeError):
                    continue

    def is_near(self, spot: Spot) -> bool:
        """Whether it is about the value at a place or a property of it, not about what is deeper inside."""
        return len(self.path) <= len(spot.path) + 1

    def moved(self, old: Spot, new: Spot) -> Obstacle:
        """Return it as it is where the same schemas are compared at another place."""
        return dataclasses.replace(self, spot=self.spot.moved(old, new))


def obstacle(
    kind: str,
    shape: Shape,
    view: View,
    keyword: str,
    sent: str,
    taken: str,
    spot: Spot,
    values: Iterable[Any],
) -> Obstacle:
    """Say that a reader may refuse what is sent.

    Args:
        kind: what sort of obstacle it is.
        shape: what is sent.
        view, keyword: the schema that may refuse, and by which keyword.
        sent, taken: what is sent and what is taken, in words.
        spot: the place in the payload.
        values: what may show it, to stand there.
    """
    writer = next(
        (
            other.node
            for other in shape.views
            if isinstance(other.node.schema, dict) and keyword in other.node.schema
        ),
        shape.views[0].node if shape.views else None,
    )
    return Obstacle(
        kind,
        view.node,
        keyword,
        writer or view.node,
        keyword,
        sent,
        taken,
        spot,
        _Kept(values),
    )


def without_repetition(obstacles: list[Obstacle]) -> list[Obstacle]:
    """Keep one of those at the same keyword of the same schema, the first."""
    return list(
        {
            (one.kind, one.reader.key, one.reader_keyword, one.name): one for one in reversed(obstacles)
        }.values()
    )
