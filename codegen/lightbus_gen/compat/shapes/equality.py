"""Whether two schemas are equal but for names and descriptions."""

from __future__ import annotations

from typing import Any

from lightbus.schema.language.keywords import DEFINITIONS, MAPS_OF_DOCUMENTS
from lightbus_gen.compat.shapes.view import text_of, whole
from lightbus_gen.load.references import Node

_IGNORED = frozenset((
    "title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly",
    "$comment", *DEFINITIONS, "$id", "id", "$schema", "$anchor",
))  # fmt: skip
"""Keywords that describe or name a schema."""


class Equality:
    """Compares schemas of two versions by their text, following `$ref`."""

    def __init__(self) -> None:
        self._texts: dict[Node, str | None] = {}
        self._equal: dict[tuple[Node, Node], bool] = {}

    def at_a_glance(self, one: Node, other: Node) -> bool:
        """Whether two schemas without any `$ref` have the same text, their own descriptions ignored."""
        if one.document.dialect != other.document.dialect:
            return False
        text = self.text(one)
        return text is not None and text == self.text(other)

    def text(self, node: Node) -> str | None:
        """Return a schema without its descriptions as text; None if it has a `$ref`."""
        if node not in self._texts:
            is_schema = isinstance(node.schema, dict)
            text = repr(_relevant(node.schema, is_schema=True) if is_schema else node.schema)
            self._texts[node] = None if "Ref'" in text or "'$ref'" in text else text
        return self._texts[node]

    def __call__(self, one: Node, other: Node) -> bool:
        """Whether two schemas are equal."""
        if one.document.dialect != other.document.dialect:
            return False
        if (one, other) not in self._equal:
            self._equal[one, other] = _are_same(one, other)
        return self._equal[one, other]

    def keyword(self, one: Node, other: Node, keyword: str) -> bool:
        """Whether two schemas have an equal keyword, and equal companions of it."""
        if one.document.dialect != other.document.dialect:
            return False
        for name in whole(keyword):
            if (name in one.schema) != (name in other.schema):
                return False
            if name in one.schema and not _are_same(one.child(name), other.child(name)):
                return False
        return True


_Pair = tuple[Node, Node, bool]
"""A part of both schemas, and whether it is a schema or a map of schemas."""


def _are_same(one: Node, other: Node) -> bool:
    """Whether two schemas are equal; a list holds the parts to compare, since a chain of types may be long."""
    todo: list[_Pair] = [(one, other, True)]
    seen = set[tuple[object, ...]]()
    for one, other, is_schema in todo:
        mine, its = one.schema, other.schema
        if isinstance(mine, list) and isinstance(its, list):
            if len(mine) != len(its):
                return False
            todo += ((one.child(index), other.child(index), True) for index in range(len(mine)))
        elif not (isinstance(mine, dict) and isinstance(its, dict)):
            if text_of(mine) != text_of(its):
                return False
        elif (key := (*one.key, *other.key)) not in seen:
            seen.add(key)
            left, right = _relevant(mine, is_schema=is_schema), _relevant(its, is_schema=is_schema)
            if left.keys() != right.keys():
                return False
            for name in left:
                pairs = _pairs_under(name, one, other, is_schema=is_schema)
                if pairs is None:
                    return False
                todo += pairs
    return True


def _pairs_under(name: str, one: Node, other: Node, *, is_schema: bool) -> list[_Pair] | None:
    """Return what is to be compared of two schemas under a name; None if they differ there."""
    mine, its = one.schema[name], other.schema[name]
    if is_schema and name == "$ref" and isinstance(mine, str) and isinstance(its, str):
        left, right = one.target(), other.target()
        return [(left, right, True)] if left and right else None
    if is_schema and name in ("$dynamicRef", "$recursiveRef"):
        left, right = one.dynamic_target(), other.dynamic_target()
        return [(left, right, True)] if left and right else None
    if is_schema and name in ("enum", "const"):
        return [] if text_of(mine) == text_of(its) else None
    return [(one.child(name), other.child(name), not (is_schema and name in MAPS_OF_DOCUMENTS))]


def _relevant(schema: dict[str, Any], *, is_schema: bool) -> dict[str, Any]:
    if not is_schema:
        return schema
    return {
        name: value for name, value in schema.items() if name not in _IGNORED and not name.startswith("x-")
    }
