"""Patterns: those of ECMA 262, in bounded time."""

from __future__ import annotations

from typing import Any

import pytest

from lightbus.errors import InvalidEvent, InvalidEventArguments
from lightbus.schema import is_pattern, pattern_matches
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
