"""What a schema says about values, once `$ref` and `allOf` are out of the way.

A value that is valid satisfies every `Part` of a schema, so types are read off all parts together.
Keywords that no Python type can express (`not`, bounds, patterns) are left to the validator.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lightbus.schema.language.keywords import CLOSING, DEPENDENT, ITEMS, PROPERTIES, REFERENCES, UNIONS
from lightbus_gen.load.references import Node

KINDS = ("string", "integer", "number", "boolean", "array", "object", "null")
_ALL_KINDS = frozenset(KINDS)
_KINDS_OF = {kind: frozenset([kind]) for kind in KINDS} | {"number": frozenset(["number", "integer"])}
_OBJECT = frozenset({*PROPERTIES, "required"})
_ARRAY = frozenset(ITEMS)
LIMITING = frozenset({"type", "enum", "const"})
_CONST = frozenset({"const"})
_CHOICES = (*UNIONS, "if", *DEPENDENT)
_CHOICE = frozenset(_CHOICES)
_TELLING = frozenset({*LIMITING, "format", "contentEncoding", *_CHOICES, *_OBJECT, *_ARRAY})
STRUCTURE = frozenset({*REFERENCES, "allOf", *_CHOICES, *_OBJECT, *_ARRAY})
"""The keywords that lead to other schemas, or say what an object or array looks like."""
MOST_ALTERNATIVES = 64
"""How far unions inside unions are multiplied out before the type gets wider instead."""


@dataclass(frozen=True, slots=True)
class Part:
    """A schema, its `$ref` and `allOf` left out of account.

    Attributes:
        node: the schema, a dict unless the part is still to be flattened.
        referred: whether a `$ref` led here, so that it has a name of its own.
        ignored: keywords to leave out of account.
        is_flat: whether what it is based on stands beside it.
        key: what tells it from every other part.
    """

    node: Node
    referred: bool = False
    ignored: tuple[str, ...] = ()
    is_flat: bool = False
    key: tuple[object, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", (*self.node.key, self.ignored))

    def get(self, keyword: str) -> Any:
        """Return the value of a keyword, None where there is none that counts."""
        if keyword in self.ignored or keyword in self.node.document.draft.unknown:
            return None
        return self.node.schema.get(keyword)

    def has(self, keywords: frozenset[str]) -> bool:
        """Whether any of the keywords is there and counts."""
        if keywords.isdisjoint(self.node.schema):
            return False
        return not keywords.intersection(self.node.schema) <= self.node.document.draft.unknown.union(
            self.ignored
        )

    @property
    def kinds(self) -> frozenset[str]:
        """The JSON types its own keywords allow."""
        given = self.get("type")
        if isinstance(given, str):
            kinds = _KINDS_OF[given]
        else:
            kinds = frozenset().union(*(_KINDS_OF[kind] for kind in given or KINDS))
        if (values := self.values()) is not None:
            kinds &= {kind_of(value) for value in values}
        return kinds

    def values(self) -> list[Any] | None:
        """Return the only values that are valid, or None."""
        if self.has(_CONST):
            return [self.node.schema["const"]]
        values: list[Any] | None = self.get("enum")
        return values


Parts = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Schemas of which a value satisfies at least one.

    Attributes:
        rest: the parts that it satisfies as well.
        branches: the schemas.
        is_union: whether they are kinds of values, rather than conditions on values of one kind.
        key: what tells it from every other choice.
    """

    rest: Parts
    branches: list[Node]
    is_union: bool
    key: object


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
    return _ALL_KINDS.intersection(*[part.kinds for part in parts])


def says_type(parts: Parts) -> bool:
    """Whether any part limits the JSON type, rather than only describing one of them."""
    return any(part.has(LIMITING) for part in parts)


def describes_object(parts: Parts) -> bool:
    """Whether any part says what an object looks like."""
    return any(part.has(_OBJECT) for part in parts)


def describes_array(parts: Parts) -> bool:
    """Whether any part says what an array looks like."""
    return any(part.has(_ARRAY) for part in parts)


class Flattener:
    """Takes schemas apart."""

    def __init__(self) -> None:
        self._flat: dict[tuple[object, ...], Parts | None] = {}
        self._multiplied: dict[tuple[object, ...], list[Parts]] = {}

    def flatten(self, *given: Part) -> Parts | None:
        """Return the telling parts that a value must satisfy together; None where no value can."""
        key = tuple((*part.key, part.referred, part.is_flat) for part in given)
        if key not in self._flat:
            found: dict[tuple[object, ...], Part] = {}
            seen: set[tuple[object, ...]] = set()
            is_possible = all(self._collect(part, found, seen) for part in given)
            self._flat[key] = _without_repetition(tuple(found.values())) if is_possible else None
        return self._flat[key]

    def _collect(
        self, part: Part, found: dict[tuple[object, ...], Part], seen: set[tuple[object, ...]]
    ) -> bool:
        """Add the telling parts of a part, what it is based on first; False where no value can be valid."""
        if part.is_flat:
            found.setdefault(part.key, part)
            return True
        schema = part.node.schema
        if isinstance(schema, bool) or part.key in seen:
            return schema is not False
        seen.add(part.key)
        for target in part.node.targets():
            if not self._collect(Part(target, referred=True), found, seen):
                return False
        if not all(self._collect(Part(node), found, seen) for node in part.node.inside(("allOf",))):
            return False
        if part.has(_TELLING) and not part.node.hides_siblings:
            found[part.key] = Part(part.node, part.referred, part.ignored, is_flat=True)
        return True

    def union(self, parts: Parts) -> Choice | None:
        """Take one choice that tells something out of the parts; None where there is none."""
        if all(_CHOICE.isdisjoint(part.node.schema) for part in parts):
            return None
        for keyword in _CHOICES:
            for index, part in enumerate(parts):
                if part.get(keyword) is None:
                    continue
                for ignored, branches in self._branches(part, keyword):
                    if not any(self._tells(branch) for branch in branches):
                        continue
                    reduced = replace(part, ignored=(*part.ignored, ignored))
                    kept = [reduced] if reduced.has(_TELLING) else []
                    rest = (*parts[:index], *kept, *parts[index + 1 :])
                    return Choice(rest, branches, keyword in UNIONS, (part.node.key, ignored))
        return None

    def _branches(self, part: Part, keyword: str) -> Iterator[tuple[str, list[Node]]]:
        """Yield each choice that a keyword makes: what to ignore once it is taken, and the branches."""
        if keyword in UNIONS:
            yield keyword, [*part.node.inside((keyword,))]
        elif keyword == "if":
            yield keyword, [part.node.get(name) or part.node.instead(True) for name in ("then", "else")]
        elif isinstance(given := part.get(keyword), dict):
            for name, schema in given.items():
                ignored = f"{keyword}/{name}"
                if isinstance(schema, dict) and ignored not in part.ignored:
                    yield ignored, [part.node.child(keyword, name), part.node.instead(True)]

    def alternatives(self, parts: Parts) -> list[Parts]:
        """Multiply unions out: a valid value satisfies at least one of the results."""
        key = tuple((*part.key, part.referred) for part in parts)
        if key not in self._multiplied:
            self._multiplied[key] = self._multiply(parts)
        return self._multiplied[key]

    def _multiply(self, parts: Parts) -> list[Parts]:
        done: list[Parts] = []
        todo: list[tuple[Parts, frozenset[object]]] = [(parts, frozenset())]
        while todo:
            here, taken = todo.pop(0)
            choice = self.union(here)
            if choice is None:
                done.append(here)
            elif choice.key in taken:
                continue  # it is a branch of itself, which adds nothing
            elif len(todo) + len(done) + len(choice.branches) > MOST_ALTERNATIVES:
                todo.insert(0, ((*choice.rest, _open(here[0].node)), taken))
            else:
                inner = [self.flatten(*choice.rest, Part(branch)) for branch in choice.branches]
                todo = [(one, taken | {choice.key}) for one in inner if one is not None] + todo
        return done

    def accepts_string(self, parts: Parts) -> bool:
        """Whether a string can be valid, as far as types and listed values say."""
        if "string" not in kinds_of(parts):
            return False
        return any("string" in kinds_of(alternative) for alternative in self.alternatives(parts))

    def _tells(self, branch: Node) -> bool:
        """Whether a union branch says more than which properties are required."""
        parts = self.flatten(Part(branch))
        return parts is None or any(part.has(_TELLING - {"required"}) for part in parts)


def _open(node: Node) -> Part:
    """Return what stands in for a choice that is not multiplied out: any property may be there."""
    return Part(node.instead({"additionalProperties": True}))


def _without_repetition(parts: Sequence[Part]) -> Parts:
    """Drop parts that only give a type which the others give as well."""
    if len(parts) < 2:
        return tuple(parts)
    kept = list(parts)
    for part in parts:
        if _TELLING.intersection(part.node.schema).difference(part.ignored) != {"type"}:
            continue
        others = tuple(other for other in kept if other is not part)
        if others and kinds_of(others) <= part.kinds and says_type(others):
            kept.remove(part)
    return tuple(kept)


def declared_names(parts: Parts) -> Iterator[str]:
    """Yield the names of properties that any part declares, in the author's order."""
    for part in parts:
        yield from part.get("properties") or ()


def allows_more(parts: Parts) -> bool:
    """Whether the author says that an object may have undeclared properties; silence does not say so."""
    if any(part.get("additionalProperties") is False and not part.get("patternProperties") for part in parts):
        return False
    given = [part.get(keyword) for part in parts for keyword in CLOSING]
    return any(value is not None and value is not False for value in given) or any(
        part.get("patternProperties") for part in parts
    )


def required_names(parts: Parts) -> list[str]:
    """Return the names of properties that any part requires."""
    return [name for part in parts for name in part.get("required") or ()]
