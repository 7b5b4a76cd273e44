"""What may be refused, and where in a payload."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from lightbus_gen.compat.shape import Shape
from lightbus_gen.compat.view import View
from lightbus_gen.references import Node

_MOST_VALUES = 30
_CHOICES = 4
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a payload.

    Attributes:
        path: the way there.
        label: what people call it: `address.city`, `lines[].price`, `labels.*`.
        wrap: makes a whole payload around a value that stands there; a number chooses among the values beside it.
    """

    path: Path = ()
    label: str = ""
    wrap: Callable[[Any, int], Any] = dataclasses.field(default=lambda value, choice: value, repr=False)


@dataclass(slots=True, eq=False)
class Obstacle:
    """Something a producer may send and the reader may refuse.

    Attributes:
        kind: what sort of obstacle, a key of `rules.PAIRS`.
        reader, reader_keyword: the schema that may refuse, and by which keyword, "" for all of it.
        writer, writer_keyword: the schema that lets it be sent.
        sent, taken: what is sent and what is taken, in words.
        path, field: the place in the payload.
        payloads: makes payloads that may show it.
        name: the property that is missing, where one is.
    """

    kind: str
    reader: Node
    reader_keyword: str
    writer: Node
    writer_keyword: str
    sent: str
    taken: str
    path: Path
    field: str
    payloads: Callable[[], Iterator[Any]] = dataclasses.field(repr=False)
    name: str = ""


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

    def payloads() -> Iterator[Any]:
        for value, choice in itertools.product(itertools.islice(values, _MOST_VALUES), range(_CHOICES)):
            try:
                yield spot.wrap(value, choice)
            except (StopIteration, RuntimeError):
                continue

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
        spot.path,
        spot.label,
        payloads,
    )


def without_repetition(obstacles: list[Obstacle]) -> list[Obstacle]:
    """Keep one of those at the same keyword of the same schema, the first."""
    return list(
        {
            (one.kind, one.reader.key, one.reader_keyword, one.name): one for one in reversed(obstacles)
        }.values()
    )
