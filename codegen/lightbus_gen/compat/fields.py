"""The fields of a payload, one by one, at every depth: what people talk about when they say what has changed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from lightbus_gen.compat.equality import Equality
from lightbus_gen.compat.view import View, Views
from lightbus_gen.references import Library, Node

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


def fields(library: Library, payload: Node) -> dict[str, Field]:
    """Return the fields that a payload's schema declares, by path."""
    found: dict[str, Field] = {}
    _walk(Views(library), payload, "", (), found)
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
    old: Library, before: Node, new: Library, after: Node
) -> Iterator[tuple[str, tuple[Node, str], tuple[Node, str]]]:
    """Find fields that only got another name.

    That is one field gone and one new in the same object, with the same schema, and either a like name or the
    same place among the others and the same description.

    Yields:
        (place of the object, (old field, old name), (new field, new name)).
    """
    was, is_ = fields(old, before), fields(new, after)
    same = Equality(old, new)
    for parent in dict.fromkeys(field.parent for field in is_.values()):
        gone = [field for field in was.values() if field.parent == parent and field.path not in is_]
        come = [field for field in is_.values() if field.parent == parent and field.path not in was]
        if len(gone) != 1 or len(come) != 1 or not same(gone[0].node, come[0].node):
            continue
        is_in_place = _rank(gone[0], was) == _rank(come[0], is_) and _about(gone[0]) == _about(come[0])
        if _is_alike(gone[0], come[0]) or is_in_place:
            yield parent, (gone[0].node, gone[0].name), (come[0].node, come[0].name)


def _is_alike(one: Field, other: Field) -> bool:
    first, second = (re.sub(r"[\W_]", "", field.name).lower() for field in (one, other))
    return difflib.SequenceMatcher(None, first, second).ratio() >= 0.6


def _about(field: Field) -> object:
    schema = field.node.schema
    return (schema.get("title"), schema.get("description")) if isinstance(schema, dict) else None


def _rank(field: Field, among: dict[str, Field]) -> int:
    siblings = sorted((one.index, one.name) for one in among.values() if one.parent == field.parent)
    return [name for _, name in siblings].index(field.name)
