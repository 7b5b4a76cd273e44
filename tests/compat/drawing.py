"""Random schemas, small changes to them, and values that nearly or quite fit them."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

_NAMES = ("a", "b", "c", "d1")
_PATTERNS = ("^a", "^[a-c]*$", "b", "^.{2}$", "^[0-9]+$|^ab$", "^(?:x|yy)$")
_FORMATS = ("date", "date-time", "uuid", "ipv4", "email", "uri")
_SCALARS: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 5, 10, 0.5, 1.5, 2.0, "", "a", "ab", "abc", "b", "x", "yy", "12", "aaaa",
    "2026-11-23", "2026-11-23T12:00:00Z", "8c5f2a0e-6f1b-4d1a-9c1e-0a1b2c3d4e5f", "192.0.2.1", "a@b.co", "urn:a:b",
)  # fmt: skip
Schema = Any


class Drawing:
    """Draws from one source of randomness.

    Args:
        chance: the source.
    """

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def document(self) -> dict[str, Any]:
        """Draw the schema of a payload."""
        document: dict[str, Any] = self.object_schema(3)
        document["type"] = "object"
        document["$defs"] = {"D": self.schema(2), "E": self.object_schema(2)}
        return document

    def schema(self, depth: int) -> Schema:
        """Draw a schema that nests at most `depth` levels."""
        flat = [
            self.string_schema,
            self.number_schema,
            self.string_schema,
            self.number_schema,
            self.listed_schema,
        ]
        flat += [self.plain_schema]
        deep: list[Callable[[], Schema]] = []
        if depth > 0:
            deep = [
                lambda: self.object_schema(depth - 1),
                lambda: self.object_schema(depth - 1),
                lambda: self.array_schema(depth - 1),
                lambda: {self.one("anyOf", "oneOf", "anyOf"): [self.schema(depth - 1) for _ in range(2)]},
                lambda: {"allOf": [self.schema(depth - 1) for _ in range(2)]},
                lambda: {"$ref": self.one("#/$defs/D", "#/$defs/E")},
                lambda: {**self.schema(depth - 1), "not": self.schema(0)},
                lambda: {
                    "if": self.schema(depth - 1),
                    "then": self.schema(depth - 1),
                    "else": self.schema(0),
                },
            ]
        made = self.one(*flat, *deep)()
        return made if isinstance(made, dict) else {}

    def plain_schema(self) -> Schema:
        kinds = ["string", "integer", "number", "boolean", "null", "array", "object"]
        return self.one({"type": self.one(*kinds)}, {"type": self.chance.sample(kinds, 2)}, {})

    def string_schema(self) -> Schema:
        made: Schema = {"type": "string"}
        self.perhaps(made, "minLength", lambda: self.chance.randint(0, 3))
        self.perhaps(made, "maxLength", lambda: self.chance.randint(1, 5))
        self.perhaps(made, "pattern", lambda: self.one(*_PATTERNS))
        self.perhaps(made, "format", lambda: self.one(*_FORMATS), 0.15)
        return made

    def number_schema(self) -> Schema:
        made: Schema = {"type": self.one("integer", "number")}
        for keyword in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
            self.perhaps(made, keyword, lambda: self.one(-1, 0, 0.5, 1, 2, 5), 0.2)
        self.perhaps(made, "multipleOf", lambda: self.one(1, 2, 3, 0.5, 5), 0.2)
        return made

    def listed_schema(self) -> Schema:
        values = self.chance.sample(_SCALARS, self.chance.randint(1, 4))
        if self.chance.random() < 0.15:
            values.append(self.one([1], {"a": 1}, {"a": "ab", "b": []}, []))
        return self.one({"enum": values}, {"const": values[-1]}, {"type": "string", "enum": [*values, "a"]})

    def array_schema(self, depth: int) -> Schema:
        made: Schema = {"type": "array"}
        self.perhaps(made, "items", lambda: self.one(self.schema(depth), self.schema(depth), False), 0.7)
        self.perhaps(
            made, "prefixItems", lambda: [self.schema(depth) for _ in range(self.chance.randint(1, 2))], 0.2
        )
        self.perhaps(made, "minItems", lambda: self.chance.randint(0, 2), 0.2)
        self.perhaps(made, "maxItems", lambda: self.chance.randint(0, 3), 0.2)
        self.perhaps(made, "uniqueItems", lambda: True, 0.2)
        self.perhaps(made, "contains", lambda: self.schema(0), 0.1)
        return made

    def object_schema(self, depth: int) -> Schema:
        made: Schema = {"type": "object"}
        names = self.chance.sample(_NAMES, self.chance.randint(0, 3))
        if names or self.chance.random() < 0.5:
            made["properties"] = {name: self.schema(depth) for name in names}
        self.perhaps(made, "required", lambda: self.chance.sample(_NAMES, self.chance.randint(0, 2)), 0.5)
        self.perhaps(
            made, "additionalProperties", lambda: self.one(True, False, False, self.schema(depth)), 0.4
        )
        self.perhaps(
            made, "patternProperties", lambda: {self.one("^a", "1$", "^[bc]"): self.schema(depth)}, 0.1
        )
        self.perhaps(made, "minProperties", lambda: self.chance.randint(0, 2), 0.1)
        self.perhaps(made, "maxProperties", lambda: self.chance.randint(0, 3), 0.1)
        self.perhaps(made, "propertyNames", lambda: self.one({"maxLength": 1}, {"pattern": "^[a-c]"}), 0.05)
        self.perhaps(made, "dependentRequired", lambda: {self.one(*_NAMES): [self.one(*_NAMES)]}, 0.1)
        self.perhaps(made, "dependentSchemas", lambda: {self.one(*_NAMES): self.object_schema(0)}, 0.05)
        return made

    def one(self, *options: Any) -> Any:
        return self.chance.choice(options)

    def perhaps(self, schema: Schema, keyword: str, value: Callable[[], Any], likely: float = 0.3) -> None:
        if self.chance.random() < likely:
            schema[keyword] = value()

    # -- changes -----------------------------------------------------------------------------------

    def changed(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return a document with a few of its schemas changed."""
        made = copy.deepcopy(document)
        for _ in range(self.chance.randint(1, 3)):
            here = self.one(*_subschemas(made))
            other = self.schema(1)
            change = self.chance.random()
            keywords = [key for key in here if key not in ("$defs",) and not (here is made and key == "type")]
            if change < 0.3 and keywords:
                del here[self.one(*keywords)]
            elif change < 0.6 and other:
                keyword = self.one(*other)
                if not (here is made and keyword == "type"):
                    here[keyword] = other[keyword]
            elif change < 0.8 and isinstance(here.get("properties"), dict):
                here["properties"][self.one(*_NAMES)] = other
            elif here is not made:
                here.clear()
                here.update(other)
        return made

    # -- values ------------------------------------------------------------------------------------

    def value(self, schema: Schema, root: dict[str, Any], depth: int = 6) -> Any:
        """Draw a value that fits a schema more often than not."""
        if not isinstance(schema, dict) or depth < 0 or self.chance.random() < 0.03:
            return self.one(*_SCALARS, [], {}, [1], {"a": 1})
        if "$ref" in schema:
            return self.value(root["$defs"][schema["$ref"].rpartition("/")[2]], root, depth - 1)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.one(*schema["enum"])
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema and "properties" not in schema:
                return self.value(self.one(*schema[keyword]), root, depth - 1)
        if "allOf" in schema or ("then" in schema and "type" not in schema):
            merged: Schema = {
                key: value for key, value in schema.items() if key not in ("allOf", "then", "if", "else")
            }
            parts = [*schema.get("allOf", ()), self.one(schema.get("then", {}), schema.get("else", {}))]
            for part in parts:
                part = root["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part
                both = {**merged.get("properties", {}), **part.get("properties", {})}
                needed = [*merged.get("required", ()), *part.get("required", ())]
                merged = {**merged, **part, **({"properties": both} if both else {}), "required": needed}
            return self.value(merged, root, depth - 1)
        kinds = schema.get("type", ["string", "integer", "object", "array", "null"])
        kind = self.one(*kinds) if isinstance(kinds, list) else kinds
        if kind == "object":
            return self.object_value(schema, root, depth)
        if kind == "array":
            items = [self.value(item, root, depth - 1) for item in schema.get("prefixItems", ())]
            rest = schema.get("items", {})
            least = schema.get("minItems", 0)
            while len(items) < least or (rest is not False and self.chance.random() < 0.4 and len(items) < 5):
                items.append(self.value(rest, root, depth - 1))
            return items
        fitting = [value for value in _SCALARS if _is_of(value, kind)]
        return self.one(*fitting)

    def object_value(self, schema: Schema, root: dict[str, Any], depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        properties = schema.get("properties", {})
        for name in dict.fromkeys([*properties, *schema.get("required", ())]):
            if name in schema.get("required", ()) or self.chance.random() < 0.5:
                made[name] = self.value(properties.get(name, {}), root, depth - 1)
        if self.chance.random() < 0.2:
            further = schema.get("additionalProperties", {})
            made[self.one(*_NAMES, "z", "a1")] = self.value(further, root, depth - 1)
        return made


def _is_of(value: object, kind: str) -> bool:
    if kind in ("integer", "number"):
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_number and (kind == "number" or float(str(value)).is_integer())
    types = {"string": str, "boolean": bool, "null": type(None)}
    return isinstance(value, types[kind])


def _subschemas(schema: Schema) -> list[dict[str, Any]]:
    return list(_walk(schema))


def _walk(schema: Schema) -> Iterator[dict[str, Any]]:
    if not isinstance(schema, dict):
        return
    yield schema
    for keyword in ("properties", "$defs", "patternProperties", "dependentSchemas"):
        for inner in schema.get(keyword, {}).values():
            yield from _walk(inner)
    for keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for inner in schema.get(keyword, ()):
            yield from _walk(inner)
    for keyword in ("items", "additionalProperties", "not", "if", "then", "else", "contains"):
        yield from _walk(schema.get(keyword))
