"""A schema that grows renames nothing that was generated from it before."""

from __future__ import annotations

import ast
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from lightbus_gen.generate import generate
from lightbus_gen.read.input_problems import InputError
from tests.codegen import drawn, inert

pytestmark = pytest.mark.timeout(900)  # a failing example is shrunk for up to five minutes
unhurried = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
NEW: list[dict[str, Any]] = [
    {"type": "string"},
    {"type": "object", "properties": {"new": {"type": "integer"}}},
    {"type": "object", "title": "New one", "properties": {"new": {"enum": ["new"]}}},
    {"type": "array", "items": {"type": "object", "properties": {"new": {"type": "object"}}}},
]


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


CARD = _object(kind={"const": "card"}, number={"type": "string"}) | {"required": ["kind"]}
CASH = _object(kind={"const": "cash"}, till=_object(place={"type": "string"})) | {"required": ["kind"]}
NAMED = _object(a=_object(b={})) | {"title": "Named one"}
GROWING: dict[str, dict[str, Any]] = {
    "branches with tags": _object(paid={"oneOf": [CARD, CASH]}),
    "branches without names": _object(paid={"anyOf": [_object(a={}), _object(b=_object(c={}))]}),
    "branches with titles": _object(paid={"anyOf": [NAMED, CARD, {"type": "null"}]}),
    "branches in a list": _object(paid={"type": "array", "items": {"oneOf": [CARD, {"type": "string"}]}}),
    "branches beside properties": _object(paid=_object(a={}) | {"anyOf": [NAMED, CARD]}),
    "the payload's own branches": {"type": "object", "oneOf": [CARD, CASH]},
    "branches that are definitions": _object(paid={"oneOf": [{"$ref": "#/$defs/Card"}, CASH]})
    | {"$defs": {"Card": CARD, "Choice": {"anyOf": [CASH, NAMED]}}},
    "one branch": _object(paid={"oneOf": [CASH]}),
}


@unhurried
@given(drawn.payloads(), st.sampled_from(NEW), st.data())
def test_a_new_field_branch_or_definition_renames_nothing(
    schema: dict[str, Any], new: dict[str, Any], data: st.DataObject
) -> None:
    before = names(schema)
    assume(before is not None)
    grown = copy.deepcopy(schema)
    place = data.draw(st.sampled_from(list(_places(grown))))
    if isinstance(place, list):
        place.append(new)
    else:
        place["new"] = new
    after = names(grown)
    assume(after is not None)
    assert before is not None and after is not None
    assert before <= after


@pytest.mark.parametrize("case", GROWING)
def test_whatever_is_added_anywhere_renames_nothing(case: str) -> None:
    before = names(GROWING[case])
    assert before is not None
    for number in range(len(list(_places(GROWING[case])))):
        for new in NEW:
            grown = copy.deepcopy(GROWING[case])
            place = list(_places(grown))[number]
            if isinstance(place, list):
                place.append(new)
            else:
                place["new"] = new
            after = names(grown)
            assert after is not None
            assert before <= after, json.dumps(grown)


def names(schema: dict[str, Any]) -> set[str] | None:
    """Return the names that a module binds, or None where the schema is refused."""
    try:
        files = generate(
            Path("absent"), "drawn_bus", texts={"api/happened.json": json.dumps(schema).encode()}
        )
    except InputError:
        return None
    tree = ast.parse(files["drawn_bus/api.py"])
    return set(inert.bound_names(tree)) - {name for allowed in inert.IMPORTED.values() for name in allowed}


def _places(schema: Any) -> Iterator[dict[str, Any] | list[Any]]:
    """Yield the maps and lists of a schema to which a new entry may be added."""
    if isinstance(schema, list):
        for item in schema:
            yield from _places(item)
    elif isinstance(schema, dict):
        for keyword, inner in schema.items():
            if keyword in ("properties", "$defs", "definitions", "anyOf", "oneOf"):
                yield inner
            if keyword in ("properties", "patternProperties", "$defs", "definitions"):
                yield from _places(list(inner.values()))
            elif keyword not in ("enum", "const"):
                yield from _places(inner)
