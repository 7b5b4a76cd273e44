"""The types of values that hold no objects: strings, numbers, booleans, null, listed values, and lists of them."""

from __future__ import annotations

from collections.abc import Iterable

from lightbus.schema import format_type
from lightbus.schema.language.keywords import UNIONS
from lightbus_gen.load.references import Node
from lightbus_gen.lower import pytypes
from lightbus_gen.lower.parts import LIMITING, STRUCTURE, Part, Parts, kind_of
from lightbus_gen.lower.pytypes import Name, Type, union


def simple_type(node: Node) -> Type | None:
    """Return the type of a schema that names scalars, a list of them, or one of them or null; None for any other.

    Most properties are of this kind, and taking their schemas apart would be most of the work.
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
    found = format_type(schema)
    string = Name(found.name, found.module) if found else pytypes.STR
    return union(string if each == "string" else pytypes.SCALARS[each] for each in kinds)


def _nullable(node: Node, *structure: str) -> Type | None:
    """Return the type of a choice between something simple and null; None for any other structure."""
    if len(structure) != 1 or structure[0] not in UNIONS:
        return None
    branches = [*node.inside(structure)]
    others = [branch for branch in branches if branch.schema != {"type": "null"}]
    if len(branches) != 2 or len(others) != 1:
        return None
    found = simple_type(others[0])
    return union([found, pytypes.NONE]) if found else None


def type_of_values(values: Iterable[object], kinds: frozenset[str], string: Type | None = None) -> Type:
    """Return the type of those of some values that are of the JSON types given; of strings, what they become."""
    return union(
        string if string and isinstance(value, str) else pytypes.of_value(value)
        for value in values
        if kind_of(value) in kinds
    )


def string_type(parts: Parts) -> Type | None:
    """Return the type that the strings which satisfy all parts become when they are received; None for `str`."""
    for part in parts:
        if found := format_type(part.node.schema):
            return Name(found.name, found.module)
    return None
