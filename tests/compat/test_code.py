"""What two versions mean for code, as mypy sees it: each row was checked with code written for the old version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lightbus_gen.compat.compare import compare
from lightbus_gen.compat.rules.rule import Category
from tests.compat.project import events, version

TEXT, WHOLE, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
BOTH = {"type": ["string", "integer"]}


def payload(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def titled(title: str) -> dict[str, Any]:
    return {"type": "object", "title": title, "properties": {"street": TEXT}}


CASES: dict[str, tuple[Any, Any, list[str]]] = {
    "a new argument": (payload(), payload(a=TEXT), []),
    "a new argument that is required": (payload(), payload("a", a=TEXT), ["ARGUMENT_REQUIRED"]),
    "an argument that is required now": (payload(a=TEXT), payload("a", a=TEXT), ["ARGUMENT_REQUIRED"]),
    "an argument that handlers may miss now": (payload("a", a=TEXT), payload(a=TEXT), ["ANNOTATION_WIDENED"]),
    "one that has a default then": (payload("a", a=TEXT), payload(a={**TEXT, "default": "x"}), []),
    "an argument that is gone": (payload(a=TEXT), payload(), ["ARGUMENT_REMOVED"]),
    "further arguments that are gone": (
        {**payload(), "additionalProperties": TEXT},
        payload(),
        ["ARGUMENT_REMOVED"],
    ),
    "fewer types": (payload(a=BOTH), payload(a=TEXT), ["ANNOTATION_NARROWED"]),
    "more types": (payload(a=TEXT), payload(a=BOTH), ["ANNOTATION_WIDENED"]),
    "an int for a float": (payload(a=NUMBER), payload(a=WHOLE), ["ANNOTATION_NARROWED"]),
    "fewer values": (payload(a={"enum": [1, 2]}), payload(a={"enum": [1]}), ["ANNOTATION_NARROWED"]),
    "a type for none": (payload(a={}), payload(a=TEXT), ["ANNOTATION_NARROWED"]),
    "none for a type": (payload(a=TEXT), payload(a={}), []),
    "a class by another name": (payload(a=titled("Place")), payload(a=titled("Town")), ["CLASS_RENAMED"]),
    "what no annotation tells": (payload(a=TEXT), payload(a={**TEXT, "minLength": 1}), []),
    "by way of a base": (
        {"allOf": [payload(a=TEXT)], "type": "object"},
        {"allOf": [payload("b", b=TEXT)], "type": "object"},
        ["ARGUMENT_REMOVED", "ARGUMENT_REQUIRED"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_code_has_to_follow(case: str, tmp_path: Path) -> None:
    *schemas, expected = CASES[case]
    for name, schema in zip(("old", "new"), schemas, strict=True):
        (tmp_path / name).mkdir()
        (tmp_path / name / "auth.json").write_text(json.dumps(events(done=schema)))
    found = compare(version(tmp_path / "old"), version(tmp_path / "new"))
    assert sorted(one.rule for one in found if one.category is Category.CODE) == expected
