"""Payloads whose properties are in the branches of choices, and payloads that allow further properties."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from lightbus.errors import InvalidEventArguments
from lightbus.schema import EventContract, SchemaDocument


def contract(schema: dict[str, Any]) -> EventContract:
    events = {"happened": {"parameters": schema}}
    return SchemaDocument({"lightbus": 1, "api": "a", "events": events}, "a.json").contract("happened")


CARD: dict[str, Any] = {
    "properties": {"kind": {"const": "card"}, "on": {"type": "string", "format": "date"}},
    "required": ["kind", "on"],
}
CASH: dict[str, Any] = {
    "properties": {"kind": {"const": "cash"}, "on": {"type": "string"}},
    "required": ["kind"],
}


def test_parameters_are_those_of_all_branches_and_required_ones_those_of_each() -> None:
    made = contract({"type": "object", "allOf": [{"oneOf": [CARD, CASH]}]})
    assert [(parameter.name, parameter.required) for parameter in made.parameters] == [
        ("kind", True),
        ("on", False),
    ]


def test_values_are_read_as_their_branch_says() -> None:
    made = contract({"type": "object", "oneOf": [CARD, CASH]})
    day = "2026-01-31"
    assert made.decode({"kind": "card", "on": day})["on"] == datetime.date(2026, 1, 31)
    assert made.decode({"kind": "cash", "on": day})["on"] == day
    with pytest.raises(InvalidEventArguments):
        made.encode({"kind": "card"})


@pytest.mark.parametrize(
    ("keyword", "branch"),
    [
        ("if", {"if": {"required": ["a"]}, "then": {"properties": {"b": {"type": "string"}}}}),
        ("else", {"if": {"required": ["a"]}, "else": {"properties": {"b": {"type": "string"}}}}),
        ("dependentSchemas", {"dependentSchemas": {"a": {"properties": {"b": {"type": "string"}}}}}),
    ],
)
def test_conditions_bring_optional_parameters(keyword: str, branch: dict[str, Any]) -> None:
    made = contract({"type": "object", "properties": {"a": {"type": "integer"}}, **branch})
    assert {parameter.name: parameter.required for parameter in made.parameters} == {"a": False, "b": False}


def test_a_default_in_a_branch_is_not_filled_in() -> None:
    branch = {"properties": {"a": {"type": "integer", "default": 1}}}
    made = contract({"type": "object", "properties": {"b": {"default": 2}}, "anyOf": [branch, CASH]})
    assert made.encode({"kind": "cash"}) == {"kind": "cash", "b": 2}


def test_further_properties_are_fired_read_and_kept_where_the_schema_allows_them() -> None:
    further = {"type": "string", "format": "date"}
    made = contract({"type": "object", "properties": {"a": {}}, "additionalProperties": further})
    data = made.encode({"a": 1, "the-day": "2026-01-31"})
    values = made.decode(data)
    assert values == {"a": 1, "the-day": datetime.date(2026, 1, 31)}
    assert made.split(values) == ({"a": 1}, {"the-day": datetime.date(2026, 1, 31)})


def test_further_properties_are_refused_where_the_schema_is_silent() -> None:
    made = contract({"type": "object", "properties": {"a": {}}})
    assert made.more == ""
    with pytest.raises(InvalidEventArguments, match="not in the schema"):
        made.encode({"a": 1, "b": 2})
