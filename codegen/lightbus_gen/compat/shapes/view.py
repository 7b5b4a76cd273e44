"""One schema of any draft, its keywords in one form.

Draft 4 has `exclusiveMinimum: true`, draft 7 a list in `items`, 2020-12 `prefixItems`: a comparison of two versions
does not need to know.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from lightbus.schema.language.keywords import (
    APPLYING,
    CLOSING,
    DEPENDENT,
    ITEMS,
    KEYWORDS,
    PROPERTIES,
    REFERENCES,
    UNIONS,
    About,
)
from lightbus.schema.language.validation import pattern_matches, validator
from lightbus_gen.load.references import Node
from lightbus_gen.lower.parts import kind_of

KINDS = frozenset(("string", "integer", "number", "boolean", "array", "object", "null"))
"""The kinds of JSON values. None overlap: `number` means a number that is not an integer."""
LOWER = ("minLength", "minItems", "minProperties")
UPPER = ("maxLength", "maxItems", "maxProperties")
_COMPOSING = frozenset((*REFERENCES, "allOf", *UNIONS))
_MEMBERS = frozenset((*PROPERTIES, *DEPENDENT, *ITEMS))
OPAQUE = frozenset(row.name for row in KEYWORDS.values() if row.about is not About.NOTHING) - (
    _COMPOSING.union(_MEMBERS, *(row.companions for row in KEYWORDS.values()))
)
"""Keywords that are compared as a whole, as nothing else proves them: the reader's is satisfied if the writer has the same one."""
_EVALUATING = APPLYING - {"not"}
_ALIAS = frozenset(("$ref", "title", "description", "$comment"))
_LIMITS = frozenset((*LOWER, *UPPER))
_ON_VALUES = (
    "type", "enum", "const", *LOWER, *UPPER, "pattern", "format", "contentEncoding",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "uniqueItems",
)  # fmt: skip
_SCALAR = frozenset(_ON_VALUES) - {"type", "uniqueItems"}
_OBJECT = frozenset((*PROPERTIES, "required", "dependentRequired", *DEPENDENT))
_LIMITING = _SCALAR.union(("required", "if", *DEPENDENT, "items"))
_ARRAY = frozenset((*ITEMS, "uniqueItems", "unevaluatedItems"))


@dataclass(slots=True, eq=False)
class View:
    """The content of one schema, `$ref` and `allOf` not followed.

    Attributes:
        node: the schema.
        never: whether no value is valid.
        kinds: the kinds of values allowed.
        values: the only values allowed, or None.
        based_on: the schemas that must also hold: the targets of references, and `allOf`.
        unions: each `anyOf` and `oneOf`, by keyword.
        minimum, maximum: the limit of numbers and whether it is exclusive; None without one.
        multiple_of: the factor of numbers, or None.
        limits: the values of `minLength`, `maxItems` and similar keywords.
        pattern, format: of strings, or None; a format that the draft does not assert does not count.
        properties, patterns: the schemas of properties, by name and by regular expression.
        required: names of required properties.
        mentioned: names of properties that are required, or that require others or are required by them.
        additional: the schema of other properties, or None.
        unevaluated: the schema of `unevaluatedProperties`, or None; where no other schema applies to the same
            value, it is `additional`.
        needs: the names of the properties that a property requires, by its name.
        dependent: the schema that holds if a property is present, by its name.
        prefix, items: the schemas of the first items and of the rest.
        unique: whether items are distinct.
        opaque: the text of each keyword that is compared as a whole.
        is_limited: whether it restricts more than types and properties.
        declares: whether it has the keyword `properties`.
    """

    node: Node
    never: bool = False
    kinds: frozenset[str] = KINDS
    values: list[Any] | None = None
    based_on: tuple[Node, ...] = ()
    unions: dict[str, list[Node]] = field(default_factory=dict)
    minimum: tuple[Any, bool] | None = None
    maximum: tuple[Any, bool] | None = None
    multiple_of: Any = None
    limits: dict[str, int] = field(default_factory=dict)
    pattern: str | None = None
    format: str | None = None
    properties: dict[str, Node] = field(default_factory=dict)
    patterns: dict[str, Node] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    mentioned: tuple[str, ...] = ()
    additional: Node | None = None
    unevaluated: Node | None = None
    needs: dict[str, list[str]] = field(default_factory=dict)
    dependent: dict[str, Node] = field(default_factory=dict)
    prefix: tuple[Node, ...] = ()
    items: Node | None = None
    unique: bool = False
    opaque: dict[str, str] = field(default_factory=dict)
    is_limited: bool = False
    declares: bool = False
    _listed: frozenset[object] = field(default=frozenset(), init=False, repr=False)
    _values_check: Any = field(default=None, init=False, repr=False)

    def accepts(self, value: object) -> bool:
        """Whether the keywords accept a value that hold no schemas and name no properties."""
        if not self.lists(value):
            return False
        if self._values_check is None:
            keywords = self.node.keywords
            listing = "const" if "const" in keywords else "enum"
            relevant = {key: keywords[key] for key in _ON_VALUES if key in keywords and key != listing}
            dialect = {"$schema": self.node.document.dialect}
            self._values_check = _validator(text_of(relevant | dialect) if relevant else "true")
        return bool(self._values_check.is_valid(value))

    def lists(self, value: Any) -> bool:
        """Whether the values allowed include this one; 1 and 1.0 are the same number."""
        if self.values is None:
            return True
        self._listed = self._listed or frozenset(map(comparable, self.values))
        return comparable(value) in self._listed

    def declared(self, name: str) -> list[Node]:
        """Return the schemas of a property, by its name and by regular expressions that match it."""
        by_pattern = [node for pattern, node in self.patterns.items() if pattern_matches(pattern, name)]
        return [self.properties[name], *by_pattern] if name in self.properties else by_pattern


_NUMERIC = ("integer", "number")


@functools.cache
def _validator(text: str) -> Any:
    return validator(json.loads(text))


def is_restrictive(node: Node | None) -> bool:
    """Whether a schema for further properties restricts them; `true` and `{}` do not."""
    return node is not None and isinstance(node.schema, dict) and bool(node.schema)


class Views:
    """Reads the schemas of one version."""

    def __init__(self) -> None:
        self._views: dict[tuple[object, ...], View] = {}
        self._of_node: dict[Node, View] = {}

    def __call__(self, node: Node) -> View:
        """Return the view of a schema."""
        view = self._of_node.get(node)
        if view is None:
            if node.key not in self._views:
                self._views[node.key] = self._read(node)
            view = self._of_node[node] = self._views[node.key]
        return view

    def meant(self, node: Node) -> Node:
        """Return the schema that a `$ref` without other keywords leads to; any other schema as it is."""
        seen = {node.key}
        while isinstance(node.schema, dict) and "$ref" in node.schema:
            if not node.keywords.keys() <= _ALIAS:
                break
            based_on = self(node).based_on
            if len(based_on) != 1 or based_on[0].key in seen:
                break
            node = based_on[0]
            seen.add(node.key)
        return node

    def _read(self, node: Node) -> View:
        if isinstance(node.schema, bool) or not node.schema:
            return View(node, never=node.schema is False)
        view = View(node)
        schema = node.keywords
        keywords = schema.keys()
        if not _COMPOSING.isdisjoint(keywords):
            self._read_composition(view, schema)
            if node.hides_siblings:
                return view
        view.kinds = _kinds(schema.get("type"))
        view.is_limited = not _LIMITING.isdisjoint(keywords)
        if not _SCALAR.isdisjoint(keywords):
            self._read_scalars(view, schema)
        if not _OBJECT.isdisjoint(keywords):
            self._read_object(view, schema)
        if not _ARRAY.isdisjoint(keywords):
            self._read_array(view, schema)
        for keyword in OPAQUE.intersection(schema):
            if keyword == "unevaluatedItems" and not _is_of_others(schema, "contains"):
                continue
            view.opaque[keyword] = text_of({name: schema[name] for name in whole(keyword) if name in schema})
        return view

    def _read_composition(self, view: View, schema: Mapping[str, Any]) -> None:
        view.based_on = tuple(view.node.based_on())
        for keyword in REFERENCES.intersection(schema):
            if (view.node.target() if keyword == "$ref" else view.node.dynamic_target()) is None:
                view.opaque[keyword] = text_of(schema[keyword])
        view.unions = {keyword: [*view.node.inside((keyword,))] for keyword in UNIONS if keyword in schema}

    def _read_scalars(self, view: View, schema: Mapping[str, Any]) -> None:
        view.values = _values(schema)
        for keyword in _LIMITS.intersection(schema):
            view.limits[keyword] = int(schema[keyword])
        view.minimum = _edge(schema.get("minimum"), schema.get("exclusiveMinimum"), max)
        view.maximum = _edge(schema.get("maximum"), schema.get("exclusiveMaximum"), min)
        view.multiple_of = schema.get("multipleOf")
        view.pattern = schema.get("pattern")
        name = schema.get("format")
        if isinstance(name, str) and _is_asserted(view.node.document.dialect, name):
            view.format = name
        if schema.get("contentEncoding") == "base64":
            view.format = "base64" if view.format is None else f"base64 {view.format}"

    def _read_object(self, view: View, schema: Mapping[str, Any]) -> None:
        node = view.node
        view.declares = "properties" in schema
        view.properties = dict(node.children("properties"))
        view.patterns = dict(node.children("patternProperties"))
        view.required = tuple(schema.get("required", ()))
        view.mentioned = tuple(dict.fromkeys(node.mentioned()))
        view.additional, view.unevaluated = map(node.get, CLOSING)
        if not _is_of_others(schema):
            if view.additional is None:
                view.additional, view.unevaluated = view.unevaluated, None
            elif (
                view.additional.schema is not False
            ):  # it evaluates all others; `false` has no effect on a listener
                view.unevaluated = None
        view.needs = {name: list(names) for name, names in schema.get("dependentRequired", {}).items()}
        for keyword in DEPENDENT:
            for name, inner in node.children(keyword):
                if isinstance(inner.schema, list):
                    view.needs[name] = inner.schema
                else:
                    view.dependent[name] = inner

    def _read_array(self, view: View, schema: Mapping[str, Any]) -> None:
        view.unique = schema.get("uniqueItems") is True
        first, view.items = view.node.items()
        view.prefix = tuple(first)
        if view.items is None and not _is_of_others(schema, "contains"):
            view.items = view.node.get("unevaluatedItems")


def _is_of_others(schema: Mapping[str, Any], *more: str) -> bool:
    """Whether other schemas apply to the same value, which decide what is unevaluated, too."""
    return not _EVALUATING.union(more).isdisjoint(schema)


def exact(number: float) -> Fraction:
    """Return a number of a schema as it is written."""
    return Fraction(str(number))


def text_of(value: object) -> str:
    """Return a JSON value as text; equal texts mean equal values, and unlike in Python, 1 is not True."""
    return _encode(value)


_encode = json.JSONEncoder(sort_keys=True).encode


def comparable(value: Any) -> object:
    """Return a number as it is, since 1 equals 1.0, and any other value as text."""
    if isinstance(value, (list, dict)):
        return text_of(_with_whole_numbers(value))
    return value if kind_of(value) in _NUMERIC else text_of(value)


def _with_whole_numbers(value: Any) -> Any:
    """Return a JSON value with 1 in place of each 1.0."""
    if isinstance(value, dict):
        return {name: _with_whole_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [*map(_with_whole_numbers, value)]
    return int(value) if kind_of(value) == "integer" else value


def whole(keyword: str) -> tuple[str, ...]:
    """Return a keyword that is compared as a whole, and those that are compared with it."""
    return (keyword, *(KEYWORDS[keyword].companions))


@functools.cache
def _is_asserted(dialect: str, name: str) -> bool:
    """Whether the runtime checks a format in a draft; every format refuses at least one of these texts."""
    check = validator({"$schema": dialect, "format": name})
    return not all(check.is_valid(text) for text in ("\x00 \\", "1", "a b", "[", "", "A{", "/~"))


def _kinds(type_: Any) -> frozenset[str]:
    if type_ is None:
        return KINDS
    kinds = {type_} if isinstance(type_, str) else {kind for kind in type_ if isinstance(kind, str)}
    return frozenset(kinds | {"integer"} if "number" in kinds else kinds) & KINDS


def _values(schema: Mapping[str, Any]) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    values = schema.get("enum")
    return values if isinstance(values, list) else None


def _edge(inclusive: Any, exclusive: Any, tighter: Any) -> tuple[Any, bool] | None:
    """Return the limit of two keywords: (value, whether it is exclusive)."""
    if exclusive is True:  # draft 4
        return (inclusive, True) if inclusive is not None else None
    if exclusive is None or exclusive is False:
        return None if inclusive is None else (inclusive, False)
    if inclusive is None or tighter(inclusive, exclusive) == exclusive:
        return exclusive, True
    return inclusive, False
