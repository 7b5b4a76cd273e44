"""What a schema says about values, once `$ref` and `allOf` are out of the way.

A value that is valid satisfies every `Part` of a schema, so types are read off all parts together.
Keywords that no Python type can express (`not`, `if`, bounds, patterns) are left to the validator.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lightbus_gen.references import Library, Node

KINDS = ("string", "integer", "number", "boolean", "array", "object", "null")
_OBJECT = ("properties", "additionalProperties", "patternProperties", "required")
_ARRAY = ("items", "prefixItems", "additionalItems")
_TELLING = frozenset(
    {"type", "enum", "const", "format", "contentEncoding", "anyOf", "oneOf", *_OBJECT, *_ARRAY}
)
MOST_ALTERNATIVES = 64
"""How far unions inside unions are multiplied out before the type gets wider instead."""


@dataclass(frozen=True, slots=True)
class Part:
    """A schema, its `$ref` and `allOf` left out of account.

    Attributes:
        node: the schema, a dict unless the part is still to be flattened.
        referred: whether a `$ref` led here, so that it has a name of its own.
        ignored: keywords to leave out of account.
        is_flat: whether its `$ref` and `allOf` have been followed, and stand beside it.
    """

    node: Node
    referred: bool = False
    ignored: tuple[str, ...] = ()
    is_flat: bool = False

    def get(self, keyword: str) -> Any:
        """Return the value of a keyword, None where there is none."""
        return None if keyword in self.ignored else self.node.schema.get(keyword)

    def has(self, keywords: Iterable[str]) -> bool:
        """Whether any of the keywords is there."""
        return any(keyword in self.node.schema and keyword not in self.ignored for keyword in keywords)

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it from every other part."""
        return (*self.node.key, self.ignored)

    @property
    def kinds(self) -> frozenset[str]:
        """The JSON types its own keywords allow."""
        given = self.get("type")
        kinds = {given} if isinstance(given, str) else set(given or KINDS)
        if "number" in kinds:
            kinds.add("integer")
        if (values := self.values()) is not None:
            kinds &= {kind_of(value) for value in values}
        return frozenset(kinds)

    def values(self) -> list[Any] | None:
        """Return the only values that are valid, or None."""
        if "const" in self.node.schema and "const" not in self.ignored:
            return [self.node.schema["const"]]
        values: list[Any] | None = self.get("enum")
        return values


Parts = tuple[Part, ...]


def kind_of(value: object) -> str:
    """Name the JSON type of a value; the narrowest."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    names = {float: "number", str: "string", list: "array", dict: "object", type(None): "null"}
    return names[type(value)]


def kinds_of(parts: Parts) -> frozenset[str]:
    """Return the JSON types that all parts allow."""
    return frozenset(KINDS).intersection(*(part.kinds for part in parts))


def says_type(parts: Parts) -> bool:
    """Whether any part limits the JSON type, rather than only describing one of them."""
    return any(part.has(("type", "enum", "const")) for part in parts)


def describes_object(parts: Parts) -> bool:
    """Whether any part says what an object looks like."""
    return any(part.has(_OBJECT) for part in parts)


def describes_array(parts: Parts) -> bool:
    """Whether any part says what an array looks like."""
    return any(part.has(_ARRAY) for part in parts)


class Shapes:
    """Takes schemas apart.

    Args:
        library: resolves the `$ref`s.
    """

    def __init__(self, library: Library) -> None:
        self._library = library

    def flatten(self, *given: Part) -> Parts | None:
        """Return the telling parts that a value must satisfy together; None where no value can."""
        found: dict[tuple[object, ...], Part] = {}
        seen: set[tuple[object, ...]] = set()
        if not all(self._collect(part, found, seen) for part in given):
            return None
        return _without_repetition(tuple(found.values()))

    def _collect(
        self, part: Part, found: dict[tuple[object, ...], Part], seen: set[tuple[object, ...]]
    ) -> bool:
        """Add the telling parts of a part, what it is based on first; False where no value can be valid."""
        schema = part.node.schema
        if isinstance(schema, bool) or part.key in seen:
            return schema is not False
        seen.add(part.key)
        if part.is_flat:  # what it is based on was taken apart, perhaps down to one branch of a union
            found[part.key] = part
            return True
        ref = part.get("$ref")
        if isinstance(ref, str):
            target = Part(self._library.resolve(part.node, ref), referred=True)
            if not self._collect(target, found, seen):
                return False
            if part.node.hides_siblings:
                return True
        if not all(self._collect(Part(node), found, seen) for node in self.children(part, "allOf")):
            return False
        if part.has(_TELLING):
            found[part.key] = replace(part, is_flat=True)
        return True

    def children(self, part: Part, keyword: str) -> list[Node]:
        """Return the schemas in a list keyword."""
        listed = part.get(keyword)
        if not isinstance(listed, list):
            return []
        return [self._library.child(part.node, keyword, index) for index in range(len(listed))]

    def child(self, part: Part, *steps: str) -> Node:
        """Return a schema some keywords inside a part."""
        return self._library.child(part.node, *steps)

    def union(self, parts: Parts) -> tuple[Parts, list[Node]] | None:
        """Take one `anyOf` or `oneOf` that tells something out of the parts.

        Returns:
            The parts without it and its branches; None where there is no such keyword.
        """
        for index, part in enumerate(parts):
            for keyword in ("anyOf", "oneOf"):
                branches = self.children(part, keyword)
                if not any(self._tells(branch) for branch in branches):
                    continue
                reduced = replace(part, ignored=(*part.ignored, keyword))
                rest = [*parts[:index], *([reduced] if reduced.has(_TELLING) else []), *parts[index + 1 :]]
                return tuple(rest), branches
        return None

    def alternatives(self, parts: Parts) -> list[Parts]:
        """Multiply unions out: a valid value satisfies at least one of the results."""
        done: list[Parts] = []
        todo = [parts]
        while todo:
            here = todo.pop(0)
            taken = self.union(here)
            if taken is None:
                done.append(here)
                continue
            rest, branches = taken
            if len(todo) + len(done) + len(branches) > MOST_ALTERNATIVES:
                todo.insert(0, rest)
                continue
            inner = [self.flatten(*rest, Part(branch)) for branch in branches]
            todo = [alternative for alternative in inner if alternative is not None] + todo
        return done

    def accepts_string(self, parts: Parts) -> bool:
        """Whether a string can be valid, as far as types and listed values say."""
        return any("string" in kinds_of(alternative) for alternative in self.alternatives(parts))

    def _tells(self, branch: Node) -> bool:
        """Whether a union branch says more than which properties are required."""
        parts = self.flatten(Part(branch))
        return parts is None or any(part.has(_TELLING - {"required"}) for part in parts)


def _without_repetition(parts: Sequence[Part]) -> Parts:
    """Drop parts that only give a type which the others give as well."""
    kept = list(parts)
    for part in parts:
        others = tuple(other for other in kept if other is not part)
        only_type = set(part.node.schema) & _TELLING - set(part.ignored) == {"type"}
        if only_type and others and kinds_of(others) <= part.kinds and says_type(others):
            kept.remove(part)
    return tuple(kept)


def declared_names(parts: Parts) -> Iterator[str]:
    """Yield the names of properties that any part declares, in the author's order."""
    for part in parts:
        yield from part.get("properties") or ()


def required_names(parts: Parts) -> list[str]:
    """Return the names of properties that any part requires."""
    return [name for part in parts for name in part.get("required") or ()]
