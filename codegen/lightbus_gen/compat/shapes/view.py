"""One schema of any draft, its keywords read into one form.

Draft 4 writes `exclusiveMinimum: true`, draft 7 lists in `items`, 2020-12 in `prefixItems`: a comparison of two
versions should not have to know.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lightbus.schema.language.keywords import (
    CLOSING,
    DEPENDENT,
    ITEMS,
    KEYWORDS,
    PROPERTIES,
    REFERENCES,
    UNIONS,
)
from lightbus.schema.language.validation import validator
from lightbus_gen.load.references import Node

KINDS = frozenset(("string", "integer", "number", "boolean", "array", "object", "null"))
"""The kinds of JSON values; here `number` means those that are no integers, so that no two overlap."""
LOWER = ("minLength", "minItems", "minProperties")
UPPER = ("maxLength", "maxItems", "maxProperties")
OPAQUE = REFERENCES.union(("not", "if", "contains", "propertyNames", "unevaluatedItems")) - {"$ref"}
"""Keywords that are compared as a whole: a reader's is met where the writer has the same one."""
_COMPOSING = frozenset(("$ref", "allOf", *UNIONS))
_ALIAS = frozenset(("$ref", "title", "description", "$comment"))
_LIMITS = frozenset((*LOWER, *UPPER))
_SCALAR = _LIMITS.union(
    ("enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    ("pattern", "format", "contentEncoding"),
)
_OBJECT = frozenset((*PROPERTIES, "required", "dependentRequired", *DEPENDENT))
_LIMITING = _SCALAR.union(("required", "if", *DEPENDENT, "items"))
_ARRAY = frozenset((*ITEMS, "uniqueItems"))


@dataclass(slots=True, eq=False)
class View:
    """What one schema says, `$ref` and `allOf` not followed.

    Attributes:
        node: the schema.
        never: whether no value is valid.
        kinds: the kinds of values allowed.
        values: the only values allowed, or None.
        based_on: the schemas that must hold as well: `$ref` and `allOf`.
        unions: each `anyOf` and `oneOf`, by keyword.
        minimum, maximum: the limit of numbers and whether it is itself left out; None without one.
        multiple_of: the factor of numbers, or None.
        limits: `minLength`, `maxItems` and the like that are given.
        pattern, format: of strings, or None; a format the draft does not assert is none.
        properties, patterns: the schemas of properties, by name and by regular expression.
        required: names of properties that must be there.
        additional: the schema of other properties, None where nothing is said.
        unevaluated: `unevaluatedProperties`, likewise.
        needs: names that must be there beside another, by that other's name.
        dependent: schemas that hold where a property is there, by its name.
        prefix, items: the schemas of the first items and of the rest.
        unique: whether items are distinct.
        opaque: the text of each keyword that is compared as a whole.
        is_limited: whether it says more than types, values and properties.
        declares: whether it declares properties, perhaps none.
        scalars: validator of what it says about numbers and strings, made when it is first asked for.
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
    scalars: Any = None


class Views:
    """Reads the schemas of one version."""

    def __init__(self) -> None:
        self._views: dict[tuple[object, ...], View] = {}
        self._of_node: dict[Node, View] = {}

    def __call__(self, node: Node) -> View:
        """Return what a schema says."""
        view = self._of_node.get(node)
        if view is None:
            if node.key not in self._views:
                self._views[node.key] = self._read(node)
            view = self._of_node[node] = self._views[node.key]
        return view

    def meant(self, node: Node) -> Node:
        """Return the schema that one stands for which is nothing but a `$ref`."""
        met = {node.key}
        while isinstance(node.schema, dict) and "$ref" in node.schema:
            if not node.keywords.keys() <= _ALIAS:
                break
            based_on = self(node).based_on
            if len(based_on) != 1 or based_on[0].key in met:
                break
            node = based_on[0]
            met.add(node.key)
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
            view.opaque[keyword] = text_of({name: schema[name] for name in whole(keyword) if name in schema})
        return view

    def _read_composition(self, view: View, schema: Mapping[str, Any]) -> None:
        target = view.node.target()
        if target is None and "$ref" in schema:  # reported when the files were checked
            view.opaque["$ref"] = schema["$ref"]
        view.based_on = (*([target] if target else ()), *view.node.inside(("allOf",)))
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
        view.additional, view.unevaluated = map(node.get, CLOSING)
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


def text_of(value: object) -> str:
    """Write a JSON value so that equal text means an equal value: unlike Python, 1 is not True."""
    return _encode(value)


_encode = json.JSONEncoder(sort_keys=True).encode


def whole(keyword: str) -> tuple[str, ...]:
    """Return the keywords that are compared together with one that is compared as a whole."""
    return (keyword, *(KEYWORDS[keyword].companions))


@functools.cache
def _is_asserted(dialect: str, name: str) -> bool:
    """Whether the run time checks a format in a draft; every format refuses one of these texts."""
    check = validator({"$schema": dialect, "format": name})
    return not all(check.is_valid(text) for text in ("\x00 \\", "1", "a b", "[", "", "A{", "/~"))


def _kinds(given: Any) -> frozenset[str]:
    if given is None:
        return KINDS
    kinds = {given} if isinstance(given, str) else {kind for kind in given if isinstance(kind, str)}
    return frozenset(kinds | {"integer"} if "number" in kinds else kinds) & KINDS


def _values(schema: Mapping[str, Any]) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    values = schema.get("enum")
    return values if isinstance(values, list) else None


def _edge(inclusive: Any, exclusive: Any, tighter: Any) -> tuple[Any, bool] | None:
    """Join the two keywords of a limit: (value, whether it is itself left out)."""
    if exclusive is True:  # draft 4
        return (inclusive, True) if inclusive is not None else None
    if exclusive is None or exclusive is False:
        return None if inclusive is None else (inclusive, False)
    if inclusive is None or tighter(inclusive, exclusive) == exclusive:
        return exclusive, True
    return inclusive, False
