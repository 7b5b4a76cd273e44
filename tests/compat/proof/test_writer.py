"""The gate assumes that a producer sends exactly what `fire()` sends."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightbus.errors import InvalidEventArguments, SchemaError
from lightbus.schema import EventContract, SchemaDocument
from tests.compat.closing import writes
from tests.compat.drawing import Drawing

CHOICES = {"anyOf", "oneOf", "if", "then", "else", "not", "dependentSchemas"}
"""For a choice, `fire()` accepts what any branch declares, and the oracle what the chosen branch declares."""


@given(st.integers(0, 2**48))
@settings(max_examples=max(300, settings().max_examples), suppress_health_check=(HealthCheck.too_slow,))
def test_fire_sends_what_the_judge_says(seed: int) -> None:
    drawing = Drawing(random.Random(seed))
    schema = without_openings(drawing.document())
    try:
        contract = contract_of(schema)
    except SchemaError:  # a random change may make it invalid
        return
    is_sent = writes(schema)
    for _ in range(20):
        payload = drawing.value(schema, schema)
        if isinstance(payload, dict):
            assert is_fired(contract, payload) is is_sent(payload), (payload, schema)


def without_openings(schema: Any) -> Any:
    """Remove choices, and keywords that open an object explicitly, which let `fire()` send more."""
    if isinstance(schema, list):
        return [without_openings(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        key: without_openings(value)
        for key, value in schema.items()
        if key not in CHOICES and key != "patternProperties"
    }
    return {
        key: value for key, value in kept.items() if key != "additionalProperties" or value not in (True, {})
    }


def contract_of(schema: dict[str, Any]) -> EventContract:
    event = {"parameters": {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}}
    return SchemaDocument({"lightbus": 1, "api": "auth", "events": {"done": event}}, "").contract("done")


def is_fired(contract: EventContract, payload: dict[str, Any]) -> bool:
    try:
        return contract.encode(payload) == payload
    except InvalidEventArguments:
        return False


@pytest.mark.parametrize("value", [{"b": 1}, {"a": 1, "b": 1}, {}, {"a": 1}])
def test_inside_a_payload(value: dict[str, int]) -> None:
    inner = {"type": "object", "properties": {"a": {"type": "integer"}}}
    schema = {"type": "object", "properties": {"it": inner}}
    assert is_fired(contract_of(schema), {"it": value}) is writes(schema)({"it": value}) is ("b" not in value)
