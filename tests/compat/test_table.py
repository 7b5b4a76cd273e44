"""The table of what a change breaks, at the top and three levels deep, in closed, unspecified and open objects."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lightbus_gen.compat.rules.rule import Mode
from tests.compat.project import compared

STRING, INTEGER = {"type": "string"}, {"type": "integer"}
Schema = dict[str, Any]


def fields(*required: str, **properties: Any) -> Schema:
    return {"properties": properties, "required": list(required)}


OK, BREAK = True, False
ROWS: dict[str, tuple[Schema, Schema, bool, bool]] = {
    "add an optional field": (fields(a=STRING), fields(a=STRING, b=INTEGER), OK, OK),
    "remove an optional field": (fields(a=STRING, b=INTEGER), fields(a=STRING), OK, OK),
    "add a required field": (fields(a=STRING), fields("b", a=STRING, b=INTEGER), BREAK, OK),
    "add a required field with a default": (
        fields(a=STRING),
        fields("b", a=STRING, b={**INTEGER, "default": 1}),
        BREAK,
        OK,
    ),
    "remove a required field": (fields("b", a=STRING, b=INTEGER), fields(a=STRING), OK, BREAK),
    "required to optional": (fields("a", a=STRING), fields(a=STRING), OK, BREAK),
    "optional to required": (fields(a=STRING), fields("a", a=STRING), BREAK, OK),
    "widen a type": (fields(a=INTEGER), fields(a={"type": "number"}), OK, BREAK),
    "add an enum value": (fields(a={"enum": ["x"]}), fields(a={"enum": ["x", "y"]}), OK, BREAK),
    "add a branch": (
        fields(a={"anyOf": [STRING]}),
        fields(a={"anyOf": [STRING, {"type": "array", "items": STRING}]}),
        OK,
        BREAK,
    ),
    "add null": (fields(a=STRING), fields(a={"type": ["string", "null"]}), OK, BREAK),
    "relax a bound": (fields(a={**INTEGER, "maximum": 5}), fields(a={**INTEGER, "maximum": 9}), OK, BREAK),
    "narrow a type": (fields(a={"type": "number"}), fields(a=INTEGER), BREAK, OK),
    "remove an enum value": (fields(a={"enum": ["x", "y"]}), fields(a={"enum": ["x"]}), BREAK, OK),
    "remove a branch": (fields(a={"anyOf": [STRING, INTEGER]}), fields(a={"anyOf": [STRING]}), BREAK, OK),
    "tighten a bound": (fields(a=STRING), fields(a={**STRING, "maxLength": 9}), BREAK, OK),
    "add a pattern": (fields(a=STRING), fields(a={**STRING, "pattern": "^x"}), BREAK, OK),
    "add a format": (fields(a=STRING), fields(a={**STRING, "format": "date"}), BREAK, OK),
    "rename a required field": (fields("mail", mail=STRING), fields("login", login=STRING), BREAK, BREAK),
    "rename an optional field": (fields(mail=STRING), fields(email=STRING), BREAK, BREAK),
    "describe it": (fields(a=STRING), fields(a={**STRING, "title": "A", "description": "a"}), OK, OK),
    "give a default": (fields(a=STRING), fields(a={**STRING, "default": "x"}), OK, OK),
    "reorder": (fields("a", "b", a=STRING, b=INTEGER), fields("b", "a", b=INTEGER, a=STRING), OK, OK),
    "open it": (
        {**fields(a=STRING), "additionalProperties": False},
        {**fields(a=STRING), "additionalProperties": True},
        OK,
        OK,
    ),
    "close it": (
        {**fields(a=STRING), "additionalProperties": True},
        {**fields(a=STRING), "additionalProperties": False},
        OK,
        OK,
    ),
}
OPENNESS: dict[str, Schema] = {
    "closed": {"additionalProperties": False},
    "silent": {},
    "open": {"additionalProperties": True},
}


def at_the_top(schema: Schema) -> Schema:
    return schema


def three_levels_deep(schema: Schema) -> Schema:
    """Put an object in a list in a map of nullable objects."""
    inner = {"anyOf": [schema, {"type": "null"}]}
    lists = {"type": "object", "properties": {"list": {"type": "array", "items": inner}}}
    return {"type": "object", "properties": {"map": {"type": "object", "additionalProperties": lists}}}


def by_reference(schema: Schema) -> Schema:
    return {"type": "object", "properties": {"it": {"$ref": "#/$defs/It"}}, "$defs": {"It": schema}}


PLACES = [at_the_top, three_levels_deep, by_reference]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
@pytest.mark.parametrize("openness", OPENNESS)
@pytest.mark.parametrize("row", ROWS)
def test_each_row(row: str, openness: str, place: Callable[[Schema], Schema], tmp_path: Path) -> None:
    old, new, backward, forward = ROWS[row]
    old, new = (place({"type": "object", **OPENNESS[openness], **schema}) for schema in (old, new))
    assert (not compared(tmp_path, old, new, Mode.BACKWARD)) is backward
    assert (not compared(tmp_path, old, new, Mode.FORWARD)) is forward


@pytest.mark.parametrize("row", [row for row in ROWS if not row.startswith("rename an")])
def test_each_break_is_shown_by_a_payload(row: str, tmp_path: Path) -> None:
    old, new, *_ = ROWS[row]
    for one in compared(tmp_path, {"type": "object", **old}, {"type": "object", **new}):
        assert one.payload is not None, one.rule


def test_a_ref_may_be_written_out_or_renamed(tmp_path: Path) -> None:
    schema = fields("a", a=STRING)
    renamed = {"type": "object", "properties": {"it": {"$ref": "#/$defs/Other"}}, "$defs": {"Other": schema}}
    written_out = {"type": "object", "properties": {"it": schema}}
    forms = [by_reference(schema), renamed, written_out]
    for old, new in itertools.permutations(forms, 2):
        assert not compared(tmp_path, old, new)


COMBINATIONS = list(
    itertools.product(("open", "closed"), ("add", "remove"), ("required", "default", "optional"))
)


@pytest.mark.parametrize("direction", [Mode.BACKWARD, Mode.FORWARD])
@pytest.mark.parametrize(("openness", "change", "presence"), COMBINATIONS)
def test_each_combination(openness: str, change: str, presence: str, direction: Mode, tmp_path: Path) -> None:
    field = {**STRING, "default": "x"} if presence == "default" else STRING
    without = {"type": "object", **OPENNESS[openness], **fields(a=STRING)}
    having = {**without, **fields(*(["b"] if presence == "required" else []), a=STRING, b=field)}
    old, new = (without, having) if change == "add" else (having, without)
    breaks = presence == "required" and (change == "add") == (direction is Mode.BACKWARD)
    assert bool(compared(tmp_path, old, new, direction)) is breaks
