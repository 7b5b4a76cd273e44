"""Patterns: those of ECMA 262, in bounded time."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import pytest

from lightbus.errors import InvalidEvent, InvalidEventArguments
from lightbus.schema import is_pattern, pattern_matches
from lightbus.schema.language.pattern_bounds import MAX_MATCHED, is_linear
from tests.schema.build import written

HOSTILE = "a" * 40 + "!"


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        (r"^\d+$", "3", True),
        (r"^\d+$", "\u0663", False),  # Python's \d matches the digits of every script
        (r"^\w+$", "\u00e9", False),
        (r"^\cA$", "\x01", True),
        (r"^\p{L}+$", "\u00e9", True),
        (r"a$", "a\n", False),
        (r"(?<=a)b", "ab", True),
        (r"^(?!x)(a|b)\1$", "aa", True),
        ("^(a+)+$", HOSTILE, False),
        ("^(?=a)(a|aa)+$", HOSTILE, False),
        (r"^(a|a)*\1$", HOSTILE, False),
    ],
)
def test_patterns_have_the_meaning_of_ecma(pattern: str, text: str, matches: bool) -> None:
    assert is_pattern(pattern)
    assert pattern_matches(pattern, text) is matches


@pytest.mark.parametrize("text", ["(", r"\Z", "[", "^((a{0,100}){0,100}){0,100}$"])
def test_what_is_no_pattern_is_known(text: str) -> None:
    assert not is_pattern(text)


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": r"^(a|a)*\1$"},
        {"not": {"pattern": r"^(a|a)*\1$"}},
        {"anyOf": [{"type": "integer"}, {"pattern": r"^(a|a)*\1$"}]},
    ],
)
def test_a_value_that_takes_its_pattern_too_long_is_refused(schema: dict[str, Any]) -> None:
    sold = written({"type": "object", "properties": {"what": schema}})
    with pytest.raises(InvalidEventArguments) as fired:
        sold.encode({"what": HOSTILE})
    with pytest.raises(InvalidEvent) as received:
        sold.decode({"what": HOSTILE})
    for caught in (fired, received):
        [problem] = caught.value.problems
        assert problem.message.endswith("takes a pattern of the schema too long to match")


LINEAR = (
    "^(a+)+$",
    r"^\p{L}+$",
    "[a-z]|[*+]+",
    r"^(?:a|aa)+$",
    r"\d{1,50}\W",
    "(?<name>a)",
    r"^((a{0,9}){0,9})$",
    "",
)
BACKTRACKING = {
    "look-ahead": "(?=.*[0-9])(?=.*[a-z]).{8,}",
    "negative look-ahead": "(?!.*[0-9])[a-z]",
    "look-ahead over the rest in a repetition": "(?:(?=.*[0-9])[a-z])*[0-9]",
    "look-behind": "(?<=a)b|a$",
    "negative look-behind": "(?<!b)a",
    "backreference": r"(a+)\1b|a$",
    "nested quantifiers before a backreference": r"((a+)+)\1$",
    "alternatives and a look-around": "^b|(?=a)a",
    "word boundary": r"\ba+\b|(?:\b\w+\b\s?)+!",
    "Unicode classes": r"(?=.*\p{L})\p{Ll}+$",
    "two alike beginnings": "a(?=a)(a|aa)+$",
}
TOO_LONG = (
    f"is longer than the {MAX_MATCHED:,} characters that a pattern with a look-around, backreference or word boundary"
    " is matched with"
)


@pytest.mark.parametrize("pattern", LINEAR)
def test_a_pattern_without_backtracking_is_matched_with_any_text(pattern: str) -> None:
    assert is_linear(pattern)
    assert pattern_matches(pattern, "a" * 100_000) is pattern_matches(pattern, "a" * 100)


@pytest.mark.parametrize("pattern", BACKTRACKING.values(), ids=BACKTRACKING)
def test_a_text_just_over_the_bound_of_its_pattern_is_refused(pattern: str) -> None:
    assert is_pattern(pattern)
    assert not is_linear(pattern)
    longest = ("a" * MAX_MATCHED)[:-1] + "\U0001f980"  # characters, not bytes
    unbounded = jsonschema_rs.validator_for({"pattern": pattern})
    for text in ("a", "a" * 30, "ab1", "b", "", longest[:100], "é" * 100):
        assert pattern_matches(pattern, text) is unbounded.is_valid(text)
    assert pattern_matches(f"{pattern}|", longest)
    assert not pattern_matches(f"{pattern}|", longest + "a")


@pytest.mark.parametrize("pattern", (*LINEAR, *BACKTRACKING.values(), r"\Z", "(", "(?x)a # b"))
def test_every_pattern_that_the_linear_engine_refuses_is_bounded(pattern: str) -> None:
    linear = jsonschema_rs.RegexOptions()
    try:
        jsonschema_rs.validator_for({"pattern": pattern}, pattern_options=linear)
    except jsonschema_rs.ValidationError:
        assert not is_linear(pattern) or not is_pattern(pattern)


TAG = "(?!x)[a-z]"
PLACES: dict[str, tuple[dict[str, Any], Callable[[str], Any]]] = {
    "pattern": ({"pattern": TAG}, str),
    "under not": ({"not": {"pattern": "(?!a)[a-z]{2}"}}, str),
    "in a branch": ({"anyOf": [{"type": "integer"}, {"pattern": TAG}]}, str),
    "in a condition": ({"if": {"pattern": TAG}, "else": {"maxLength": 1}}, str),
    "propertyNames": ({"propertyNames": {"pattern": TAG}}, lambda text: {text: 1}),
    "patternProperties": (
        {"patternProperties": {TAG: True}, "additionalProperties": False},
        lambda text: {text: 1},
    ),
    "items": ({"items": {"pattern": TAG}}, lambda text: ["a", text]),
    "a reference": ({"$ref": "#/$defs/tag"}, str),
    "a reference to the schema of a pattern": (
        {"$ref": "#/$defs/map/patternProperties/%5E%28%3F%3D~1%29/properties/a"},
        str,
    ),
}


@pytest.mark.parametrize(("schema", "value"), PLACES.values(), ids=PLACES)
def test_both_sides_refuse_what_is_too_long_for_a_pattern_wherever_it_is(
    schema: dict[str, Any], value: Callable[[str], Any]
) -> None:
    defs = {
        "tag": {"type": "string", "pattern": TAG},
        "map": {"patternProperties": {"^(?=/)": {"properties": {"a": {"pattern": TAG}}}}},
    }
    sold = written({"type": "object", "properties": {"what": schema}}, **{"$defs": defs})
    short, long = value("a" * MAX_MATCHED), value("a" * (MAX_MATCHED + 1))
    assert sold.encode({"what": short}) == sold.decode({"what": short}) == {"what": short}
    with pytest.raises(InvalidEventArguments) as fired:
        sold.encode({"what": long})
    with pytest.raises(InvalidEvent) as received:
        sold.decode({"what": long})
    assert fired.value.problems == received.value.problems
    [problem] = fired.value.problems
    assert problem.message.endswith(TOO_LONG)


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ({"patternProperties": {TAG: {"const": 1}}}, {"a" * 2000: 2}),
        ({"propertyNames": {"not": {"pattern": "(?!a)x"}}}, {"a" * 2000: 1}),
        ({"items": {"pattern": TAG}}, ["a" * 2000]),
    ],
)
def test_what_is_too_long_for_a_pattern_is_the_problem_of_a_very_large_value(
    rule: dict[str, Any], value: object
) -> None:
    sold = written({"type": "object", "properties": {"what": rule, "rest": {"type": "array"}}})
    with pytest.raises(InvalidEvent) as received:
        sold.decode({"what": value, "rest": [0] * 6000})
    assert received.value.problems[0].message.endswith(TOO_LONG)


@pytest.mark.parametrize("rest", [[], [0] * 6000])
@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ({"pattern": TAG}, "x"),
        ({"propertyNames": {"pattern": TAG}}, {"x": 1}),
        ({"not": {"pattern": TAG}}, "a"),
        ({"patternProperties": {TAG: {"pattern": TAG}}}, {"a": "x"}),
    ],
)
def test_a_problem_shows_the_pattern_as_its_author_wrote_it(
    rule: dict[str, Any], value: object, rest: list[int]
) -> None:
    sold = written({"type": "object", "properties": {"what": rule, "rest": {"type": "array"}}})
    with pytest.raises(InvalidEvent) as received:
        sold.decode({"what": value, "rest": rest})
    problem = received.value.problems[0]
    assert "[\\s\\S]" not in problem.message
    assert "(?=)" not in problem.message
    assert TAG in problem.message or "not" in rule


def test_values_under_a_bounded_pattern_are_converted_and_explained() -> None:
    when = {
        "oneOf": [
            {"type": "string", "format": "date"},
            {"type": "object", "properties": {"at": {"$ref": "#/$defs/day"}}},
        ]
    }
    days = {"type": "object", "patternProperties": {"^(?!x)": when}, "additionalProperties": False}
    day = {"type": "string", "format": "date"}
    sold = written({"type": "object", "properties": {"days": days}}, **{"$defs": {"day": day}})
    date = datetime.date(2026, 1, 31)
    assert sold.decode({"days": {"a": "2026-01-31", "b": {"at": "2026-01-31"}}}) == {
        "days": {"a": date, "b": {"at": date}}
    }
    with pytest.raises(InvalidEvent) as received:
        written({"type": "object", "properties": {"days": {"patternProperties": {"^(?!x)": day}}}}).decode(
            {"days": {"a": 1}}
        )
    assert [str(problem) for problem in received.value.problems] == ["days.a: expected date, got int 1"]


HOSTILE_TEXTS: tuple[Callable[[int], str], ...] = (
    lambda n: "a" * n,
    lambda n: "a" * (n - 1) + "1",
    lambda n: "ab " * (n // 3),
    lambda n: "\u00e9" * n,
)


@pytest.mark.parametrize("pattern", (*LINEAR, *BACKTRACKING.values()))
def test_matching_takes_time_in_proportion_to_the_text(pattern: str) -> None:
    def seconds(text: str) -> float:
        began = time.perf_counter()
        pattern_matches(pattern, text)
        return time.perf_counter() - began

    for text_of in HOSTILE_TEXTS:
        short, long = text_of(25_000), text_of(200_000)
        pattern_matches(pattern, short)
        expected = 8 * max(min(seconds(short) for _ in range(3)), 0.001)
        assert min(seconds(long) for _ in range(3)) < 4 * expected
