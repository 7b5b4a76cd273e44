"""Schemas that apply to the same value in a row: a chain has at most 50."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lightbus.errors import InvalidEvent, SchemaError
from lightbus.schema import EventContract
from lightbus.schema.language.node import MAX_CHAIN
from tests.schema.build import written

PAYLOAD = {"type": "object", "properties": {"e": {"$ref": "#/$defs/A0"}}}
END: dict[str, Any] = {
    "type": "object",
    "properties": {"c": {"$ref": "#/$defs/A0"}, "n": {"type": "integer"}},
    "additionalProperties": False,
}
# how a definition applies the next one, and how many schemas that adds
LINKS: dict[str, tuple[Callable[[dict[str, Any]], dict[str, Any]], int]] = {
    "$ref": (lambda to: to, 1),
    "allOf": (lambda to: {"allOf": [to]}, 2),
    "anyOf": (lambda to: {"anyOf": [{"type": "null"}, to]}, 2),
    "oneOf": (lambda to: {"oneOf": [{"type": "null"}, to]}, 2),
    "not": (lambda to: {"not": {"not": to}}, 3),
    "then": (lambda to: {"if": {"type": "object"}, "then": to}, 2),
    "dependentSchemas": (lambda to: {"dependentSchemas": {"c": to}}, 2),
}


def chain(keyword: str, length: int) -> EventContract:
    """Return the contract with a chain of definitions, whose last one applies the first to a property."""
    link = LINKS[keyword][0]
    definitions = {f"A{number}": link({"$ref": f"#/$defs/A{number + 1}"}) for number in range(length)}
    return written(PAYLOAD, **{"$defs": {**definitions, f"A{length}": END}})


def nested(value: Any) -> Any:
    for _ in range(96):
        value = {"c": value}
    return value


@pytest.mark.parametrize("keyword", LINKS)
def test_the_longest_chain_reads_the_deepest_payload(keyword: str) -> None:
    longest = (MAX_CHAIN - 2) // LINKS[keyword][1]  # the property `e` is a schema too
    contract = chain(keyword, longest)
    payload = {"e": nested({"n": 1})}
    assert contract.decode(payload) == payload
    assert contract.encode(payload) == payload
    with pytest.raises(InvalidEvent):
        contract.decode({"e": nested({"c": {"n": 1}, "n": "x"})})


@pytest.mark.parametrize("keyword", LINKS)
@pytest.mark.parametrize("length", [MAX_CHAIN, 2_000])
def test_a_longer_chain_is_refused_before_it_is_compiled(keyword: str, length: int) -> None:
    with pytest.raises(SchemaError, match="more than 50 schemas in a row apply to the same value"):
        chain(keyword, length)


def test_a_chain_of_dynamic_references_is_refused() -> None:
    definitions = {
        f"A{number}": {"$dynamicAnchor": f"a{number}", "allOf": [{"$dynamicRef": f"#a{number + 1}"}]}
        for number in range(60)
    }
    with pytest.raises(SchemaError, match="in a row"):
        written(PAYLOAD, **{"$defs": {**definitions, "A60": {"$dynamicAnchor": "a60"}}})


def test_many_schemas_side_by_side_are_no_chain() -> None:
    fields = {f"A{number}": {"properties": {f"p{number}": {"type": "integer"}}} for number in range(200)}
    every = {"allOf": [{"$ref": f"#/$defs/{name}"} for name in fields]}
    contract = written({"type": "object", "properties": {"e": every}}, **{"$defs": fields})
    assert contract.decode({"e": {"p7": 1}}) == {"e": {"p7": 1}}


def test_definitions_that_refer_to_each_other_through_properties_are_no_chain() -> None:
    definitions = {
        f"A{number}": {"properties": {"c": {"anyOf": [{"type": "null"}, {"$ref": f"#/$defs/A{number + 1}"}]}}}
        for number in range(100)
    }
    contract = written(PAYLOAD, **{"$defs": {**definitions, "A100": END}})
    assert contract.decode({"e": {"c": {"c": None}}}) == {"e": {"c": {"c": None}}}
