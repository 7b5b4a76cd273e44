"""Obstacles: what a reader may refuse, where in the payload, and how messages describe it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from lightbus.schema.payload.limits import MAX_DEPTH
from lightbus_gen.compat.fit.sample import NoSample
from lightbus_gen.compat.shapes.shape import Shape
from lightbus_gen.compat.shapes.view import KINDS, View, text_of
from lightbus_gen.load.references import Node
from lightbus_gen.read.positions import JsonPath

_MAX_VALUES = 30
_CHOICES = 4


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a payload.

    Attributes:
        path: the property names and indexes that lead to it.
        within: the place of the enclosing object or array, None for the payload itself.
        step: what it appends to the label of the enclosing place: `.city`, `[]`.
        put: builds the enclosing object or array around a value; a number selects the values of its other members.
    """

    path: JsonPath = ()
    within: Spot | None = None
    step: str = ""
    put: Callable[[Any, int], Any] = dataclasses.field(default=lambda value, choice: value, repr=False)

    @property
    def label(self) -> str:
        """The place as messages show it: `address.city`, `lines[].price`, `labels.*`."""
        steps = [spot.step for spot in self._outwards()]
        return "".join(reversed(steps)).removeprefix(".").strip()

    def _outwards(self) -> Iterator[Spot]:
        """Yield the place and those around it, the payload last; a chain of types may make them many."""
        spot: Spot | None = self
        while spot:
            yield spot
            spot = spot.within

    def wrap(self, value: Any, choice: int) -> Any:
        """Build a whole payload around a value at this place."""
        for spot in self._outwards():
            value = spot.put(value, choice)
        return value

    def moved(self, old: Spot, new: Spot) -> Spot:
        """Return the place at the same position within `new` that this one has within `old`."""
        inside = list(itertools.takewhile(lambda spot: spot is not old and spot.within, self._outwards()))
        moved = new
        for spot in reversed(inside):
            path = (*new.path, *spot.path[len(old.path) :])
            moved = Spot(path, moved, spot.step, spot.put)
        return moved


class _Replayable:
    """Values that are generated on demand and can be iterated more than once."""

    def __init__(self, values: Iterable[Any]) -> None:
        self._values = itertools.islice(values, _MAX_VALUES)
        self._generated: list[Any] = []

    def __iter__(self) -> Iterator[Any]:
        yield from self._generated
        for value in self._values:
            self._generated.append(value)
            yield value


@dataclass(slots=True, eq=False)
class Obstacle:
    """Something a producer may send and the reader may refuse.

    Attributes:
        kind: a key of `PAIRS`.
        reader: the schema that may refuse.
        writer: the schema that allows it to be sent.
        keyword: the keyword of both, "" for the whole schema.
        sent, accepted: what is sent and what is accepted, in words.
        spot: the place in the payload.
        values: values at this place that may demonstrate it.
        name: the missing property, or the refused values in words, if it is about one of these.
    """

    kind: str
    reader: Node
    writer: Node
    keyword: str
    sent: str
    accepted: str
    spot: Spot
    values: Iterable[Any] = dataclasses.field(repr=False)
    name: str = ""

    @property
    def path(self) -> JsonPath:
        """The property names and indexes that lead to its place in the payload."""
        return self.spot.path

    def payloads(self) -> Iterator[Any]:
        """Yield payloads that may demonstrate it; none if they nest deeper than the runtime reads."""
        if len(self.path) > MAX_DEPTH:
            return
        for value in self.values:
            for choice in range(_CHOICES):
                try:
                    yield self.spot.wrap(value, choice)
                except NoSample:
                    continue

    def is_near(self, spot: Spot) -> bool:
        """Whether it is about the value at a place or one of its properties, not about anything deeper."""
        return len(self.path) <= len(spot.path) + 1

    def moved(self, old: Spot, new: Spot) -> Obstacle:
        """Return the same obstacle for another place where the same schemas are compared."""
        return dataclasses.replace(self, spot=self.spot.moved(old, new))


Meets = Callable[[Shape, Node, Spot, frozenset[object]], list[Obstacle]]
"""Compares a value with a schema that applies to it, too: (shape, schema, place, keys of the schemas around it)."""


def obstacle(
    kind: str,
    shape: Shape,
    view: View,
    keyword: str,
    sent: str,
    accepted: str,
    spot: Spot,
    values: Iterable[Any],
    name: str = "",
) -> Obstacle:
    """Return an obstacle: a reader may refuse what is sent.

    Args:
        kind: a key of `PAIRS`.
        shape: what is sent.
        view, keyword: the schema that may refuse, and the keyword.
        sent, accepted: what is sent and what is accepted, in words.
        spot: the place in the payload.
        values: values at this place that may demonstrate it.
        name: the missing property, or the refused values in words.
    """
    nodes = [other.node for other in shape.views if other.node.document.shown]  # others are in no file
    has_keyword = (node for node in nodes if isinstance(node.schema, dict) and keyword in node.schema)
    writer = next(has_keyword, nodes[0] if nodes else view.node)
    return Obstacle(kind, view.node, writer, keyword, sent, accepted, spot, _Replayable(values), name)


def deduplicated(obstacles: list[Obstacle]) -> list[Obstacle]:
    """Keep only the first of the obstacles at the same keyword of the same schema."""
    return list(
        {(each.kind, each.reader.key, each.keyword, each.name): each for each in reversed(obstacles)}.values()
    )


def kinds_in_words(kinds: Iterable[str]) -> str:
    kinds = set(kinds)
    if kinds == KINDS:
        return "any value"
    if {"integer", "number"} <= kinds:
        kinds.remove("integer")
    return " or ".join(sorted(kinds, key=lambda kind: (kind == "null", kind)))


def values_in_words(values: Iterable[Any]) -> str:
    values = list(values)
    texts = map(text_of, values[:6])
    return ", ".join(texts) + (f", ... ({len(values)} in all)" if len(values) > 6 else "")


def keyword_in_words(view: View, keyword: str) -> str:
    """Return a keyword of a schema with its value, "" if the schema does not have it."""
    return f"{keyword} {text_of(view.node.schema[keyword])}" if keyword in view.node.schema else ""


def sent_in_words(shape: Shape, *keywords: str) -> str:
    """Return the first of some keywords that a shape has, with its value; "no ..." if it has none."""
    for view in shape.views:
        for keyword in keywords:
            if isinstance(view.node.schema, dict) and keyword in view.node.schema:
                return keyword_in_words(view, keyword)
    return f"no {keywords[0]}"
