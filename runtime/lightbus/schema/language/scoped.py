"""A schema as it applies in a dynamic scope, taken apart and compiled for the search for misfits.

The parts that apply to the same value, to a property or to an item each have a validator of their own.
Everything is compiled when it is first used, and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any

import jsonschema_rs

from lightbus.schema.language.keywords import DEPENDENT, KEYWORDS, REFERENCES, UNIONS, Holds
from lightbus.schema.language.node import Node
from lightbus.schema.language.reference import Document, DynamicScope
from lightbus.schema.language.validation import exceeds_bounds, pattern_matches, validator

_NAMES = ("required", "dependentRequired", "dependencies")  # keywords that list missing properties
_DEEP = ("const", "enum", "uniqueItems")  # keywords that look into the values of an object or array
_NOT_ASSERTIONS = frozenset(
    {*REFERENCES, *_NAMES, "default", "examples", "example", "id"}.union(
        *(
            (row.name, *row.companions)
            for row in KEYWORDS.values()
            if row.holds not in (Holds.NOTHING, Holds.DATA)
        )
    )
)

ARRAYS = (list, tuple)
HOLDERS = (dict, *ARRAYS)

Parts = dict[tuple[object, DynamicScope], "ScopedSchema"]


class ScopedSchema:
    """A schema in a dynamic scope.

    Args:
        node: the schema.
        scope: the scope around it.
        parts: all schemas of the document that are in use, so that each is compiled once.
    """

    def __init__(self, node: Node[Document], scope: DynamicScope = (), parts: Parts | None = None) -> None:
        self.node = node
        self.scope = node.document.enter(node, scope)
        self._parts: Parts = {} if parts is None else parts

    def _part(self, node: Node[Document]) -> ScopedSchema:
        key = (node.key, self.scope)
        if key not in self._parts:
            self._parts[key] = ScopedSchema(node, self.scope, self._parts)
        return self._parts[key]

    def _get(self, keyword: str) -> ScopedSchema | None:
        node = self.node.get(keyword)
        return self._part(node) if node else None

    # -- verdicts --------------------------------------------------------------------------------

    @cached_property
    def is_valid(self) -> Callable[[object], bool]:
        """Whether the schema accepts a value; takes time in proportion to the size of the value."""
        target: ScopedSchema = self
        seen: set[ScopedSchema] = {target}
        while [*target.node.keywords] == ["$ref"] and target.bases and target.bases[0] not in seen:
            target = target.bases[0]  # compiled once for all that refer to it
            seen.add(target)
        return target.node.document.validator(target.node, target.scope).is_valid

    def errors(self, value: object) -> Iterator[jsonschema_rs.ValidationError]:
        """Yield the errors of the keywords that neither hold schemas nor list properties, except `_DEEP` ones.

        An error costs time in proportion to the value it holds, so objects and arrays are judged without contents.
        """
        assertions = self._assertions_about_holders if isinstance(value, HOLDERS) else self._assertions
        if assertions and not assertions.is_valid(shell := _shell_of(value)):
            yield from assertions.iter_errors(shell)

    def violated(self, value: object) -> Iterator[str]:
        """Yield the `_DEEP` keywords that refuse an object or array."""
        if isinstance(value, HOLDERS):
            yield from (keyword for keyword, is_valid in self._deep if not is_valid(value))

    def missing(self, value: dict[str, Any]) -> Iterator[str]:
        """Yield the names of required properties that an object lacks."""
        required, dependent = self._required
        needed = [required, *(names for name, names in dependent if name in value)]
        yield from dict.fromkeys(name for names in needed for name in names if name not in value)

    @cached_property
    def _required(self) -> tuple[list[str], list[tuple[str, list[str]]]]:
        """The names of required properties, and those that the presence of another one requires."""
        keywords = self.node.keywords
        dependent = [
            (name, names)
            for keyword in _NAMES[1:]
            for name, names in keywords.get(keyword, {}).items()
            if isinstance(names, list)
        ]
        return keywords.get("required", []), dependent

    @cached_property
    def _assertions(self) -> jsonschema_rs.Validator | None:
        return self._compiled(lambda keyword: True)

    @cached_property
    def _assertions_about_holders(self) -> jsonschema_rs.Validator | None:
        return self._compiled(lambda keyword: keyword not in _DEEP)

    @cached_property
    def _deep(self) -> list[tuple[str, Callable[[object], bool]]]:
        compiled = ((keyword, self._compiled(keyword.__eq__)) for keyword in _DEEP)
        return [(keyword, each.is_valid) for keyword, each in compiled if each]

    def _compiled(self, is_included: Callable[[str], bool]) -> jsonschema_rs.Validator | None:
        assertions = {
            keyword: value
            for keyword, value in self.node.keywords.items()
            if keyword not in _NOT_ASSERTIONS and not keyword.startswith(("$", "x-")) and is_included(keyword)
        }
        return validator({"$schema": self.node.document.draft.uri, **assertions}) if assertions else None

    # -- the same value --------------------------------------------------------------------------

    @cached_property
    def bases(self) -> list[ScopedSchema]:
        """The schemas that every valid value also satisfies: the targets of references, and `allOf`."""
        targets = (self.node.target(), self.node.dynamic_target(self.scope))
        return [*map(self._part, filter(None, targets)), *map(self._part, self.node.inside(("allOf",)))]

    @cached_property
    def unions(self) -> list[tuple[str, list[ScopedSchema]]]:
        """(keyword, branches) of `anyOf` and `oneOf`."""
        return [
            (keyword, [*map(self._part, self.node.inside((keyword,)))])
            for keyword in UNIONS
            if self.node.has(keyword)
        ]

    @cached_property
    def excluded(self) -> ScopedSchema | None:
        """The schema under `not`."""
        return self._get("not")

    @cached_property
    def condition(self) -> tuple[ScopedSchema, ScopedSchema | None, ScopedSchema | None] | None:
        """The schemas under `if`, `then` and `else`, or None without `if`."""
        condition = self._get("if")
        return (condition, self._get("then"), self._get("else")) if condition else None

    @cached_property
    def _dependents(self) -> list[tuple[str, ScopedSchema]]:
        pairs = (pair for keyword in DEPENDENT for pair in self.node.children(keyword))
        return [(name, self._part(node)) for name, node in pairs if not isinstance(node.schema, list)]

    def in_place(self, value: object) -> Iterator[ScopedSchema]:
        """Yield the schemas besides unions that a valid value must satisfy, as the value's properties decide."""
        yield from self.bases
        if self.condition:
            condition, on_then, on_else = self.condition
            if branch := on_then if condition.is_valid(value) else on_else:
                yield branch
        if isinstance(value, dict):
            yield from (part for name, part in self._dependents if name in value)

    @cached_property
    def _conjuncts(self) -> list[ScopedSchema]:
        """The schema and, recursively, those that it is based on."""
        conjuncts: list[ScopedSchema] = [self]
        for part in conjuncts:
            conjuncts += [base for base in part.bases if base not in conjuncts]
        return conjuncts

    @cached_property
    def _types(self) -> list[tuple[Node[Document], Callable[[object], bool]]]:
        typed = [part.node for part in self._conjuncts if part.node.types]
        return [
            (node, validator({"$schema": node.document.draft.uri, "type": node.types}).is_valid)
            for node in typed
        ]

    def wrong_type(self, value: object) -> Node[Document] | None:
        """Return the schema whose `type` refuses a value, or None if the value has the right type."""
        shell = {} if isinstance(value, dict) else [] if isinstance(value, ARRAYS) else value
        return next((node for node, is_valid in self._types if not is_valid(shell)), None)

    @cached_property
    def _tags(self) -> dict[str, ScopedSchema]:
        tags: dict[str, ScopedSchema] = {}
        for part in self._conjuncts:
            for name, node in part.node.children("properties"):
                tag = part._part(node)
                if any(conjunct.node.listed is not None for conjunct in tag._conjuncts):
                    tags[name] = tag
        return tags

    def wrong_tags(self, value: object) -> int:
        """Return by how many the wrong values of properties with listed values outnumber the right ones."""
        if not isinstance(value, dict):
            return 0
        present = (tag.is_valid(value[name]) for name, tag in self._tags.items() if name in value)
        return sum(-1 if is_valid else 1 for is_valid in present)

    # -- parts of the value ----------------------------------------------------------------------

    @cached_property
    def _properties(self) -> dict[str, ScopedSchema]:
        return {name: self._part(node) for name, node in self.node.children("properties")}

    @cached_property
    def _patterns(self) -> list[tuple[str, ScopedSchema]]:
        return [(pattern, self._part(node)) for pattern, node in self.node.children("patternProperties")]

    @cached_property
    def additional(self) -> ScopedSchema | None:
        """The schema under `additionalProperties`."""
        return self._get("additionalProperties")

    @cached_property
    def names(self) -> ScopedSchema | None:
        """The schema under `propertyNames`."""
        return self._get("propertyNames")

    def unevaluated(self, value: object) -> ScopedSchema | None:
        """Return the schema under `unevaluatedProperties` of an object, or `unevaluatedItems` of an array."""
        return self._unevaluated[0 if isinstance(value, dict) else 1]

    @cached_property
    def _unevaluated(self) -> tuple[ScopedSchema | None, ScopedSchema | None]:
        return self._get("unevaluatedProperties"), self._get("unevaluatedItems")

    @cached_property
    def _items(self) -> tuple[list[ScopedSchema], ScopedSchema | None]:
        if not isinstance(self.node.schema, dict):
            return [], None
        first, others = self.node.items()
        return [*map(self._part, first)], self._part(others) if others else None

    @cached_property
    def contained(self) -> tuple[ScopedSchema, int, float] | None:
        """The schema under `contains`, and how many items must and may satisfy it, or None without it."""
        part, keywords = self._get("contains"), self.node.keywords
        least, most = keywords.get("minContains", 1), keywords.get("maxContains", float("inf"))
        return (part, least, most) if part else None

    def of_property(self, name: str) -> list[ScopedSchema]:
        """Return the schemas that describe a property by its name."""
        parts = [self._properties[name]] if name in self._properties else []
        return parts + [part for pattern, part in self._patterns if pattern_matches(pattern, name)]

    def is_unmatchable(self, value: object) -> bool:
        """Whether the name of a property exceeds the bounds of a pattern for names."""
        names = value if isinstance(value, dict) else ()
        return any(exceeds_bounds(pattern, name) for pattern, _ in self._patterns for name in names)

    def of_parts(self, value: object) -> Iterator[tuple[str | int, Any, ScopedSchema]]:
        """Yield (key, part, schema) of the parts of a value and each schema that describes them."""
        if isinstance(value, dict):
            additional = [self.additional] if self.additional else []
            if additional or self._properties or self._patterns:
                for name, item in value.items():
                    yield from ((name, item, part) for part in self.of_property(name) or additional)
        elif isinstance(value, ARRAYS):
            first, others = self._items
            yield from (
                (index, item, part) for index, (item, part) in enumerate(zip(value, first, strict=False))
            )
            if others:
                yield from ((index, value[index], others) for index in range(len(first), len(value)))

    def evaluated(self, value: Any, *, is_strict: bool) -> set[str | int]:
        """Return the keys of the parts of a value that `unevaluatedProperties` or `unevaluatedItems` ignores.

        Args:
            value: an object or array.
            is_strict: whether only schemas that accept the value count, as the standard says; otherwise all
                that may apply to it.
        """
        keys: set[str | int] = set()
        todo: list[ScopedSchema] = [self]
        for part in todo:
            every = part.additional if isinstance(value, dict) else part._items[1]
            if every or (part is not self and part.unevaluated(value)):
                return {*(value if isinstance(value, dict) else range(len(value)))}
            if isinstance(value, dict):
                keys.update(name for name in value if part.of_property(name))
            else:
                keys.update(range(min(len(value), len(part._items[0]))))
                if part.contained and "$recursiveRef" in part.node.document.draft.unknown:
                    contained = part.contained[0]
                    keys.update(index for index, item in enumerate(value) if contained.is_valid(item))
            applied = part._applied(value, is_strict)
            todo += [
                inner for inner in applied if inner not in todo and (not is_strict or inner.is_valid(value))
            ]
        return keys

    def _applied(self, value: object, is_strict: bool) -> Iterable[ScopedSchema]:
        yield from self.in_place(value)
        for _, branches in self.unions:
            yield from branches
        if self.condition and (not is_strict or self.condition[0].is_valid(value)):
            yield self.condition[0]


def _shell_of(value: object) -> object:
    """Return an object or array without its contents; any other value as it is."""
    if isinstance(value, dict):
        return dict.fromkeys(value)
    return [None] * len(value) if isinstance(value, ARRAYS) else value
