"""Changes that break nothing are no findings, and what is an error is proved by a payload."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightbus.schema.language.keywords import DIALECT
from lightbus.schema.language.validation import validator
from lightbus_gen.compat.compare import compare
from lightbus_gen.compat.fit.sample import _FORMATS
from lightbus_gen.compat.fit.scalars import _WIDER_FORMATS
from lightbus_gen.compat.rules.findings import by_place
from lightbus_gen.compat.rules.rule import Mode
from lightbus_gen.compat.shapes.shape import _FORMAT_LENGTHS
from tests.compat.project import compared, events, version

TEXT, WHOLE = {"type": "string"}, {"type": "integer"}


def payload(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def findings(folder: Path, old: Any, new: Any) -> list[tuple[str, str, Any]]:
    return [(each.direction.value, each.rule, each.payload) for each in compared(folder, old, new)]


@pytest.mark.parametrize("type_", [["object", "null"], ["object", "string"]])
def test_a_payload_is_an_object_whatever_its_schema_allows(type_: list[str], tmp_path: Path) -> None:
    schema = payload(a=TEXT)
    for old, new in ((schema, {**schema, "type": type_}), ({**schema, "type": type_}, schema)):
        assert findings(tmp_path, old, new) == []


def test_an_undecided_finding_claims_nothing(tmp_path: Path) -> None:
    old, new = (payload(a={**TEXT, "pattern": pattern}) for pattern in (r"^(?=a)\w+$", r"^(?=[ab])\w+$"))
    for finding in compared(tmp_path, old, new):
        assert finding.rule == "UNDECIDED"
        assert finding.message.startswith("it is not known whether the change of 'pattern' breaks anything")
        assert " will " not in finding.effect


def mapped(**patterns: Any) -> dict[str, Any]:
    return {"type": "object", "patternProperties": patterns, "additionalProperties": False}


def named(names: Any, **definitions: Any) -> dict[str, Any]:
    of_names = {"type": "object", "additionalProperties": TEXT, "propertyNames": names}
    return {**payload(labels=of_names), "$defs": definitions}


def listed(**limits: Any) -> dict[str, Any]:
    return payload(items={"type": "array", "items": WHOLE, **limits})


COMPATIBLE: dict[str, tuple[Any, Any]] = {
    "another pattern of names": (mapped(**{"^x-": TEXT}), mapped(**{"^x-": TEXT, "^y-": WHOLE})),
    "a pattern of names in two": (mapped(**{"^[xy]-": TEXT}), mapped(**{"^x-": TEXT, "^y-": TEXT})),
    "patterns of names that are wider": (
        mapped(**{"^x-": TEXT, "^y-": WHOLE}),
        mapped(**{"^[xz]": TEXT, "^y": WHOLE}),
    ),
    "a pattern of names inside another": (
        mapped(**{"^x": TEXT, "^xy": {"maxLength": 3}}),
        mapped(**{"^xy": {**TEXT, "maxLength": 3}, "^x": TEXT}),
    ),
    "names behind a reference": (named({"maxLength": 5}), named({"$ref": "#/$defs/Name"}, Name={"maxLength": 5})),
    "listed names behind a reference": (
        named({"enum": ["a", "b"]}),
        named({"$ref": "#/$defs/Name"}, Name={"enum": ["b", "a", "c"]}),
    ),
    "a static dynamic reference": (
        {**payload(next={"$dynamicRef": "#node"}, size=WHOLE), "$dynamicAnchor": "node"},
        payload(next={"$ref": "#"}, size=WHOLE),
    ),
    **{
        f"{old} to {new}": (payload(a={**TEXT, "format": old}), payload(a={**TEXT, "format": new}))
        for old, new in [("uri", "uri-reference"), ("uri", "iri-reference"), ("email", "idn-email")]
    },
    "a date by a pattern": (
        payload(a={**TEXT, "format": "date"}),
        payload(a={**TEXT, "pattern": r"^\d{4}-\d{2}-\d{2}$"}),
    ),
    "a uuid by a pattern": (
        payload(a={**TEXT, "format": "uuid"}),
        payload(a={**TEXT, "pattern": r"^[\da-fA-F]{8}(-[\da-fA-F]{4}){3}-[\da-fA-F]{12}$"}),
    ),
    "more items may be contained": (
        listed(contains={"minimum": 5}, minContains=2, maxContains=3),
        listed(contains={"minimum": 5}, minContains=1, maxContains=4),
    ),
    "a wider schema of contained items": (listed(contains={"minimum": 5}), listed(contains={"minimum": 4})),
    "more categories of characters": (
        payload(a={**TEXT, "pattern": r"^\p{L}+$"}),
        payload(a={**TEXT, "pattern": r"^[\p{L}\p{N}-]+$"}),
    ),
    "a length that no address exceeds": (
        payload(a={**TEXT, "format": "email"}),
        payload(a={**TEXT, "format": "email", "maxLength": 320}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", COMPATIBLE)
def test_stored_events_still_arrive(case: str, tmp_path: Path) -> None:
    old, new = COMPATIBLE[case]
    assert [each for each in findings(tmp_path, old, new) if each[0] == "backward"] == []


DECIDED: dict[str, tuple[Any, Any]] = {
    "names that share one": (mapped(**{"^[xy]-": TEXT}), mapped(**{"^[xy]-": TEXT, "^y-": WHOLE})),
    "a length that addresses exceed": (
        payload(a={**TEXT, "format": "email"}),
        payload(a={**TEXT, "format": "email", "maxLength": 255}),
    ),
    "more contained items": (
        listed(contains={"minimum": 5}),
        listed(contains={"minimum": 5}, minContains=2),
    ),
    "a limit of contained items": (
        listed(contains={"minimum": 5}),
        listed(contains={"minimum": 5}, maxContains=2),
    ),
    "a narrower schema of contained items": (
        listed(contains={"minimum": 4}),
        listed(contains={"minimum": 5}),
    ),
    "fewer categories of characters": (
        payload(a={**TEXT, "pattern": r"^[\p{L}\p{Nd}]{2,8}$"}),
        payload(a={**TEXT, "pattern": r"^\p{Lu}\p{L}*$"}),
    ),
    "a pattern without a line end": (payload(a=TEXT), payload(a={**TEXT, "pattern": "^.*$"})),
    "a date that a pattern leaves out": (
        payload(a={**TEXT, "format": "date"}),
        payload(a={**TEXT, "pattern": r"^2\d{3}-(0[1-9]|1[0-1])-\d{2}$"}),
    ),
}


@pytest.mark.parametrize("case", DECIDED)
def test_a_break_is_proved(case: str, tmp_path: Path) -> None:
    old, new = DECIDED[case]
    proofs = [payload for side, _, payload in findings(tmp_path, old, new) if side == "backward"]
    assert proofs
    assert None not in proofs


FORMATS = [format_ for format_ in _FORMATS if format_ != "base64"]
ACCEPTING = {format_: validator({"$schema": DIALECT, "format": format_}) for format_ in FORMATS}


@given(st.sampled_from(FORMATS), st.randoms(use_true_random=False))
@settings(max_examples=5_000 if settings().max_examples > 1_000 else 300, deadline=None)
def test_a_text_of_a_format_has_its_wider_formats_and_length(format_: str, random: Random) -> None:
    text = random.choice(_FORMATS[format_])
    for _ in range(random.randrange(4)):
        at = random.randrange(len(text) + 1)
        text = text[:at] + random.choice(["", *"a0-:/@. %[]"]) + text[at + random.randrange(2) :]
    if ACCEPTING[format_].is_valid(text):
        assert all(ACCEPTING[wider].is_valid(text) for wider in _WIDER_FORMATS.get(format_, ()))
        least, most = _FORMAT_LENGTHS.get(format_, (0, len(text)))
        assert least <= len(text) <= most


RENAMES: dict[str, tuple[Any, Any, list[str]]] = {
    "a similar name": (payload(mail=TEXT), payload(email=TEXT), ["'mail' was renamed to 'email'"]),
    "another style": (payload(userId=TEXT), payload(user_id=TEXT), ["'userId' was renamed to 'user_id'"]),
    "one more word beside a new field": (
        payload(phone=TEXT),
        payload(note=TEXT, phone_number=TEXT),
        ["'phone' was renamed to 'phone_number'"],
    ),
    "the same description": (
        payload(colour={**TEXT, "description": "Of the car."}),
        payload(paint={**TEXT, "description": "Of the car."}, note=TEXT),
        ["'colour' was renamed to 'paint'"],
    ),
    "no reason": (payload(colour=TEXT), payload(weight=TEXT), []),
    "another end": (payload(start_time=TEXT), payload(end_time=TEXT), []),
    "another type": (payload(mail=TEXT), payload(email=WHOLE), []),
}


@pytest.mark.parametrize("case", RENAMES)
def test_a_rename_has_a_reason(case: str, tmp_path: Path) -> None:
    old, new, expected = RENAMES[case]
    found = compared(tmp_path, old, new)
    assert [each.message for each in found] == expected
    assert all(each.rule == "FIELD_RENAMED" for each in found)


def test_a_rename_of_an_optional_field_says_that_its_value_is_lost(tmp_path: Path) -> None:
    [optional] = compared(tmp_path, payload(mail=TEXT), payload(email=TEXT))
    assert optional.effect.startswith("no event is refused, but listeners do not get the value")
    old, new = ({**payload(**{name: TEXT}), "required": [name]} for name in ("mail", "email"))
    [required] = compared(tmp_path, old, new)
    assert required.effect.startswith("events already stored will not reach the new listener")


@pytest.mark.parametrize("keyword", ["oneOf", "anyOf"])
def test_the_branch_that_changed_is_named(keyword: str, tmp_path: Path) -> None:
    first = {**payload(a=WHOLE, b=TEXT), "required": ["a"]}
    second = {**payload(c=WHOLE, d=TEXT), "required": ["c"]}
    changed = {**payload(c=WHOLE, d={**TEXT, "minLength": 2}, e=TEXT), "required": ["c", "e"]}
    old, new = ({**payload(u={keyword: [first, last]})} for last in (second, changed))
    assert {each[1] for each in findings(tmp_path, old, new)} == {"REQUIRED_FIELD_ADDED", "LENGTH_NARROWED"}


def test_a_payload_proves_its_own_finding(tmp_path: Path) -> None:
    old = payload(a={**TEXT, "pattern": "^(?=a)[a-c]+$"})
    new = payload(a={**TEXT, "pattern": "^(?=a)[abc]+$", "maxLength": 3})
    rules = {each[1]: each[2] for each in findings(tmp_path, old, new) if each[0] == "backward"}
    assert rules["UNDECIDED"] is None


def test_a_finding_about_names_has_a_place_in_each_event(tmp_path: Path) -> None:
    old, new = (
        {"type": "object", "additionalProperties": TEXT, **more}
        for more in ({"propertyNames": {"maxLength": 3}}, {})
    )
    for folder, schema in (("old", payload(labels=old)), ("new", payload(labels=new))):
        (tmp_path / folder).mkdir()
        document = events(signed_in=schema, signed_out=schema)
        (tmp_path / folder / "auth.json").write_text(json.dumps(document, indent=1))
    found = by_place(compare(version(tmp_path / "old"), version(tmp_path / "new"), Mode.FORWARD))
    places = {(each.event, Path(each.path).parent.name, each.line > 1) for each in found}
    assert places == {("auth.signed_in", "new", True), ("auth.signed_out", "new", True)}
