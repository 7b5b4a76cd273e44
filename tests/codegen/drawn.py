"""Schemas drawn from a grammar of all keywords, and values that they probably accept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

DIALECTS = {
    "https://json-schema.org/draft/2020-12/schema": "$defs",
    "https://json-schema.org/draft/2019-09/schema": "$defs",
    "http://json-schema.org/draft-07/schema#": "definitions",
    "http://json-schema.org/draft-04/schema#": "definitions",
}
FORMATS = {
    "date-time": ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.123456+05:30"],
    "date": ["2026-01-31"],
    "time": ["12:00:00Z", "23:59:59.5Z"],
    "duration": ["PT1H", "P2DT0.5S"],
    "uuid": ["6ba7b810-9dad-11d1-80b4-00c04fd430c8"],
    "decimal": ["12.50", "-0.000001"],
    "email": ["a@b.example"],
}
KEYS = st.sampled_from(["a", "b", "c", "kind", "x-y", "class"])
DEFINITIONS = ("Node", "Leaf", "Choice")
SCALARS: list[Any] = ["red", "blue", "", 0, 1, -3, 2.5, 1.0, True, False, None]
JSON: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(SCALARS) | st.sampled_from([text for texts in FORMATS.values() for text in texts]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2),
    max_leaves=4,
)
_TYPES = ["string", "integer", "number", "boolean", "null", "array", "object"]


def _leaves() -> st.SearchStrategy[Any]:
    formats = st.sampled_from(sorted(FORMATS))
    return st.one_of(
        st.sampled_from(_TYPES).map(lambda kind: {"type": kind}),
        st.lists(st.sampled_from(_TYPES), min_size=1, max_size=3, unique=True).map(
            lambda kinds: {"type": kinds}
        ),
        formats.map(lambda name: {"type": "string", "format": name}),
        formats.map(lambda name: {"type": ["string", "null"], "format": name}),
        formats.map(lambda name: {"format": name}),
        st.just({"type": "string", "contentEncoding": "base64"}),
        st.sampled_from(SCALARS).map(lambda value: {"const": value}),
        st.lists(st.sampled_from(SCALARS), min_size=1, max_size=4, unique_by=repr).map(
            lambda some: {"enum": some}
        ),
        st.builds(
            lambda kind, some: {"type": kind, "enum": some},
            st.sampled_from(_TYPES),
            st.lists(st.sampled_from(SCALARS), min_size=1, max_size=4, unique_by=repr),
        ),
        st.sampled_from(
            [{"{true}": True}, {}, {"type": "string", "minLength": 1}, {"type": "integer", "minimum": 0}]
        ),
        st.sampled_from(DEFINITIONS).map(lambda name: {"$ref": f"#/{{definitions}}/{name}"}),
    )


def _objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    keywords = {
        "properties": st.dictionaries(KEYS, inner, max_size=3),
        "required": st.lists(KEYS, min_size=1, max_size=2, unique=True),
        "additionalProperties": st.booleans() | inner,
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "b$", "-"]), inner, max_size=2),
        "propertyNames": st.just({"maxLength": 4}),
        "minProperties": st.just(1),
        "title": st.sampled_from(["Thing", "Other thing"]),
        "nullable": st.just(True),
    }
    chosen = st.sets(st.sampled_from(sorted(keywords)), max_size=3).map(lambda names: {*names, "properties"})
    picked = chosen.flatmap(
        lambda names: st.fixed_dictionaries({name: keywords[name] for name in sorted(names)})
    )
    return st.builds(lambda body, typed: ({"type": "object"} if typed else {}) | body, picked, st.booleans())


def _arrays(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    several = st.lists(inner, min_size=1, max_size=2)
    return st.one_of(
        inner.map(lambda item: {"type": "array", "items": item}),
        st.builds(lambda first, rest: {"type": "array", "{prefix}": first, "{rest}": rest}, several, inner),
        several.map(lambda first: {"type": "array", "{prefix}": first, "{rest}": False}),
        several.map(lambda first: {"{prefix}": first}),
        inner.map(lambda item: {"items": item, "contains": {"type": "string"}}),
    )


def _combined(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    several = st.lists(inner, min_size=1, max_size=3)
    more = _leaves() | _objects(inner)
    return st.one_of(
        several.map(lambda branches: {"anyOf": branches}),
        several.map(lambda branches: {"oneOf": branches}),
        several.map(lambda parts: {"allOf": parts}),
        st.builds(_beside, more, several.map(lambda branches: {"anyOf": branches})),
        st.builds(_beside, more, several.map(lambda branches: {"oneOf": branches})),
        st.builds(_beside, more, several.map(lambda parts: {"allOf": parts})),
        st.builds(lambda part, other: {"if": part, "then": other}, inner, inner),
        st.builds(lambda part, other: _beside(part, {"not": other}), more, inner),
        st.builds(
            _beside, more, st.sampled_from(DEFINITIONS).map(lambda n: {"$ref": f"#/{{definitions}}/{n}"})
        ),
        st.builds(_beside, _objects(inner), st.just({"dependentRequired": {"a": ["b"]}})),
        st.builds(_beside, _objects(inner), inner.map(lambda part: {"dependentSchemas": {"a": part}})),
    )


def _beside(one: Any, other: dict[str, Any]) -> dict[str, Any]:
    return (one if isinstance(one, dict) else {}) | other


SCHEMAS: st.SearchStrategy[Any] = st.recursive(
    _leaves(), lambda inner: st.one_of(_objects(inner), _arrays(inner), _combined(inner)), max_leaves=7
)


_TYPED_OBJECTS = _objects(_leaves()).map(lambda schema: schema | {"type": "object"})
"""Drawn often, since little else becomes a TypedDict and nothing wider."""


@st.composite
def payloads(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the schema of a payload in some dialect; its property `value` has any schema."""
    dialect = draw(st.sampled_from([*[next(iter(DIALECTS))] * 3, *DIALECTS]))
    definitions = {name: draw(SCHEMAS) for name in DEFINITIONS}
    payload = {
        "$schema": dialect,
        "type": "object",
        "properties": {"value": draw(SCHEMAS | _TYPED_OBJECTS), "other-value": draw(_leaves())},
        DIALECTS[dialect]: definitions,
    }
    return dict(_spelled(payload, dialect))


def _spelled(value: Any, dialect: str) -> Any:
    """Spell the keywords whose names differ as the dialect does."""
    if isinstance(value, list):
        return [_spelled(item, dialect) for item in value]
    if not isinstance(value, dict):
        return value.replace("{definitions}", DIALECTS[dialect]) if isinstance(value, str) else value
    if "{true}" in value:
        return {} if "04" in dialect else True
    is_new = "2020" in dialect
    names = {
        "{prefix}": "prefixItems" if is_new else "items",
        "{rest}": "items" if is_new else "additionalItems",
    }
    return {names.get(key, key): _spelled(item, dialect) for key, item in value.items()}


def instances(schema: Any, root: dict[str, Any], depth: int = 5) -> st.SearchStrategy[Any]:
    """Return a strategy of values that a schema probably accepts; the caller must validate them."""
    if not isinstance(schema, dict) or depth == 0:
        return JSON
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    parts = list(_parts(schema, root))
    if not parts:
        return _own(schema, root, depth)
    drawn = [instances(part, root, depth - 1) for part in parts]
    own = (
        [_own(schema, root, depth)]
        if set(schema) & {"properties", "type", "items", "patternProperties"}
        else []
    )
    return st.builds(
        _merged, st.lists(st.sampled_from(range(9)), min_size=1, max_size=1), st.tuples(*own, *drawn)
    )


def _merged(index: list[int], values: tuple[Any, ...]) -> Any:
    if all(isinstance(value, dict) for value in values):
        return {key: item for value in values for key, item in value.items()}
    return values[index[0] % len(values)]


def _parts(schema: dict[str, Any], root: dict[str, Any]) -> Iterator[Any]:
    if "$ref" in schema:
        keyword, name = schema["$ref"].split("/")[1:]
        yield root[keyword][name]
    for keyword in ("allOf", "anyOf", "oneOf"):
        yield from schema.get(keyword, ())
    yield from (schema[keyword] for keyword in ("then",) if keyword in schema)


def _own(schema: dict[str, Any], root: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    """Return values for the schema's own keywords."""
    kinds = schema.get("type") or [
        *(["object"] if {"properties", "patternProperties"} & set(schema) else []),
        *(["array"] if {"items", "prefixItems"} & set(schema) else []),
        *(["string"] if "format" in schema else []),
    ]
    kinds = kinds if isinstance(kinds, list) else [kinds]
    found = [_of_kind(kind, schema, root, depth) for kind in kinds]
    return st.one_of(*found, *([] if "type" in schema else [JSON]))


def _of_kind(kind: str, schema: dict[str, Any], root: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    if kind == "object":
        named = {
            key: instances(value, root, depth - 1) for key, value in schema.get("properties", {}).items()
        }
        must = {key: value for key, value in named.items() if key in schema.get("required", ())}
        may = {key: value for key, value in named.items() if key not in must}
        more = [schema.get("additionalProperties", True), *schema.get("patternProperties", {}).values()]
        rest = st.one_of([instances(value, root, depth - 1) for value in more])
        return st.builds(
            lambda first, then: then | first,
            st.fixed_dictionaries(must, optional=may),
            st.just({}) | st.dictionaries(KEYS, rest, max_size=2),
        )
    if kind == "array":
        prefix = schema.get("prefixItems", schema["items"] if isinstance(schema.get("items"), list) else [])
        rest = (
            schema.get("additionalItems", True)
            if "prefixItems" not in schema and prefix
            else schema.get("items", True)
        )
        first = st.tuples(*(instances(item, root, depth - 1) for item in prefix)).map(list)
        return st.builds(
            lambda one, more: one + more, first, st.lists(instances(rest, root, depth - 1), max_size=2)
        )
    if kind == "string":
        texts = FORMATS.get(schema.get("format", ""), ["red", "", "é\u2028", *FORMATS["date-time"]])
        return st.sampled_from(["aGVsbG8=", ""] if "contentEncoding" in schema else texts)
    plain: dict[str, list[Any]] = {
        "integer": [0, 1, -3, 1.0, 10**30],
        "number": [0, 2.5, -1e300],
        "boolean": [True, False],
        "null": [None],
    }
    return st.sampled_from(plain[kind])
