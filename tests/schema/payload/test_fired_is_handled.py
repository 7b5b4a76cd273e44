"""What `fire()` accepts, every listener of the same schema accepts, and it gets the values that were fired."""

from __future__ import annotations

import copy
import datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from lightbus.api import NO_DEFAULT, Parameter
from lightbus.errors import InvalidEventArguments
from lightbus.schema import EventContract
from lightbus.schema.language.keywords import DRAFTS
from tests.schema.build import declared, exported, written

DATE = {"type": "string", "format": "date"}
WHEN = {"at": {"type": "string", "format": "date-time"}, "in": {"type": "string", "format": "duration"}}
NOON = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)
BASE: dict[str, Any] = {
    "type": "object",
    "properties": {"kind": {"enum": ["at", "in"]}, "when": {"type": "string"}, "soon": {"type": "boolean"}},
    "required": ["kind", "when"],
}


def conditions() -> list[dict[str, Any]]:
    """Return a condition for each kind of event."""
    return [
        {"if": {"properties": {"kind": {"const": kind}}}, "then": {"properties": {"when": when}}}
        for kind, when in WHEN.items()
    ]


def branches() -> list[dict[str, Any]]:
    """Return a branch for each kind of event."""
    return [{"properties": {"kind": {"const": kind}, "when": when}} for kind, when in WHEN.items()]


def dependent(keyword: str) -> dict[str, Any]:
    """Return a schema in which the format depends on the presence of a property."""
    absent = {"if": {"not": {"required": ["soon"]}}, "then": {"properties": {"when": WHEN["at"]}}}
    return {keyword: {"soon": {"properties": {"when": WHEN["in"]}}}, "allOf": [absent]}


REFINED: dict[str, dict[str, Any]] = {
    "if": {"allOf": conditions()},
    "else": {
        "if": {"properties": {"kind": {"const": "at"}}},
        "then": {"properties": {"when": WHEN["at"]}},
        "else": {"properties": {"when": WHEN["in"]}},
    },
    "oneOf": {"oneOf": branches()},
    "anyOf": {"anyOf": branches()},
    "allOf": {"allOf": [{"anyOf": branches()}]},
    "dependentSchemas": dependent("dependentSchemas"),
    "dependencies": {"$schema": "http://json-schema.org/draft-07/schema#", **dependent("dependencies")},
}


@pytest.mark.parametrize("place", ["payload", "nested"])
@pytest.mark.parametrize("refinement", REFINED)
def test_a_property_is_converted_by_the_branch_that_applies(refinement: str, place: str) -> None:
    schema: dict[str, Any] = {**BASE, **REFINED[refinement]}
    if place == "nested":
        head = {"$schema": schema.pop("$schema")} if "$schema" in schema else {}
        schema = {**head, "type": "object", "properties": {"inner": schema}}
    contract = written(copy.deepcopy(schema))
    for fired in ({"kind": "at", "when": NOON}, {"kind": "in", "when": SECOND, "soon": True}):
        values = fired if place == "payload" else {"inner": fired}
        assert contract.decode(contract.encode(values)) == values


@pytest.mark.parametrize("draft", DRAFTS)
@pytest.mark.parametrize("name", ["date-time", "date", "time", "duration", "uuid", "decimal"])
def test_a_format_that_is_converted_is_asserted_in_every_draft(draft: str, name: str) -> None:
    contract = written(
        {"$schema": draft, "type": "object", "properties": {"v": {"type": "string", "format": name}}}
    )
    with pytest.raises(InvalidEventArguments, match="'order-17' is not a"):
        contract.encode({"v": "order-17"})


def test_a_uuid_is_one_in_old_drafts() -> None:
    value = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
    schema = {"type": "object", "properties": {"v": {"type": "string", "format": "uuid"}}}
    contract = written({"$schema": "http://json-schema.org/draft-04/schema#", **schema})
    assert contract.decode(contract.encode({"v": value})) == {"v": value}


TEXTS: list[tuple[type, str]] = [
    (datetime.timedelta, "P1M"),
    (datetime.timedelta, "P1Y"),
    (datetime.timedelta, "P9999999999D"),
    (datetime.datetime, "2026-06-30T23:59:60Z"),
    (datetime.datetime, "0000-01-01T00:00:00Z"),
    (datetime.date, "0000-01-01"),
    (datetime.time, "23:59:60Z"),
]


@pytest.mark.parametrize("build", [declared, exported])
@pytest.mark.parametrize(("python", "text"), TEXTS)
def test_a_text_that_no_listener_can_hold_is_refused(build: Any, python: type, text: str) -> None:
    for declaration, value, place in (
        (python, text, "v"),
        (list[python], [text], r"v\[0\]"),  # type: ignore[valid-type]
        (dict[str, python], {"k": text}, r"v\.k"),  # type: ignore[valid-type]
    ):
        with pytest.raises(InvalidEventArguments, match=place) as caught:
            build(Parameter("v", declaration)).encode({"v": value})
        assert [problem.kind for problem in caught.value.problems] == ["conversion"]


@pytest.mark.parametrize("build", [declared, exported])
@pytest.mark.parametrize("python", [datetime.timedelta, list[datetime.timedelta] | None])
def test_weeks_are_read_by_every_listener(build: Any, python: Any) -> None:
    week = datetime.timedelta(weeks=1)
    text, expected = ("P1W", week) if python is datetime.timedelta else (["P1W"], [week])
    contract = build(Parameter("v", python))
    assert contract.decode(contract.encode({"v": text})) == {"v": expected}


@pytest.mark.parametrize("schema", [{"format": "duration"}, {"anyOf": [WHEN["in"], {"type": "string"}]}])
def test_a_text_that_stays_text_is_not_refused(schema: dict[str, Any]) -> None:
    contract = written({"type": "object", "properties": {"v": schema}})
    assert contract.decode(contract.encode({"v": "P1M"})) == {"v": "P1M"}


NAMED = {"type": "object", "properties": {"a": {"type": "string"}}, "patternProperties": {"^x-": DATE}}


def test_beside_declared_properties_only_names_of_a_pattern_are_fired() -> None:
    contract, inner = written(NAMED), written({"type": "object", "properties": {"inner": NAMED}})
    fired = {"a": "1", "x-day": datetime.date(2026, 1, 31)}
    assert contract.decode(contract.encode(fired)) == fired
    assert inner.decode(inner.encode({"inner": fired})) == {"inner": fired}
    with pytest.raises(InvalidEventArguments, match="note: is not in the schema"):
        contract.encode({"note": "text"})
    with pytest.raises(InvalidEventArguments, match=r"inner\.note: is not in the schema"):
        inner.encode({"inner": {"note": "text"}})
    assert contract.decode({"a": "1", "note": 1}) == {"a": "1"}
    assert inner.decode({"inner": {"a": "1", "note": 1}}) == {"inner": {"a": "1"}}


def test_a_map_of_patterns_stays_open() -> None:
    contract = written({"type": "object", "patternProperties": {"^x-": DATE}})
    assert contract.encode({"note": "text"}) == {"note": "text"}


def test_names_of_a_closed_pattern_outlive_a_newer_producer() -> None:
    contract = written({**NAMED, "additionalProperties": False})
    assert contract.decode({"a": "1", "x-day": "2026-01-31", "new": 1}) == {
        "a": "1",
        "x-day": datetime.date(2026, 1, 31),
    }


@pytest.mark.parametrize(
    "needs",
    [
        {"dependentRequired": {"card": ["code"]}},
        {"$schema": "http://json-schema.org/draft-07/schema#", "dependencies": {"card": ["code"]}},
        {"dependentSchemas": {"card": {"required": ["code"]}}},
    ],
)
def test_names_that_only_a_dependency_mentions_can_be_fired(needs: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"id": {"type": "integer"}}, **needs}
    contract = written(dict(schema))
    assert {p.name: p.required for p in contract.parameters} == dict.fromkeys(("id", "card", "code"), False)
    fired = {"id": 1, "card": "c", "code": 5}
    assert contract.decode(contract.encode(fired)) == fired
    with pytest.raises(InvalidEventArguments, match="code: is missing"):
        contract.encode({"card": "c"})
    schema.pop("$schema", None)
    head = {"$schema": needs["$schema"]} if "$schema" in needs else {}
    inner = written({**head, "type": "object", "properties": {"inner": schema}})
    assert inner.decode(inner.encode({"inner": fired})) == {"inner": fired}


def test_a_closed_schema_has_no_parameter_for_a_name_that_it_refuses() -> None:
    contract = written(
        {"properties": {"b": {}}, "additionalProperties": False, "dependentRequired": {"a": ["b"]}}
    )
    assert [parameter.name for parameter in contract.parameters] == ["b"]


@pytest.mark.parametrize(
    "refusing",
    [
        {"allOf": [{"properties": {"b": {}}, "additionalProperties": False}]},
        {"oneOf": [{"properties": {"b": {}}, "additionalProperties": False}, {"required": ["a"]}]},
        {"allOf": [{"properties": {"b": {}}, "unevaluatedProperties": False}]},
        {"allOf": [{"properties": {"a": {"const": 2}}}]},
        {"propertyNames": {"const": "b"}},
        {"dependentRequired": {"a": ["c"]}},
        {"dependentSchemas": {"a": {"required": ["c"]}}},
        {"not": {"required": ["a", "b"]}},
    ],
)
def test_a_default_that_a_schema_refuses_is_not_filled_in(refusing: dict[str, Any]) -> None:
    contract = written({"type": "object", "properties": {"a": {"default": 1}, "b": {}}, **refusing})
    assert contract.parameters[0].default is NO_DEFAULT
    assert contract.decode(contract.encode({"b": 2})) == {"b": 2}


def test_a_default_that_no_listener_can_hold_is_not_filled_in() -> None:
    contract = written({"type": "object", "properties": {"v": {**WHEN["in"], "default": "P1M"}}})
    assert contract.decode(contract.encode({})) == {}


@pytest.mark.parametrize(
    "harmless",
    [
        {"allOf": [{"properties": {"b": {}}}]},
        {"unevaluatedProperties": False, "allOf": [{"properties": {"b": {}}}]},
        {"dependentSchemas": {"a": {"properties": {"c": {}}}}},
        {"oneOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"a": {"const": 2}}}]},
    ],
)
def test_a_default_that_no_schema_refuses_is_filled_in(harmless: dict[str, Any]) -> None:
    contract = written({"type": "object", "properties": {"a": {"default": 1}, "b": {}}, **harmless})
    assert contract.encode({"b": 2}) == {"a": 1, "b": 2}


NAMES = ("a", "b", "x-1", "in")
RICH = {
    "date-time": ["2026-01-31T12:00:00Z", "2026-06-30T23:59:60Z"],
    "date": ["2026-01-31", "0000-01-01"],
    "time": ["12:00:00Z", "23:59:60Z"],
    "duration": ["PT1H", "P1W", "P1M"],
    "uuid": ["6ba7b810-9dad-11d1-80b4-00c04fd430c8"],
    "decimal": ["12.50", "1e3"],
}
TEXTS_OF_ALL = ["order-17", "aGk=", *(text for texts in RICH.values() for text in texts)]


def _leaves() -> st.SearchStrategy[Any]:
    rich = st.sampled_from(sorted(RICH)).map(lambda name: {"type": "string", "format": name})
    other = [{"type": "integer"}, {"type": "string"}, {}, {"const": "PT1H"}, {"format": "duration"}]
    return st.one_of(rich, rich, st.sampled_from([*other, {"type": "string", "contentEncoding": "base64"}]))


def _objects(inner: st.SearchStrategy[Any], older: bool) -> st.SearchStrategy[dict[str, Any]]:
    """Draw the schema of an object, whose branches speak of the same properties."""
    own = {
        "properties": st.dictionaries(st.sampled_from(NAMES), inner, min_size=1, max_size=3),
        "required": st.sampled_from(NAMES).map(lambda name: [name]),
        "patternProperties": st.fixed_dictionaries({"^x-": inner}),
        "additionalProperties": st.booleans() | inner,
        ("dependencies" if older else "dependentRequired"): st.just({"a": ["in"]}),
    }
    plain = st.fixed_dictionaries({"properties": own.pop("properties")}, optional=own)
    branches = st.lists(plain, min_size=1, max_size=2)
    condition = st.sampled_from([{"required": ["a"]}, {"properties": {"b": {"const": "PT1H"}}}])
    in_place = {
        "allOf": branches,
        "anyOf": branches,
        "oneOf": branches,
        "if": condition,
        "then": plain,
        "else": plain,
        ("dependencies" if older else "dependentSchemas"): st.fixed_dictionaries({"in": plain}),
    }
    return st.builds(
        lambda own, more: {"type": "object", **own, **more},
        plain,
        st.fixed_dictionaries({}, optional=in_place),
    )


@st.composite
def contracts(draw: st.DrawFn) -> EventContract:
    """Draw the contract of an event, in any draft."""
    draft = draw(st.sampled_from([*DRAFTS]))
    older = "draft-0" in draft
    leaves = _leaves()
    nested = st.one_of(leaves, _objects(leaves, older), leaves.map(lambda item: {"items": item}))
    return written({"$schema": draft, **draw(_objects(nested, older))})


def values() -> st.SearchStrategy[dict[str, Any]]:
    """Draw a payload with the names and texts of the drawn schemas."""
    leaf = st.sampled_from([*TEXTS_OF_ALL, 1, 1.0])
    inner = st.one_of(
        leaf, st.dictionaries(st.sampled_from(NAMES), leaf, max_size=3), st.lists(leaf, max_size=2)
    )
    return st.dictionaries(st.sampled_from((*NAMES, "x-2", "new")), inner, max_size=4)


@given(contracts(), st.lists(values(), min_size=1, max_size=6))
@settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
)
def test_what_is_fired_is_handled_and_equal(contract: EventContract, payloads: list[dict[str, Any]]) -> None:
    fired = []
    for payload in payloads:
        try:
            fired.append(contract.prepare(payload)[0])
        except InvalidEventArguments:
            continue
    assume(fired)
    for data in fired:
        handled = contract.decode(copy.deepcopy(data))
        again = contract.by_wire_name(handled)
        sent, named = contract.prepare(again)
        assert contract.decode(copy.deepcopy(sent)) == handled
        assert named == handled
