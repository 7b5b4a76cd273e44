"""Random schemas with any keyword of any draft, small changes to them, and values at the limits of both."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from lightbus.schema.language.keywords import DRAFTS

Schema = Any
NAMES = ("a", "b", "c", "ab", "x1")
_NAME_PATTERNS = ("^a", "b$", "^x", "1", "^[bc]$")
_PATTERNS = ("^a", "b", "^[a-c]*$", "^.{2}$", "^x|1$", "^[0-9]+$")
_FORMATS = ("date", "date-time", "uuid", "ipv4", "email", "uri", "duration", "decimal", "regex")
_TEXTS = (
    "", "a", "b", "ab", "abc", "x1", "12", "aaaa", "YQ==", "2026-11-23", "2026-11-23T12:00:00Z",
    "8c5f2a0e-6f1b-4d1a-9c1e-0a1b2c3d4e5f", "192.0.2.1", "a@b.co", "urn:a:b", "PT1S", "(",
)  # fmt: skip
_NUMBERS = (0, 1, -1, 2, 3, 4, 5, 6, 0.5, 1.5, 2.5)
_SCALARS: tuple[Any, ...] = (None, True, False, *_NUMBERS, *_TEXTS)
_CONTAINERS: tuple[Any, ...] = (
    [],
    [1],
    [1, 1],
    ["a"],
    [1, "a"],
    {},
    {"a": 1},
    {"a": "ab", "b": []},
    {"b": 2},
    [[]],
    [{}],
)
_KINDS = ("string", "integer", "number", "boolean", "null", "array", "object")
OF_KIND = {
    "string": ("minLength", "maxLength", "pattern", "format", "contentEncoding"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "array": (
        "items", "prefixItems", "additionalItems", "unevaluatedItems", "contains", "minContains", "maxContains",
        "minItems", "maxItems", "uniqueItems",
    ),
    "object": (
        "properties", "patternProperties", "additionalProperties", "unevaluatedProperties", "propertyNames", "required",
        "minProperties", "maxProperties", "dependentRequired", "dependentSchemas", "dependencies",
    ),
    "any": ("type", "enum", "const", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "$ref", "$dynamicRef", "$recursiveRef"),
}  # fmt: skip
KEYWORDS = frozenset(keyword for keywords in OF_KIND.values() for keyword in keywords)
"""All keywords that are drawn."""
_NEWER = ("2019-09", "2020-12")


class KeywordDrawing:
    """Draws from one source of randomness.

    Args:
        chance: the source.
    """

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def pair(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Draw two versions of a payload's schema."""
        draft = self.one(*DRAFTS)
        old = self.document(draft)
        new = self.changed(old)
        if self.chance.random() < 0.08:
            draft = self.one(*DRAFTS)
            new = {**(old if self.chance.random() < 0.6 else new), "$schema": draft}
        return old, new

    def document(self, draft: str) -> dict[str, Any]:
        """Draw the schema of a payload."""
        self.draft = DRAFTS[draft].name
        if self.chance.random() < 0.2:
            document: dict[str, Any] = {**self.of_kind("object", 2), "type": "object"}
            document.pop("$ref", None)
        else:
            document = {"type": "object", "properties": {"a": self.schema(2)}}
            if self.chance.random() < 0.3:
                document["properties"]["b"] = self.schema(1)
        definitions = {"D": self.schema(1), "E": self.schema(1)}
        if self.draft == "2020-12":
            definitions["E"] = {**definitions["E"], "$dynamicAnchor": "E"}
        used = json.dumps([document, definitions])
        definitions = {
            name: each for name, each in definitions.items() if f"/{name}" in used or f"#{name}" in used
        }
        return {"$schema": draft, **document, **({"definitions": definitions} if definitions else {})}

    def schema(self, depth: int) -> dict[str, Any]:
        return self.of_kind(
            self.one("string", "number", "array", "array", "object", "object", "object", "any"), depth
        )

    def of_kind(self, kind: str, depth: int) -> dict[str, Any]:
        """Draw a schema with a few keywords, most of them about one kind of value."""
        schema: dict[str, Any] = {}
        if kind != "any" and self.chance.random() < 0.7:
            schema["type"] = self.one("integer", "number") if kind == "number" else kind
        for _ in range(self.one(0, 1, 1, 2, 2, 3)):
            self.add(schema, self.one(*OF_KIND[kind]), depth)
        if self.chance.random() < 0.35:
            self.add(schema, self.one(*OF_KIND["any"]), depth)
        return schema

    def add(self, schema: dict[str, Any], keyword: str, depth: int) -> None:
        """Add a keyword, and what it needs; nothing where it would be invalid."""
        if depth <= 0 and keyword in _DEEP:
            return
        if keyword in ("then", "else"):
            self.add(schema, "if", depth)
        elif keyword == "if":
            for each in ("if", self.one("then", "else"), "then"):
                schema[each] = self.schema(depth - 1)
        elif keyword in ("minContains", "maxContains") and "contains" not in schema:
            self.add(schema, "contains", depth)
        value = self.value_of(keyword, depth)
        if value is not None:
            schema[keyword] = value
        if keyword.startswith("exclusive") and self.draft == "draft-04":
            schema[keyword.replace("exclusiveM", "m")] = self.one(*_NUMBERS)

    def value_of(self, keyword: str, depth: int) -> Any:
        """Draw the value of a keyword; None for a keyword that is not valid here."""
        one = self.one

        def inner() -> Schema:
            return self.schema(depth - 1)

        is_boolean_known = self.draft not in ("draft-04",)
        listed = self.chance.sample(range(2, 6), 1)[0]
        drawn: dict[str, Callable[[], Any]] = {
            "type": lambda: one(one(*_KINDS), self.chance.sample(_KINDS, 2)),
            "enum": lambda: self.listed(listed),
            "const": lambda: one(*_SCALARS, *_CONTAINERS, *_CONTAINERS),
            "pattern": lambda: one(*_PATTERNS),
            "format": lambda: one(*_FORMATS),
            "contentEncoding": lambda: "base64",
            "multipleOf": lambda: one(1, 2, 3, 0.5, 4),
            "uniqueItems": lambda: True,
            "items": lambda: (
                [inner() for _ in range(one(1, 2))]
                if self.draft != "2020-12" and one(True, False)
                else inner()
            ),
            "prefixItems": lambda: [inner() for _ in range(one(1, 2))],
            "properties": lambda: {name: inner() for name in self.names(0, 2)},
            "patternProperties": lambda: {one(*_NAME_PATTERNS): inner() for _ in range(one(1, 1, 2))},
            "propertyNames": lambda: one(
                {"pattern": one(*_NAME_PATTERNS)},
                {"maxLength": 1},
                {"enum": list(NAMES[:2])},
                {"minLength": 2},
            ),
            "required": lambda: self.names(1, 2),
            "dependentRequired": lambda: {one(*NAMES): self.names(1, 1)},
            "dependentSchemas": lambda: {one(*NAMES): self.of_kind("object", depth - 1)},
            "dependencies": lambda: {one(*NAMES): one(self.names(1, 1), self.of_kind("object", depth - 1))},
            "$ref": lambda: one("#/definitions/D", "#/definitions/E"),
            "$dynamicRef": lambda: "#E",
            "$recursiveRef": lambda: "#",
        }
        for each in ("allOf", "anyOf", "oneOf"):
            drawn[each] = lambda: [inner() for _ in range(one(1, 2, 2, 3))]
        for each in ("not", "if", "then", "else", "contains"):
            drawn[each] = inner
        for each in ("additionalProperties", "unevaluatedProperties", "additionalItems", "unevaluatedItems"):
            drawn[each] = lambda: one(False, False, True, inner(), inner())
        for each in (
            "minLength",
            "maxLength",
            "minItems",
            "maxItems",
            "minProperties",
            "maxProperties",
            "minContains",
            "maxContains",
        ):
            drawn[each] = lambda: one(0, 1, 1, 2, 3)
        for each in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
            drawn[each] = lambda: one(*_NUMBERS)
        if keyword.startswith("exclusive") and self.draft == "draft-04":
            return True
        if keyword == "$dynamicRef" and self.draft != "2020-12":
            return None
        if keyword == "$recursiveRef" and self.draft != "2019-09":
            return None
        if keyword == "dependencies" and self.draft in _NEWER:
            return None
        value = drawn[keyword]()
        if is_boolean_known and keyword in ("contains", "items") and self.chance.random() < 0.1:
            return False
        return value

    def listed(self, count: int) -> list[Any]:
        values = self.chance.sample(_SCALARS, count - 1)
        values += self.chance.sample(_CONTAINERS, self.one(0, 0, 1, 2))
        return [
            value for at, value in enumerate(values) if not any(_is_same(value, each) for each in values[:at])
        ]

    def names(self, least: int, most: int) -> list[str]:
        return self.chance.sample(NAMES, self.chance.randint(least, most))

    def one(self, *options: Any) -> Any:
        return self.chance.choice(options)

    # -- changes -----------------------------------------------------------------------------------

    def changed(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return a document with one or two of its keywords changed."""
        changed = copy.deepcopy(document)
        for _ in range(self.one(1, 1, 2)):
            schema = self.one(*_subschemas(changed))
            keywords = [
                key for key in schema if key in KEYWORDS and not (schema is changed and key == "type")
            ]
            change = self.chance.random()
            if change < 0.2 and keywords:
                del schema[self.one(*keywords)]
            elif change < 0.5 and keywords:
                keyword = self.one(*keywords)
                value = schema[keyword]
                if isinstance(value, list) and len(value) > 1:
                    value.pop(self.chance.randrange(len(value)))
                elif isinstance(value, dict) and value:
                    del value[self.one(*value)]
            elif change < 0.65 and keywords:
                self.add(schema, self.one(*keywords), 1)
            else:
                kinds = schema.get("type")
                kind = {"integer": "number"}.get(str(kinds), str(kinds))
                kind = kind if kind in OF_KIND else self.one(*OF_KIND)
                added: dict[str, Any] = {}
                self.add(added, self.one(*OF_KIND[kind], *OF_KIND[kind], *OF_KIND["any"]), 1)
                if schema is changed:
                    added.pop("type", None)
                    added.pop("$ref", None)
                schema.update(added)
        return changed

    # -- values ------------------------------------------------------------------------------------

    def value(self, schema: Schema, hint: Schema, root: Any, depth: int = 5) -> Any:
        """Draw a value that a schema may accept, and that another one may refuse."""
        if depth < 0 or self.chance.random() < 0.04:
            return self.one(*_SCALARS, *_CONTAINERS)
        parts = list(self.parts(schema, root))
        hints = list(self.parts(hint, root)) if self.chance.random() < 0.5 else []
        listed = [
            value
            for part in parts
            for value in (*part.get("enum", ()), *([part["const"]] if "const" in part else ()))
        ]
        if listed and self.chance.random() < 0.9:
            return copy.deepcopy(self.one(*listed))
        listed = [value for part in hints for value in part.get("enum", ())]
        if listed and self.chance.random() < 0.2:
            return copy.deepcopy(self.one(*listed))
        kinds = [part["type"] for part in parts if "type" in part]
        kind = self.one(*kinds) if kinds else self.one(*self.hinted([*parts, *hints]))
        kind = self.one(*kind) if isinstance(kind, list) else kind
        if kind == "object":
            return self.object_value(parts, hints, root, depth)
        if kind == "array":
            return self.array_value(parts, hints, root, depth)
        if kind in ("integer", "number"):
            limits = [
                value + step
                for part in (*parts, *hints)
                for key in OF_KIND["number"]
                if isinstance(value := part.get(key), (int, float)) and not isinstance(value, bool)
                for step in (0, 1, -1, 0.5)
            ]
            number = self.one(*_NUMBERS, *limits)
            number = int(number) if float(number).is_integer() else number
            return int(number) if kind == "integer" else number
        return {"string": lambda: self.one(*_TEXTS), "boolean": lambda: self.one(True, False)}.get(
            kind, lambda: None
        )()

    def hinted(self, parts: list[dict[str, Any]]) -> list[str]:
        """Return the kinds of values that the keywords of some schemas are about."""
        hinted = [
            "integer" if kind == "number" else kind
            for kind, keywords in OF_KIND.items()
            if kind != "any" and any(key in part for part in parts for key in keywords)
        ]
        return [*hinted, *hinted, *hinted, self.one(*_KINDS)]

    def parts(self, schema: Schema, root: Any, depth: int = 4) -> Iterator[dict[str, Any]]:
        """Yield schemas that describe a value together, one branch of each choice."""
        if not isinstance(schema, dict) or depth < 0:
            return
        yield schema
        inner = [*schema.get("allOf", ())]
        for key in ("anyOf", "oneOf"):
            inner += [self.one(*schema[key])] if schema.get(key) else []
        inner += [
            schema[key] for key in (("if", "then"), ("else",))[self.chance.random() < 0.5] if key in schema
        ]
        for key in ("dependentSchemas", "dependencies"):
            inner += [each for each in schema.get(key, {}).values() if self.chance.random() < 0.5]
        for key, target in (("$ref", None), ("$dynamicRef", "E")):
            if key in schema:
                inner.append(root.get("definitions", {}).get(target or schema[key].rpartition("/")[2], {}))
        for each in inner:
            yield from self.parts(each, root, depth - 1)

    def object_value(self, parts: list[Any], hints: list[Any], root: Any, depth: int) -> dict[str, Any]:
        everything = (*parts, *hints)
        value: dict[str, Any] = {}
        required = {name for part in parts for name in part.get("required", ())}
        names = {name for part in everything for name in part.get("properties", ())}
        names |= {
            name
            for part in everything
            for key in ("dependentRequired", "dependentSchemas", "dependencies")
            for name in part.get(key, ())
        }
        wanted = [*required, *(name for name in names if self.chance.random() < 0.5)]
        if self.chance.random() < 0.5:
            wanted += self.names(1, 2)
        for name in dict.fromkeys(wanted):
            value[name] = self.value(self.of_name(parts, name), self.of_name(hints, name), root, depth - 1)
        return value

    def of_name(self, parts: list[Any], name: str) -> Schema:
        inner = [part["properties"][name] for part in parts if name in part.get("properties", ())]
        inner += [each for part in parts for each in part.get("patternProperties", {}).values()]
        inner += [
            part[key]
            for part in parts
            for key in ("additionalProperties", "unevaluatedProperties")
            if key in part
        ]
        return self.one(*inner[:2], inner[0], self.one(*inner)) if inner else {}

    def array_value(self, parts: list[Any], hints: list[Any], root: Any, depth: int) -> list[Any]:
        limits = [
            part[key]
            for part in (*parts, *hints)
            for key in ("minItems", "maxItems", "minContains", "maxContains")
            if key in part
        ]
        count = self.one(0, 1, 2, 3, *limits, *limits, *(limit + 1 for limit in limits))
        items = [
            self.value(self.of_item(parts, index), self.of_item(hints, index), root, depth - 1)
            for index in range(count)
        ]
        if items and self.chance.random() < 0.15:
            items.append(copy.deepcopy(items[0]))
        return items

    def of_item(self, parts: list[Any], index: int) -> Schema:
        inner: list[Schema] = []
        for part in parts:
            for key in ("prefixItems", "items"):
                if isinstance(part.get(key), list) and index < len(part[key]):
                    inner.append(part[key][index])
            inner += [
                part[key]
                for key in ("items", "additionalItems", "unevaluatedItems", "contains")
                if isinstance(part.get(key), dict)
            ]
        return self.one(*inner) if inner else {}


_DEEP = frozenset((
    "items", "prefixItems", "additionalItems", "unevaluatedItems", "contains", "properties", "patternProperties",
    "additionalProperties", "unevaluatedProperties", "dependentSchemas", "dependencies", "allOf", "anyOf", "oneOf",
    "not", "if", "then", "else",
))  # fmt: skip


def _is_same(one: Any, other: Any) -> bool:
    return one == other and type(one) is type(other)


def _subschemas(schema: Schema) -> Iterator[dict[str, Any]]:
    if isinstance(schema, list):
        for each in schema:
            yield from _subschemas(each)
    if not isinstance(schema, dict):
        return
    yield schema
    for keyword, value in schema.items():
        if keyword in ("properties", "patternProperties", "dependentSchemas", "dependencies", "definitions"):
            yield from _subschemas([*value.values()])
        elif keyword in _DEEP:
            yield from _subschemas(value)
