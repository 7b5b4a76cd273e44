"""Ways through the references of a schema to the same part of a value: there are at most 1,000 more than schemas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lightbus.errors import SchemaError
from lightbus.schema import EventContract
from tests.schema.build import written

PAYLOAD = {"type": "object", "properties": {"e": {"$ref": "#/$defs/A0"}}}
REFUSED = "more than 1,000 ways through its references lead to the same part of a value"
Link = Callable[[dict[str, Any]], dict[str, Any]]
# how a definition refers to the next one so that a validator's work on a value doubles, at least, with each
DOUBLING: dict[str, Link] = {
    "allOf": lambda to: {"allOf": [to, to]},
    "anyOf": lambda to: {"anyOf": [to, to]},
    "oneOf": lambda to: {"oneOf": [to, {"not": to}]},
    "not": lambda to: {"not": {"not": to}, "allOf": [to]},
    "if": lambda to: {"if": to, "then": to, "else": to},
    "$dynamicRef": lambda to: {"allOf": [to, {"$dynamicRef": to["$ref"]}]},
    "properties in anyOf": lambda to: {"anyOf": [{"properties": {"a": to}}, {"properties": {"a": to}}]},
    "properties in allOf": lambda to: {"allOf": [{"properties": {"a": to}}, {"additionalProperties": to}]},
    "patternProperties": lambda to: {"patternProperties": {"a": to, "^a": to}},
    "properties and patterns": lambda to: {"properties": {"a": to}, "patternProperties": {"^a": to}},
    "items": lambda to: {"allOf": [{"items": to}, {"prefixItems": [to]}]},
    "contains": lambda to: {"contains": to, "items": to},
    "unevaluatedItems": lambda to: {"unevaluatedItems": to},
    "unevaluatedItems and contains": lambda to: {"contains": to, "unevaluatedItems": to},
    "unevaluatedProperties": lambda to: {"allOf": [to], "unevaluatedProperties": to},
    "unevaluatedProperties and properties": lambda to: {
        "anyOf": [{"properties": {"a": to}}, {"required": ["z"]}],
        "unevaluatedProperties": to,
    },
}
LINEAR: dict[str, Link] = {
    "properties": lambda to: {"properties": {"a": to, "b": to, "c": to}},
    "properties and others": lambda to: {"properties": {"a": to}, "additionalProperties": to},
    "properties in branches": lambda to: {"anyOf": [{"properties": {"a": to}}, {"properties": {"b": to}}]},
    "prefixItems": lambda to: {"prefixItems": [to, to], "items": to},
    "properties and items": lambda to: {"properties": {"a": to}, "items": to},
    "closed": lambda to: {"properties": {"a": to}, "unevaluatedProperties": False},
    "closed items": lambda to: {"prefixItems": [to], "unevaluatedItems": False},
    "optional": lambda to: {"properties": {"a": {"anyOf": [{"type": "null"}, to]}}},
}


def graph(link: Link, length: int) -> EventContract:
    """Return the contract with definitions of which each refers to the next."""
    definitions = {f"A{number}": link({"$ref": f"#/$defs/A{number + 1}"}) for number in range(length)}
    return written(
        PAYLOAD, **{"$defs": {**definitions, f"A{length}": {"type": ["object", "integer", "array"]}}}
    )


@pytest.mark.parametrize("link", DOUBLING)
@pytest.mark.parametrize("length", [12, 15])
def test_definitions_that_double_the_work_are_refused_before_they_are_compiled(
    link: str, length: int
) -> None:
    with pytest.raises(SchemaError, match=REFUSED) as refused:
        graph(DOUBLING[link], length)
    assert refused.value.pointer.startswith("/$defs/A")


@pytest.mark.parametrize("link", DOUBLING)
def test_a_few_such_definitions_are_used(link: str) -> None:
    contract = graph(DOUBLING[link], 3)
    contract.encode({"e": {"a": {"a": {"a": 1}}}} if link != "oneOf" else {})


@pytest.mark.parametrize("link", LINEAR)
def test_ways_to_different_parts_of_a_value_are_not_counted_together(link: str) -> None:
    contract = graph(LINEAR[link], 40)
    assert contract.decode({"e": {"a": {"a": {}}}}) == {"e": {"a": {"a": {}}}}


def test_many_branches_are_no_ways_to_the_same_schema() -> None:
    definitions = {f"T{number}": {"properties": {"t": {"const": number}}} for number in range(1_500)}
    union = {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in definitions]}
    contract = written({"type": "object", "properties": {"e": union}}, **{"$defs": definitions})
    assert contract.decode({"e": {"t": 1_400}}) == {"e": {"t": 1_400}}


@pytest.mark.parametrize("is_named", [True, False])
def test_definitions_that_all_refer_to_each_other_need_a_name_for_their_union(is_named: bool) -> None:
    names = [f"A{number}" for number in range(12)]
    union = {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in names]}
    to = {"$ref": "#/$defs/Any"} if is_named else union
    definitions = {name: {"properties": {"a": to, name: {"type": "integer"}}} for name in names}
    if not is_named:
        with pytest.raises(SchemaError, match=REFUSED):
            written(PAYLOAD, **{"$defs": definitions})
        return
    contract = written(PAYLOAD, **{"$defs": {**definitions, "Any": union}})
    assert contract.decode({"e": {"a": {"A3": 1}}}) == {"e": {"a": {"A3": 1}}}
