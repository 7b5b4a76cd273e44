"""The types of values without objects: strings, numbers, booleans, null, listed values, and lists of them."""

from __future__ import annotations

from collections.abc import Iterable

from lightbus.schema import format_type
from lightbus.schema.language.keywords import UNIONS
from lightbus_gen.load.references import Node
from lightbus_gen.lower import pytypes
from lightbus_gen.lower.parts import LIMITING, STRUCTURE, Part, Parts, kind_of
from lightbus_gen.lower.pytypes import Name, Type, union


def simple_type(node: Node) -> Type | None:
    """Return the type of a schema for scalars, a list of them, or one of them or null; None for any other schema.

    Most properties have such a schema, and flattening them would be most of the work.
    """
    schema = node.schema
    if not isinstance(schema, dict):
        return None
    structure = STRUCTURE.intersection(schema)
    kind = schema.get("type")
    if kind == "array" and structure == {"items"} and "enum" not in schema and "const" not in schema:
        item = simple_type(node.child("items"))
        return pytypes.list_of(item) if item else None
    if structure:
        return _nullable(node, *structure) if LIMITING.isdisjoint(schema) else None
    if "enum" in schema or "const" in schema:
        part = Part(node)
        values = part.values()
        return None if values is None else type_of_values(values, part.kinds)
    kinds = [kind] if isinstance(kind, str) else kind or ()
    if not kinds or not pytypes.SCALARS.keys() >= set(kinds):
        return None
    string = string_type((Part(node),)) or pytypes.STR
    return union(string if each == "string" else pytypes.SCALARS[each] for each in kinds)


def _nullable(node: Node, *structure: str) -> Type | None:
    """Return the type of a choice between a simple schema and null; None for any other structure."""
    if len(structure) != 1 or structure[0] not in UNIONS:
        return None
    branches = [*node.inside(structure)]
    others = [branch for branch in branches if branch.schema != {"type": "null"}]
    if len(branches) != 2 or len(others) != 1:
        return None
    type_ = simple_type(others[0])
    return union([type_, pytypes.NONE]) if type_ else None


def type_of_values(values: Iterable[object], kinds: frozenset[str], string: Type | None = None) -> Type:
    """Return the type of the values that are of some JSON types; `string` is that of strings, if not literal."""
    return union(
        string if string and isinstance(value, str) else pytypes.of_value(value)
        for value in values
        if kind_of(value) in kinds
    )


def string_type(parts: Parts) -> Type | None:
    """Return the type that strings which satisfy all parts are converted to on receipt; None for `str`."""
    for part in parts:
        if converted := format_type(part.node.schema):
            return Name(converted.name, converted.module)
    return None
