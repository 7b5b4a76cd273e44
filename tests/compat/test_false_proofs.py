"""Changes that break, and that a proof by a single keyword would call compatible."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lightbus.schema.language.keywords import DRAFTS
from lightbus_gen.compat.rules.rule import Mode
from tests.compat.project import compared
from tests.compat.test_real_changes import INTEGER, STRING, field

NUMBER = {"type": "number"}
D4, D6, D7, D2019, D2020 = DRAFTS


def object_(**says: Any) -> dict[str, Any]:
    return field(type="object", **says)


def array(**says: Any) -> dict[str, Any]:
    return field(type="array", **says)


K = {"k": INTEGER}
BREAKING = {
    "a listed array, minItems": (field(enum=[[]]), array(minItems=1)),
    "a listed array, maxItems": (field(const=[1, 2]), array(maxItems=1)),
    "a listed array, uniqueItems": (field(const=[1, 1]), field(uniqueItems=True)),
    "a listed object, minProperties": (field(enum=[{}]), object_(minProperties=1)),
    "a listed object, maxProperties": (field(const={"a": 1, "b": 2}), field(maxProperties=1)),
    "a list of 1 and of 1.0": (field(enum=[[1]], const=[1.0]), array(items=STRING)),
    "unevaluatedItems, fewer prefixItems": (
        array(prefixItems=[INTEGER, STRING], unevaluatedItems=False),
        array(prefixItems=[INTEGER], unevaluatedItems=False),
    ),
    "unevaluatedItems, fewer items elsewhere": (
        array(allOf=[{"prefixItems": [INTEGER, STRING]}], unevaluatedItems=False),
        array(allOf=[{"prefixItems": [INTEGER]}], unevaluatedItems=False),
    ),
    "unevaluatedProperties, a property less": (
        object_(properties={"x": STRING}, unevaluatedProperties=INTEGER),
        object_(unevaluatedProperties=INTEGER),
    ),
    "unevaluatedProperties, a property less elsewhere": (
        object_(allOf=[{"properties": {"x": STRING}}], unevaluatedProperties=INTEGER),
        object_(allOf=[{}], unevaluatedProperties=INTEGER),
    ),
    "unevaluatedProperties narrowed": (
        object_(properties={"x": STRING}, unevaluatedProperties=NUMBER),
        object_(properties={"x": STRING}, unevaluatedProperties=INTEGER),
    ),
    "additionalProperties narrowed beside unevaluatedProperties": (
        object_(additionalProperties=NUMBER, unevaluatedProperties=False),
        object_(additionalProperties=INTEGER, unevaluatedProperties=False),
    ),
    "unevaluatedProperties inside another": (
        object_(allOf=[{"allOf": [{}], "unevaluatedProperties": NUMBER}], unevaluatedProperties=False),
        object_(allOf=[{"allOf": [{}], "unevaluatedProperties": INTEGER}], unevaluatedProperties=False),
    ),
    "a map with required in anyOf": (
        object_(anyOf=[{"required": ["a"]}, {"required": ["b"]}]),
        object_(properties={"c": STRING}),
    ),
    "a map with required in if": (
        object_(**{"if": {"required": ["a"]}, "then": {"required": ["b"]}}),
        object_(properties={"c": STRING}),
    ),
    "a map with required in dependentSchemas": (
        object_(dependentSchemas={"a": {"required": ["b"]}}),
        object_(properties={"c": STRING}),
    ),
    "a property in then": (
        object_(properties=K, **{"if": {"required": ["k"]}, "then": {"properties": {"c": INTEGER}}}),
        object_(properties={**K, "c": STRING}),
    ),
    "a pattern in then": (
        object_(properties=K, **{"if": {"required": ["k"]}, "then": {"patternProperties": {"^c": INTEGER}}}),
        object_(properties={**K, "c": STRING}),
    ),
    "a property in dependentSchemas": (
        object_(properties=K, dependentSchemas={"k": {"properties": {"c": INTEGER}}}),
        object_(properties={**K, "c": STRING}),
    ),
    "further properties in dependentSchemas": (
        object_(properties=K, dependentSchemas={"k": {"additionalProperties": INTEGER}}),
        object_(properties={**K, "c": STRING}),
    ),
    "a property in a branch of a map": (
        object_(additionalProperties=NUMBER, dependentSchemas={"k": {"properties": {"c": INTEGER}}}),
        object_(additionalProperties=NUMBER, properties={"c": INTEGER}),
    ),
    "an empty patternProperties": (
        {"type": "object", "patternProperties": {}},
        {"type": "object", "patternProperties": {"^x": INTEGER}},
    ),
    "oneOf in propertyNames": (
        object_(additionalProperties=INTEGER),
        {
            **object_(propertyNames={"oneOf": [{"$ref": "#/$defs/D"}, {}]}, additionalProperties=INTEGER),
            "$defs": {"D": {"maxLength": 3}},
        },
    ),
    "what $dynamicRef refers to": (
        {**field(**{"$dynamicRef": "#E"}), "$defs": {"E": {"$dynamicAnchor": "E", **NUMBER}}},
        {**field(**{"$dynamicRef": "#E"}), "$defs": {"E": {"$dynamicAnchor": "E", **INTEGER}}},
    ),
}


UNDECIDED = ("unevaluatedItems, fewer items elsewhere", "unevaluatedProperties inside another")
"""Changes for which no payload is found."""


@pytest.mark.parametrize("change", BREAKING)
def test_a_break_is_found(change: str, tmp_path: Path) -> None:
    old, new = BREAKING[change]
    findings = compared(tmp_path, old, new, Mode.BACKWARD)
    assert findings
    assert any(each.payload is not None for each in findings) is (change not in UNDECIDED)


def test_a_dynamic_reference_with_one_target_is_a_reference(tmp_path: Path) -> None:
    definitions = {"$defs": {"E": {"$dynamicAnchor": "E", **INTEGER}}}
    dynamic, plain = field(**{"$dynamicRef": "#E"}), field(**{"$ref": "#/$defs/E"})
    assert not compared(tmp_path, {**dynamic, **definitions}, {**plain, **definitions})


OTHER_DRAFTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "const": (D4, D6, {"const": 1}),
    "contains": (D4, D6, {"type": "array", "contains": INTEGER}),
    "propertyNames": (D4, D6, {"type": "object", "propertyNames": {"maxLength": 2}}),
    "if": (D6, D7, {"if": STRING, "then": {"minLength": 2}}),
    "beside $ref": (D7, D2019, {"$ref": "#/definitions/D", "maxLength": 2}),
    "dependentRequired": (D7, D2019, {"type": "object", "dependentRequired": {"x": ["y"]}}),
    "dependentSchemas": (D7, D2019, {"type": "object", "dependentSchemas": {"x": {"minProperties": 2}}}),
    "minContains": (D7, D2019, {"type": "array", "contains": INTEGER, "minContains": 2}),
    "minContains 0": (D2019, D7, {"type": "array", "contains": INTEGER, "minContains": 0}),
    "unevaluatedItems": (D7, D2019, {"type": "array", "unevaluatedItems": False}),
    "$recursiveRef": (D7, D2019, {"properties": {"x": {"$recursiveRef": "#"}}}),
    "prefixItems": (D2019, D2020, {"type": "array", "prefixItems": [INTEGER]}),
}


@pytest.mark.parametrize("keyword", OTHER_DRAFTS)
def test_a_keyword_counts_from_its_draft_on(keyword: str, tmp_path: Path) -> None:
    before, after, schema = OTHER_DRAFTS[keyword]
    document = {**field(**schema), "definitions": {"D": STRING}}
    assert compared(tmp_path, {"$schema": before, **document}, {"$schema": after, **document}, Mode.BACKWARD)
