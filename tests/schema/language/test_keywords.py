"""The table of keywords says what the metaschemas of the drafts say, and what validation does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import validators
from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]

from lightbus.schema.language.keywords import (
    DRAFTS,
    IN_PLACE,
    KEYWORDS,
    REFERENCES,
    About,
    Draft,
    Holds,
    subschemas,
    with_subschemas,
)
from lightbus.schema.language.validation import validator

WITHOUT_SCHEMAS = frozenset(
    [
        *("$schema", "$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$vocabulary", "$comment"),
        *("title", "description", "deprecated", "readOnly", "writeOnly", "format"),
        *("contentEncoding", "contentMediaType", "type", "required", "uniqueItems", "multipleOf"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "pattern"),
        *("minItems", "maxItems", "minProperties", "maxProperties"),
    ]
)
"""Keywords that hold no schema, and mean much the same in every draft that has them."""

DEFINED_EVERYWHERE = {"$defs", "definitions", "dependencies"}
"""Keywords that are read in every draft, since schemas of all drafts have them and validators go along."""

FROM_ELSEWHERE = {"example"}
"""Keywords of no draft."""

OUTLIVED = {"$recursiveRef"}
"""Keywords that the metaschema of 2020-12 only lists for those who still write them; validators pass them over."""


def keywords_of(draft: Draft) -> dict[str, tuple[Any, Any]]:
    """Return what a draft's metaschema says of each keyword, and the metaschema that says it."""
    found: dict[str, tuple[Any, Any]] = {}

    def collect(uri: str, metaschema: Any) -> None:
        for keyword, schema in metaschema.get("properties", {}).items():
            found.setdefault(keyword, (schema, metaschema))
        for part in metaschema.get("allOf", ()):
            resolved = REGISTRY.resolver(uri).lookup(part["$ref"])
            collect(resolved.resolver._base_uri, resolved.contents)

    metaschema: Any = validators.validator_for({"$schema": draft.uri}).META_SCHEMA
    collect(draft.uri.removesuffix("#"), metaschema)
    return found


def shapes(schema: Any, metaschema: Any) -> Iterator[str]:
    """Yield how a keyword may hold schemas, by what its metaschema says of it."""
    if not isinstance(schema, dict):
        return
    ref = str(schema.get("$ref") or schema.get("$dynamicRef") or schema.get("$recursiveRef"))
    if ref in ("#", "#meta"):
        yield "schema"
    elif ref.endswith("schemaArray"):
        yield "list"
    for branch in schema.get("anyOf", ()):
        yield from shapes(branch, metaschema)
    if "schema" in set(shapes(schema.get("additionalProperties"), metaschema)):
        yield "map"


EXPECTED: dict[Holds, list[set[str]]] = {
    Holds.SCHEMA: [{"schema"}],
    Holds.LIST: [{"list"}],
    Holds.MAP: [{"map"}],
    Holds.SCHEMA_OR_LIST: [{"schema", "list"}, {"schema"}],  # 2020-12 has prefixItems for the list
    Holds.DATA: [set()],
    Holds.NOTHING: [set()],
}


@pytest.mark.parametrize("draft", DRAFTS.values(), ids=lambda draft: draft.name)
def test_every_keyword_of_a_draft_is_in_the_table(draft: Draft) -> None:
    known = KEYWORDS.keys() - draft.unknown
    assert keywords_of(draft).keys() - OUTLIVED <= known | WITHOUT_SCHEMAS


@pytest.mark.parametrize("draft", DRAFTS.values(), ids=lambda draft: draft.name)
def test_keywords_hold_schemas_as_the_metaschema_says(draft: Draft) -> None:
    for keyword, (schema, metaschema) in keywords_of(draft).items():
        holds = KEYWORDS[keyword].holds if keyword in KEYWORDS else Holds.NOTHING
        assert set(shapes(schema, metaschema)) in EXPECTED[holds], keyword


@pytest.mark.parametrize("draft", DRAFTS.values(), ids=lambda draft: draft.name)
def test_a_draft_has_no_keyword_that_its_metaschema_lacks(draft: Draft) -> None:
    claimed = KEYWORDS.keys() - draft.unknown - DEFINED_EVERYWHERE - FROM_ELSEWHERE
    if draft.name == "draft-04":
        claimed -= {"$ref", "examples"}
    assert claimed <= keywords_of(draft).keys()


REFUSED: dict[str, tuple[dict[str, Any], Any]] = {
    "allOf": ({"allOf": [False]}, 0),
    "anyOf": ({"anyOf": [False]}, 0),
    "oneOf": ({"oneOf": [False]}, 0),
    "not": ({"not": {}}, 0),
    "then": ({"if": {}, "then": False}, 0),
    "else": ({"if": {"not": {}}, "else": False}, 0),
    "dependentSchemas": ({"dependentSchemas": {"a": False}}, {"a": 0}),
    "dependencies": ({"dependencies": {"a": {"required": ["b"]}}}, {"a": 0}),
    "properties": ({"properties": {"a": {"type": "string"}}}, {"a": 0}),
    "patternProperties": ({"patternProperties": {"a": {"type": "string"}}}, {"a": 0}),
    "additionalProperties": ({"additionalProperties": {"type": "string"}}, {"a": 0}),
    "unevaluatedProperties": ({"unevaluatedProperties": {"type": "string"}}, {"a": 0}),
    "propertyNames": ({"propertyNames": {"maxLength": 0}}, {"a": 0}),
    "prefixItems": ({"prefixItems": [{"type": "string"}]}, [0]),
    "items": ({"items": {"type": "string"}}, [0]),
    "additionalItems": ({"items": [{}], "additionalItems": {"type": "string"}}, [0, 0]),
    "unevaluatedItems": ({"unevaluatedItems": {"type": "string"}}, [0]),
    "contains": ({"contains": {"type": "string"}}, [0]),
    "$ref": ({"$ref": "#/definitions/a", "definitions": {"a": {"type": "string"}}}, 0),
    "$recursiveRef": ({"properties": {"a": {"$recursiveRef": "#"}}, "type": "object"}, {"a": 0}),
    "$dynamicRef": ({"$dynamicRef": "#/$defs/a", "$defs": {"a": {"type": "string"}}}, 0),
    "enum": ({"enum": [1]}, 0),
    "const": ({"const": 1}, 0),
    "dependentRequired": ({"dependentRequired": {"a": ["b"]}}, {"a": 0}),
    "minContains": ({"contains": {}, "minContains": 2}, [0]),
    "maxContains": ({"contains": {}, "maxContains": 1}, [0, 0]),
}
"""For each keyword that says something of a value a schema, and what is invalid by it."""


@pytest.mark.parametrize("keyword", KEYWORDS)
@pytest.mark.parametrize("draft", DRAFTS.values(), ids=lambda draft: draft.name)
def test_the_drafts_of_a_keyword_are_those_that_validate_it(draft: Draft, keyword: str) -> None:
    if keyword not in REFUSED:
        assert KEYWORDS[keyword].holds is Holds.DATA or keyword in (
            "if",
            "contentSchema",
            "$defs",
            "definitions",
        )
        return
    schema, value = REFUSED[keyword]
    if draft.name == "draft-04":  # has no boolean schemas
        schema = with_subschemas(schema, IN_PLACE, lambda inner: {"not": {}} if inner is False else inner)
    if keyword == "additionalItems" and draft.name == "2020-12":
        schema = {**schema, "items": {}}
    is_valid = validator({"$schema": draft.uri, **schema}).is_valid(value)
    assert is_valid == (keyword in draft.unknown)


@pytest.mark.parametrize("keyword", [*IN_PLACE, *sorted(REFERENCES)])
def test_keywords_in_place_are_about_the_same_value(keyword: str) -> None:
    assert KEYWORDS[keyword].about is About.VALUE


def test_a_walk_leaves_out_data_and_extensions_and_goes_into_vendors_keywords() -> None:
    schema = {
        "properties": {"default": {"const": {"a": {}}}, "properties": {}},
        "x-note": {"a": {}},
        "components": {"schemas": {"A": {}}},
    }
    assert [path for path, _ in subschemas(schema)] == [
        (),
        ("properties", "default"),
        ("properties", "properties"),
        ("components",),
        ("components", "schemas"),
        ("components", "schemas", "A"),
    ]
