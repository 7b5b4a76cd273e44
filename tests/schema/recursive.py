"""Drawn recursive schemas of every keyword that applies schemas, and values that fit them, or nearly."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from lightbus.schema.language.node import Node
from lightbus.schema.language.reference import Document

ROOT = "http://drawn/root"
NAMES = 3  # definitions that refer to each other
KEYS = ("a", "b", "x1", "", "0", "a/b", "~", "x2")

_scalars = st.sampled_from([0, 1, 2.5, "", "a", "abc", "1.5", None, True])
_leaves = st.one_of(
    st.sampled_from(["integer", "string", "object", "array", "null"]).map(lambda kind: {"type": kind}),
    st.sampled_from(
        [
            True,
            {},
            {"const": 1},
            {"const": "a"},
            {"enum": ["a", "b", 1]},
            {"minLength": 2},
            {"required": ["a"]},
            {"format": "decimal"},
        ]
    ),
)
_parts = st.one_of(_leaves, _leaves, st.integers(0, NAMES - 1).map(lambda n: {"$ref": f"{ROOT}#/$defs/N{n}"}))


def _later(number: int, parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw a schema for the same value, which may only refer to later definitions, so that none is endless."""
    later = [{"$ref": f"{ROOT}#/$defs/N{n}"} for n in range(number + 1, NAMES)]
    return st.one_of(parts, st.sampled_from(later)) if later else parts


def _objects(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    closing = st.one_of(st.just(False), parts)
    optional = {
        "type": st.sampled_from([["object", "array"], "object", ["object", "integer"]]),
        "properties": st.dictionaries(st.sampled_from(KEYS), parts, max_size=3),
        "patternProperties": st.dictionaries(st.sampled_from(["^x", "b$"]), parts, max_size=1),
        "additionalProperties": closing,
        "required": st.lists(st.sampled_from(KEYS), max_size=2, unique=True),
        "minProperties": st.just(1),
        "propertyNames": st.sampled_from([{"maxLength": 1}, {"pattern": "^[abx]"}]),
        "dependentRequired": st.just({"a": ["b"]}),
        "items": parts,
        "prefixItems": st.lists(parts, min_size=1, max_size=2),
        "contains": parts,
        "uniqueItems": st.just(True),
    }
    return _some(optional, 4)


def _some(optional: dict[str, st.SearchStrategy[Any]], most: int) -> st.SearchStrategy[dict[str, Any]]:
    names = st.lists(st.sampled_from(sorted(optional)), min_size=1, max_size=most, unique=True)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({name: optional[name] for name in chosen}))


def _definitions(number: int, dynamic: bool) -> st.SearchStrategy[dict[str, Any]]:
    parts = st.one_of(_parts, st.just({"$dynamicRef": "#node"})) if dynamic else _parts
    objects = _objects(parts)
    same = _later(number, st.one_of(_leaves, objects, objects))
    branches = st.lists(same, min_size=1, max_size=3)
    in_place = {
        "allOf": branches,
        "anyOf": branches,
        "oneOf": branches,
        "not": same,
        "if": same,
        "then": same,
        "else": same,
        "dependentSchemas": st.dictionaries(st.sampled_from(KEYS), same, max_size=1),
        "unevaluatedProperties": st.one_of(st.just(False), parts),
        "unevaluatedItems": st.one_of(st.just(False), parts),
    }
    return st.builds(lambda own, more: {**own, **more}, objects, st.one_of(st.just({}), _some(in_place, 4)))


@st.composite
def schemas(draw: st.DrawFn) -> Node[Document]:
    """Draw a schema: the first definition of a document, entered from the root or by itself."""
    is_dynamic = draw(st.booleans())
    definitions = {}
    for number in range(NAMES):
        schema = draw(_definitions(number, is_dynamic))
        if is_dynamic and draw(st.booleans()):
            schema = {"$id": f"http://drawn/N{number}", "$dynamicAnchor": "node", **schema}
        definitions[f"N{number}"] = schema
    anchor = {"$dynamicAnchor": "node"} if is_dynamic else {}
    schema = {"$id": ROOT, **anchor, "$ref": f"{ROOT}#/$defs/N0", "$defs": definitions}
    document = Document(schema, "drawn.json")
    return draw(st.sampled_from([document.root, document.at("/$defs/N0")]))


def values(leaves: int = 12) -> st.SearchStrategy[Any]:
    """Draw a value with the keys of the drawn schemas."""

    def holders(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        objects = st.dictionaries(st.sampled_from((*KEYS, "new")), inner, max_size=4)
        return st.one_of(objects, objects, st.lists(inner, max_size=3))

    return holders(st.recursive(_scalars, holders, max_leaves=leaves))
