"""The opened schema of a reader, which the compatibility check shares with the runtime."""

from __future__ import annotations

from typing import Any

import pytest

from lightbus.schema import open_schema

CLOSED = {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False}
OPENED = {"type": "object", "properties": {"a": {"type": "integer"}}}


@pytest.mark.parametrize(
    "place",
    ["additionalProperties", "items", "additionalItems", "unevaluatedItems", "then", "else"],
)
def test_opens_single_schemas(place: str) -> None:
    assert open_schema({place: CLOSED}) == {place: OPENED}


@pytest.mark.parametrize("place", ["prefixItems", "items", "allOf", "anyOf"])
def test_opens_lists_of_schemas(place: str) -> None:
    assert open_schema({place: [CLOSED, True]}) == {place: [OPENED, True]}


@pytest.mark.parametrize(
    "place",
    ["properties", "patternProperties", "dependentSchemas", "dependencies", "$defs", "definitions"],
)
def test_opens_named_schemas(place: str) -> None:
    assert open_schema({place: {"x": CLOSED}}) == {place: {"x": OPENED}}


@pytest.mark.parametrize("place", ["not", "if", "contains", "propertyNames", "const", "default"])
def test_leaves_places_where_wider_is_not_more_permissive(place: str) -> None:
    assert open_schema({place: CLOSED}) == {place: CLOSED}


def test_opens_unevaluated_properties() -> None:
    assert open_schema({"allOf": [CLOSED], "unevaluatedProperties": False}) == {"allOf": [OPENED]}


@pytest.mark.parametrize("value", [True, {"type": "string"}])
def test_keeps_what_the_author_opened(value: Any) -> None:
    assert open_schema({"additionalProperties": value}) == {"additionalProperties": value}


def test_a_property_may_be_called_like_a_keyword() -> None:
    schema = {"properties": {"additionalProperties": False, "oneOf": CLOSED}}
    assert open_schema(schema) == {"properties": {"additionalProperties": False, "oneOf": OPENED}}


def test_opened_branches_may_overlap() -> None:
    assert open_schema({"oneOf": [CLOSED, {"type": "null"}]}) == {"anyOf": [OPENED, {"type": "null"}]}
    assert open_schema({"oneOf": [{"$ref": "#/$defs/A"}]}) == {"anyOf": [{"$ref": "#/$defs/A"}]}
    assert open_schema({"oneOf": [CLOSED], "anyOf": [True]}) == {
        "anyOf": [True],
        "allOf": [{"anyOf": [OPENED]}],
    }


def test_branches_that_do_not_change_stay_exclusive() -> None:
    schema = {"oneOf": [{"type": "integer"}, {"minimum": 2}]}
    assert open_schema(schema) == schema


def test_opens_the_events_of_a_document() -> None:
    document = {"lightbus": 1, "api": "a", "events": {"b": {"description": "c", "parameters": CLOSED}}}
    assert open_schema(document) == {
        **document,
        "events": {"b": {"description": "c", "parameters": OPENED}},
    }


def test_does_not_change_its_argument() -> None:
    schema = {"oneOf": [{**CLOSED}]}
    open_schema(schema)
    assert schema == {"oneOf": [CLOSED]}
