"""Changes that people make to real schemas, and that take more than one keyword to judge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lightbus_gen.compat.compare import compare
from lightbus_gen.compat.fit import schemas
from lightbus_gen.compat.rules.rule import Mode
from tests.compat.project import compared, events, version

STRING, INTEGER = {"type": "string"}, {"type": "integer"}
DOTTED = r"^[a-z]+(\.[a-z]+)+$"


def field(**says: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": says}}


def map_(**says: Any) -> dict[str, Any]:
    return field(type="object", **{"additionalProperties": INTEGER, **says})


COMPATIBLE = {
    "a format or nothing": (
        field(**STRING, format="email"),
        field(oneOf=[{**STRING, "format": "email"}, {**STRING, "enum": [""]}]),
    ),
    "one of two formats": (
        field(**STRING, format="ipv4"),
        field(oneOf=[{**STRING, "format": "ipv4"}, {**STRING, "format": "ipv6"}]),
    ),
    "a value of another type": (
        field(type=["string", "null"]),
        field(oneOf=[STRING, {"type": "null"}, {"enum": [False]}]),
    ),
    "longer names": (map_(propertyNames={"maxLength": 7}), map_(propertyNames={"maxLength": 9})),
    "more names": (map_(propertyNames={"enum": ["x"]}), map_(propertyNames={"enum": ["x", "y"]})),
    "names that matched already": (
        map_(patternProperties={"^a": INTEGER}, additionalProperties=False),
        map_(propertyNames={"pattern": "^a"}),
    ),
    "one more character": (field(**STRING, pattern="^[a-z_]*$"), field(**STRING, pattern="^[a-z_.]*$")),
    "more digits": (field(**STRING, pattern=r"^\d{2}\."), field(**STRING, pattern=r"^\d{2,3}\.")),
    "a length as a pattern": (
        field(**STRING, pattern="^[a-z]*$", maxLength=3),
        field(**STRING, pattern="^[a-z]{0,3}$"),
    ),
    "items that are properties as well": (
        field(type="array", items=STRING),
        field(type=["array", "object"], items=STRING, additionalProperties=STRING),
    ),
}


@pytest.mark.parametrize("change", COMPATIBLE)
def test_new_listeners_get_stored_events(change: str, tmp_path: Path) -> None:
    old, new = COMPATIBLE[change]
    assert compared(tmp_path, old, new, Mode.BACKWARD) == []


BREAKING = {
    "a branch that overlaps": (
        field(**STRING),
        field(oneOf=[STRING, {"enum": ["x"]}]),
        "UNCLASSIFIED_NARROWING",
    ),
    "a pattern for names": (map_(), map_(propertyNames={"pattern": "^[a-z]+$"}), "PATTERN_NARROWED"),
    "shorter names": (
        map_(propertyNames={"maxLength": 9}),
        map_(propertyNames={"maxLength": 7}),
        "LENGTH_NARROWED",
    ),
    "a name that is declared": (
        field(type="object", properties={"long": INTEGER}),
        field(type="object", properties={"long": INTEGER}, propertyNames={"maxLength": 2}),
        "LENGTH_NARROWED",
    ),
    "fewer names": (
        map_(propertyNames={"enum": ["x", "y"]}),
        map_(propertyNames={"enum": ["x"]}),
        "ENUM_VALUE_REMOVED",
    ),
    "a value beneath a name with a pattern": (
        map_(propertyNames={"pattern": DOTTED}),
        map_(propertyNames={"pattern": DOTTED}, additionalProperties={**INTEGER, "minimum": 1}),
        "RANGE_NARROWED",
    ),
    "a schema for some names": (
        map_(),
        map_(patternProperties={r"^\d+$": {**INTEGER, "minimum": 1}}),
        "RANGE_NARROWED",
    ),
    "a schema for the other names": (
        map_(),
        map_(patternProperties={"^k": INTEGER}, additionalProperties={**INTEGER, "minimum": 1}),
        "RANGE_NARROWED",
    ),
    "fewer properties in a map": (map_(), map_(maxProperties=50), "FIELD_COUNT_NARROWED"),
    "a format in the place of a pattern": (
        field(**STRING, pattern="https://.*"),
        field(**STRING, format="uri"),
        "FORMAT_NARROWED",
    ),
    "a pattern that leaves one text out": (
        field(**STRING, pattern="^[a-z]{2,40}$"),
        field(**STRING, pattern="^[a-z]{2,39}$"),
        "PATTERN_NARROWED",
    ),
}


@pytest.mark.parametrize("change", BREAKING)
def test_stored_events_that_are_refused_are_shown(change: str, tmp_path: Path) -> None:
    old, new, rule = BREAKING[change]
    [one] = compared(tmp_path, old, new, Mode.BACKWARD)
    assert one.rule == rule
    assert one.payload is not None


def test_a_type_that_many_refer_to_is_compared_once(tmp_path: Path) -> None:
    """Types that all refer to each other, one of them changed: no path through them is followed twice."""
    names = [f"T{index}" for index in range(15)]

    def document(least: int) -> dict[str, Any]:
        types: dict[str, Any] = {
            name: {"type": "object", "properties": {other: {"$ref": f"#/$defs/{other}"} for other in names}}
            for name in names
        }
        types["T14"]["properties"]["size"] = {"type": "integer", "minimum": least}
        return {"type": "object", "properties": {"a": {"$ref": "#/$defs/T0"}}, "$defs": types}

    [one] = compared(tmp_path, document(1), document(2), Mode.BACKWARD)
    assert one.rule == "RANGE_NARROWED"
    assert one.payload is not None
    assert compared(tmp_path, document(2), document(1), Mode.BACKWARD) == []


def test_the_blame_for_a_union_is_on_what_is_deep_inside(tmp_path: Path) -> None:
    """The other branch, which the payload never matched, is not reported."""

    def either(least: int) -> dict[str, Any]:
        lines = {
            "type": "array",
            "items": {"type": "object", "properties": {"n": {"type": "integer", "minimum": least}}},
        }
        order = {"type": "object", "properties": {"lines": lines}, "required": ["lines"]}
        offer = {"type": "object", "properties": {"until": STRING}, "required": ["until"]}
        return field(oneOf=[order, offer])

    [one] = compared(tmp_path, either(1), either(2), Mode.BACKWARD)
    assert (one.rule, one.field) == ("RANGE_NARROWED", "a.lines[].n")


def test_an_intricate_event_does_not_hide_the_break_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def document(least: int) -> dict[str, Any]:
        size: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "integer", "minimum": least}}}
        inner = {"type": "object", "properties": {"size": {"$ref": "#/$defs/Size"}}}
        wide = {
            f"p{index}": {"type": "object", "properties": {"n": {"enum": [least]}}} for index in range(50)
        }
        intricate = {
            "type": "object",
            "properties": {"size": {"$ref": "#/$defs/Size"}, "rest": {**inner, "properties": wide}},
        }
        deep = {"type": "object", "properties": {"a": inner}}
        size["properties"] |= {"more": intricate}
        return {**events(bought=intricate, sold=deep), "$defs": {"Size": size}}

    monkeypatch.setattr(schemas, "_MAX_STEPS", 60)
    for name, least in (("old", 1), ("new", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "auth.json").write_text(json.dumps(document(least)))
    found = compare(version(tmp_path / "old"), version(tmp_path / "new"), Mode.BACKWARD)
    assert {one.event for one in found if one.level == "error"} == {"auth.bought", "auth.sold"}
