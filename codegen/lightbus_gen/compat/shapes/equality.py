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
        return one.document.dialect == other.document.dialect and self._same(
            one, other, set(), is_schema=True
        )

    def keyword(self, one: Node, other: Node, keyword: str) -> bool:
        """Whether two schemas have an equal keyword, and equal companions of it."""
        if one.document.dialect != other.document.dialect:
            return False
        for name in whole(keyword):
            if (name in one.schema) != (name in other.schema):
                return False
            if name in one.schema and not self._same(
                one.child(name), other.child(name), set(), is_schema=True
            ):
                return False
        return True

    def _same(self, one: Node, other: Node, seen: set[tuple[object, ...]], *, is_schema: bool) -> bool:
        mine, its = one.schema, other.schema
        if isinstance(mine, list) and isinstance(its, list):
            return len(mine) == len(its) and all(
                self._same(one.child(index), other.child(index), seen, is_schema=True)
                for index in range(len(mine))
            )
        if not (isinstance(mine, dict) and isinstance(its, dict)):
            return text_of(mine) == text_of(its)
        if (key := (*one.key, *other.key)) in seen:
            return True
        seen.add(key)
        left, right = _relevant(mine, is_schema=is_schema), _relevant(its, is_schema=is_schema)
        if left.keys() != right.keys():
            return False
        return all(self._same_under(name, one, other, seen, is_schema=is_schema) for name in left)

    def _same_under(
        self, name: str, one: Node, other: Node, seen: set[tuple[object, ...]], *, is_schema: bool
    ) -> bool:
        mine, its = one.schema[name], other.schema[name]
        if is_schema and name == "$ref" and isinstance(mine, str) and isinstance(its, str):
            left, right = one.target(), other.target()
            return bool(left and right and self._same(left, right, seen, is_schema=True))
        if is_schema and name in ("$dynamicRef", "$recursiveRef"):
            return text_of([mine, one.document.value]) == text_of([its, other.document.value])
        if is_schema and name in ("enum", "const"):
            return text_of(mine) == text_of(its)
        return self._same(
            one.child(name),
            other.child(name),
            seen,
            is_schema=not (is_schema and name in MAPS_OF_DOCUMENTS),
        )


def _relevant(schema: dict[str, Any], *, is_schema: bool) -> dict[str, Any]:
    if not is_schema:
        return schema
    return {
        name: value for name, value in schema.items() if name not in _IGNORED and not name.startswith("x-")
    }
