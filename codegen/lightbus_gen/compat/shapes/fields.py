"""The fields of a payload at every depth, and those that were renamed."""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from lightbus_gen.compat.shapes.equality import Equality
from lightbus_gen.compat.shapes.view import View, Views
from lightbus_gen.load.references import Node

_DEEPEST = 12
_MOST_RENAMED = 50
"""Fields removed from an object, or added to it, that may have been renamed."""
_MOST = 20_000
"""Fields of a payload, at all depths."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a payload, or the items or further properties of one.

    Attributes:
        parent: the path of the object it belongs to, `address` or `lines[]`; "" for the payload.
        name: its name, `[]` for items, `*` for properties that are not declared by name.
        node: its schema.
        is_required: whether it is required.
        index: its position among the properties of its schema; None for `[]` and `*`.
    """

    parent: str
    name: str
    node: Node
    is_required: bool
    index: int | None

    @property
    def path(self) -> str:
        """Its path: `address.city`."""
        if self.index is None and self.name == "[]":
            return f"{self.parent}[]"
        return f"{self.parent}.{self.name}" if self.parent else self.name

    @property
    def schema(self) -> dict[str, Any]:
        """Its schema; {} for a boolean."""
        return self.node.schema if isinstance(self.node.schema, dict) else {}


Fields = dict[str, Field]


def fields(old: Views, before: Node, new: Views, after: Node) -> tuple[Fields, Fields]:
    """Return the fields that the schemas of a payload declare before and now, by path.

    Both are listed to the same depth, where they are not too many: types that refer to each other multiply.
    """
    for depth in range(_DEEPEST, 0, -1):
        with contextlib.suppress(_TooMany):
            return _Listing(old, before, depth).fields, _Listing(new, after, depth).fields
    return {}, {}


class _TooMany(Exception):
    """A payload has too many fields."""


class _Listing:
    """Lists the fields of a payload to a depth; raises `_TooMany`."""

    def __init__(self, views: Views, payload: Node, depth: int) -> None:
        self.fields: Fields = {}
        self._views, self._left = views, _MOST
        self._walk(payload, "", frozenset(), depth)

    def _walk(self, node: Node, place: str, above: frozenset[object], depth: int) -> None:
        together = list(_together(self._views, node))
        keys = {
            view.node.key
            for view in together
            if view.properties or view.items or view.additional or view.patterns
        }
        if keys & above or not depth:
            return
        above |= keys
        required = {name for view in together for name in view.required}
        for field in _below(together, place, required):
            self._left -= 1
            if not self._left:
                raise _TooMany
            if field.index is None or self.fields.setdefault(field.path, field) is field:
                self._walk(field.node, field.path, above, depth - 1)


def _together(views: Views, node: Node) -> Iterator[View]:
    """Yield the schemas of one value: a schema, what it is based on, and its branches."""
    todo, seen = [node], set[object]()
    for next_ in todo:
        if next_.key in seen:
            continue
        seen.add(next_.key)
        view = views(next_)
        yield view
        todo += [*view.based_on, *(branch for union in view.unions.values() for branch in union)]


def _below(together: Iterable[View], place: str, required: Container[str] = ()) -> Iterator[Field]:
    """Yield the fields and items one step down."""
    for view in together:
        for index, (name, child) in enumerate(view.properties.items()):
            yield Field(place, name, child, name in required, index)
        for child in (*view.prefix, *([view.items] if view.items else [])):
            yield Field(place, "[]", child, False, None)
        for child in (*view.patterns.values(), *([view.additional] if view.additional else [])):
            yield Field(place, "*", child, False, None)


def renamed_fields(
    old: Views, before: Node, new: Views, after: Node, same: Equality
) -> Iterator[tuple[str, Field, Field]]:
    """Find fields whose only change is their name.

    That is a field removed from an object and one added with the same schema, and either a similar name or the same
    description.

    Yields:
        (path of the object, the field before, the field now).
    """
    todo = [("", before, after)]
    seen: set[tuple[object, ...]] = set()
    while todo:
        place, *pair = todo.pop()
        if same.at_a_glance(*pair) or (key := (*pair[0].key, *pair[1].key)) in seen:
            continue
        seen.add(key)
        was, is_ = (
            _by_path(_together(views, node), place) for views, node in zip((old, new), pair, strict=True)
        )
        todo += [(path, was[path].node, is_[path].node) for path in was if path in is_]
        removed, added = (
            [field for path, field in own.items() if path not in other and field.index is not None]
            for own, other in ((was, is_), (is_, was))
        )
        for first, second in _renamed(removed[:_MOST_RENAMED], added[:_MOST_RENAMED], same):
            yield place, first, second


def _by_path(together: Iterable[View], place: str) -> dict[str, Field]:
    by_path: dict[str, Field] = {}
    for field in _below(together, place):
        by_path.setdefault(field.path, field)
    return by_path


def _renamed(removed: list[Field], added: list[Field], same: Equality) -> Iterator[tuple[Field, Field]]:
    """Yield the pairs of fields that are one, the most similar names first, each field once."""
    pairs = [
        (likeness, first, second)
        for first in removed
        for second in added
        if (likeness := _likeness(first, second)) and same(first.node, second.node)
    ]
    done = set[Field]()
    for _, first, second in sorted(pairs, key=lambda pair: -pair[0]):
        if done.isdisjoint((first, second)):
            done |= {first, second}
            yield first, second


def _likeness(removed: Field, added: Field) -> float:
    """Return how similar two fields are by name, or 2 if they have the same description; 0 if nothing suggests a rename."""
    description = removed.schema.get("description")
    if description and description == added.schema.get("description"):
        return 2
    first, second = (_words(field.name) for field in (removed, added))
    likeness = _ratio("".join(first), "".join(second))
    if likeness == 1 or set(first) < set(second) or set(second) < set(first):
        return max(likeness, 0.6)
    left, right = (
        "".join(word for word in own if word not in other)
        for own, other in ((first, second), (second, first))
    )
    is_similar = likeness >= 0.6 and _ratio(left, right) >= 0.6  # "start_time" is not "end_time"
    return likeness if is_similar else 0


def _ratio(first: str, second: str) -> float:
    return difflib.SequenceMatcher(None, first, second).ratio()


def _words(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]*[^A-Z\W_]+|[A-Z]+", name)]
