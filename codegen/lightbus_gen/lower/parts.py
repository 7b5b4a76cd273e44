"""What a schema says about values, with `$ref` and `allOf` resolved.

A valid value satisfies every `Part` of a schema, so types are read off all parts together.
Keywords that no Python type can express (`not`, bounds, patterns) are left to the validator.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lightbus.schema import pattern_matches
from lightbus.schema.language.keywords import CLOSING, DEPENDENT, ITEMS, PROPERTIES, REFERENCES, UNIONS
from lightbus_gen.load.references import Node

KINDS = ("string", "integer", "number", "boolean", "array", "object", "null")
ALL_KINDS = frozenset(KINDS)
_KINDS_OF = {kind: frozenset([kind]) for kind in KINDS} | {"number": frozenset(["number", "integer"])}
_OBJECT = frozenset({*PROPERTIES, "required"})
_ARRAY = frozenset(ITEMS)
LIMITING = frozenset({"type", "enum", "const"})
_CONST = frozenset({"const"})
CHOICES = (*UNIONS, "if", *DEPENDENT)
"""The keywords with several branches, in the order they are expanded."""
RELEVANT = frozenset({*LIMITING, "format", "contentEncoding", *CHOICES, *_OBJECT, *_ARRAY})
"""The keywords that a Python type depends on, except those that lead to a part of its own."""
STRUCTURE = frozenset({*REFERENCES, "allOf", *CHOICES, *_OBJECT, *_ARRAY})
"""The keywords that lead to other schemas, or describe an object or array."""


@dataclass(frozen=True, slots=True)
class Part:
    """A schema without its `$ref` and `allOf`.

    Attributes:
        node: the schema, a dict unless the part is still to be flattened.
        referred: whether a `$ref` led here, so that it has a name of its own.
        ignored: keywords to ignore; `dependentSchemas/name` for one of the schemas of a keyword.
        is_flat: whether its `$ref` and `allOf` have become parts of their own.
        key: identifies it.
    """

    node: Node
    referred: bool = False
    ignored: tuple[str, ...] = ()
    is_flat: bool = False
    key: tuple[object, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", (*self.node.key, self.ignored))

    def get(self, keyword: str) -> Any:
        """Return the value of a keyword; None if it is absent, ignored or unknown to the draft."""
        if keyword in self.ignored or keyword in self.node.document.draft.unknown:
            return None
        return self.node.schema.get(keyword)

    def has(self, keywords: frozenset[str]) -> bool:
        """Whether any of the keywords is present, not ignored and known to the draft."""
        present = keywords.intersection(self.node.schema)
        return bool(present) and not present <= self.node.document.draft.unknown.union(self.ignored)

    @property
    def kinds(self) -> frozenset[str]:
        """The JSON types its own keywords allow."""
        declared = self.get("type")
        if isinstance(declared, str):
            kinds = _KINDS_OF[declared]
        else:
            kinds = frozenset().union(*(_KINDS_OF[kind] for kind in declared or KINDS))
        if (values := self.values()) is not None:
            kinds &= {kind_of(value) for value in values}
        return kinds

    def values(self) -> list[Any] | None:
        """Return the valid values that `const` or `enum` lists; None without either."""
        if self.has(_CONST):
            return [self.node.schema["const"]]
        values: list[Any] | None = self.get("enum")
        return values


Parts = tuple[Part, ...]


def kind_of(value: object) -> str:
    """Return the narrowest JSON type of a value."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    names = {float: "number", str: "string", list: "array", dict: "object", type(None): "null"}
    return names[type(value)]


def kinds_of(parts: Parts) -> frozenset[str]:
    """Return the JSON types that all parts allow."""
    return ALL_KINDS.intersection(*[part.kinds for part in parts])


def limits_type(parts: Parts) -> bool:
    """Whether any part limits the JSON type, rather than only describing one of them."""
    return any(part.has(LIMITING) for part in parts)


def describes_object(parts: Parts) -> bool:
    """Whether any part describes an object."""
    return any(part.has(_OBJECT) for part in parts)


def describes_array(parts: Parts) -> bool:
    """Whether any part describes an array."""
    return any(part.has(_ARRAY) for part in parts)


def declared_names(parts: Parts) -> Iterator[str]:
    """Yield the names of properties that any part declares, in the author's order."""
    for part in parts:
        yield from part.get("properties") or ()


def required_names(parts: Parts) -> list[str]:
    """Return the names of properties that any part requires."""
    return [name for part in parts for name in part.get("required") or ()]


def allows_more(parts: Parts) -> bool:
    """Whether the author says that an object may have undeclared properties; silence does not say so."""
    if any(part.get("additionalProperties") is False and not part.get("patternProperties") for part in parts):
        return False
    return any(part.get("patternProperties") for part in parts) or any(
        part.get(keyword) not in (None, False) for part in parts for keyword in CLOSING
    )


class PropertySchemas:
    """The schemas of an object's properties.

    Args:
        parts: the parts of the object.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._by_name: dict[str, list[int]] = {}
        self._of_all: list[int] = []
        for index, part in enumerate(parts):
            if part.get("patternProperties") or part.get("additionalProperties") not in (None, True):
                self._of_all.append(index)
                continue
            for name in part.get("properties") or ():
                self._by_name.setdefault(name, []).append(index)

    def of(self, name: str) -> list[Node] | None:
        """Return the schemas that a property must satisfy; [] if it is forbidden, None if any value is valid."""
        schemas: list[Node] = []
        is_closed = False
        for part in (self._parts[index] for index in sorted((*self._by_name.get(name, ()), *self._of_all))):
            is_declared = name in (part.get("properties") or ())
            if is_declared:
                schemas.append(part.node.child("properties", name))
            patterns = [each for each in part.get("patternProperties") or () if pattern_matches(each, name)]
            schemas += [part.node.child("patternProperties", pattern) for pattern in patterns]
            if is_declared or patterns:
                continue
            additional = part.get("additionalProperties")
            if isinstance(additional, dict):
                schemas.append(part.node.child("additionalProperties"))
            is_closed |= additional is False
        return schemas if schemas or is_closed else None


def map_values(parts: Parts) -> list[list[Node]]:
    """Return the schemas of undeclared properties by part; a value satisfies one of each part."""
    schemas = []
    for part in parts:
        values = [*part.node.inside(("patternProperties",))]
        additional = part.get("additionalProperties")
        if isinstance(additional, dict):
            values.append(part.node.child("additionalProperties"))
        if additional not in (None, True) and values:
            schemas.append(values)
    return schemas


def array_items(parts: Parts) -> list[list[Node]]:
    """Return the schemas of items by part; an item satisfies one of each part, [] if some accept any value."""
    schemas = []
    for part in parts:
        first, others = part.node.items()
        if others is not None and isinstance(others.schema, dict):
            schemas.append([*first, others])
        elif first:
            schemas.append(first if others is not None and others.schema is False else [])
    return schemas
