"""The fields of a payload, one by one, at every depth: what people talk about when they say what has changed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from lightbus_gen.compat.shapes.equality import Equality
from lightbus_gen.compat.shapes.view import View, Views
from lightbus_gen.load.references import Node

_DEEPEST = 12


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a payload.

    Attributes:
        parent: the place of the object it belongs to, `address` or `lines[]`, "" for the payload.
        name: its name.
        node: its schema.
        is_required: whether it must be there.
        index: its place among the fields of the object.
    """

    parent: str
    name: str
    node: Node
    is_required: bool
    index: int

    @property
    def path(self) -> str:
        """Its place: `address.city`."""
        return f"{self.parent}.{self.name}" if self.parent else self.name


def fields(views: Views, payload: Node) -> dict[str, Field]:
    """Return the fields that a payload's schema declares, by path."""
    found: dict[str, Field] = {}
    _walk(views, payload, "", (), found)
    return found


def _walk(views: Views, node: Node, place: str, above: tuple[object, ...], found: dict[str, Field]) -> None:
    parts = list(_together(views, node))
    keys = {
        view.node.key for view in parts if view.properties or view.items or view.additional or view.patterns
    }
    if keys & set(above) or len(above) > _DEEPEST:
        return
    above = (*above, *keys)
    required = {name for view in parts for name in view.required}
    for view in parts:
        for name, child in view.properties.items():
            field = Field(place, name, child, name in required, len(found))
            if found.setdefault(field.path, field) is field:
                _walk(views, child, field.path, above, found)
        for child in (*view.prefix, *([view.items] if view.items else [])):
            _walk(views, child, f"{place}[]", above, found)
        for child in (*view.patterns.values(), *([view.additional] if view.additional else [])):
            _walk(views, child, f"{place}.*" if place else "*", above, found)


def _together(views: Views, node: Node) -> Iterator[View]:
    """Yield what describes one value: a schema, what it is based on and its branches."""
    todo, seen = [node], set[object]()
    while todo:
        here = todo.pop(0)
        if here.key in seen:
            continue
        seen.add(here.key)
        view = views(here)
        yield view
        todo += [*view.based_on, *(branch for union in view.unions.values() for branch in union)]


def renamed_fields(
    old: Views, before: Node, new: Views, after: Node, same: Equality
) -> Iterator[tuple[str, Field, Field]]:
    """Find fields that only got another name.

    That is one field gone and one new in the same object, with the same schema, and either a like name or the
    same place among the others and the same description.

    Yields:
        (place of the object, the field before, the field now).
    """
    todo = [("", before, after)]
    met: set[tuple[object, ...]] = set()
    while todo:
        place, *pair = todo.pop()
        if same.at_a_glance(*pair) or (key := (*pair[0].key, *pair[1].key)) in met:
            continue
        met.add(key)
        was, is_ = (_below(views, node, place) for views, node in zip((old, new), pair, strict=True))
        todo += [(path, was[path].node, is_[path].node) for path in was if path in is_]
        gone, come = (
            [one[path] for path in one if path not in other and one[path].index != _UNNAMED]
            for one, other in ((was, is_), (is_, was))
        )
        if len(gone) == len(come) == 1 and _is_renamed(gone[0], come[0], same):
            yield place, gone[0], come[0]


def _below(views: Views, node: Node, place: str) -> dict[str, Field]:
    """Return the fields and items one step down."""
    found: dict[str, Field] = {}
    for view in _together(views, node):
        for index, (name, child) in enumerate(view.properties.items()):
            field = Field(place, name, child, False, index)
            found.setdefault(field.path, field)
        for child in (*view.prefix, *([view.items] if view.items else [])):
            found.setdefault(f"{place}[]", Field(place, "[]", child, False, _UNNAMED))
        for child in (*view.patterns.values(), *([view.additional] if view.additional else [])):
            found.setdefault(f"{place}.*".removeprefix("."), Field(place, "*", child, False, _UNNAMED))
    return found


_UNNAMED = -1
"""The index of items, and of properties that are not declared one by one."""


def _is_renamed(gone: Field, come: Field, same: Equality) -> bool:
    if not same(gone.node, come.node):
        return False
    return _is_alike(gone, come) or (gone.index == come.index and _about(gone) == _about(come))


def _is_alike(one: Field, other: Field) -> bool:
    first, second = (re.sub(r"[\W_]", "", field.name).lower() for field in (one, other))
    return difflib.SequenceMatcher(None, first, second).ratio() >= 0.6


def _about(field: Field) -> object:
    schema = field.node.schema
    return (schema.get("title"), schema.get("description")) if isinstance(schema, dict) else None
