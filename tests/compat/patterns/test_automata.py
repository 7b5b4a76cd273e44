"""Verdicts on regular expressions agree with matching strings one by one."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightbus.schema.language.validation import validator
from lightbus_gen.compat.patterns.automata import text_outside

PARTS = ("a", "b", "[ab]", "[^a]", ".", r"\d", r"\w", r"\W", "1", "-", "(?:a|b1)", "(ab|)", "^", "$")
REPEATS = ("", "", "", "*", "+", "?", "{2}", "{1,3}", "{2,}")
TEXTS = ["".join(random.Random(seed).choices("ab1-c \n\u00e9_2\u00a0", k=seed % 7)) for seed in range(300)]


@st.composite
def expressions(draw: st.DrawFn) -> str:
    parts = draw(
        st.lists(st.tuples(st.sampled_from(PARTS), st.sampled_from(REPEATS)), min_size=1, max_size=4)
    )
    return "".join(part if part in "^$" else part + repeat for part, repeat in parts)


@given(expressions(), expressions())
def test_a_text_outside_is_and_without_one_there_is_none(sent: str, taken: str) -> None:
    writes, reads = matcher(sent), matcher(taken)
    try:
        text = text_outside((sent,), taken)
    except ValueError:
        return
    if text is None:
        assert [one for one in TEXTS if writes(one) and not reads(one)] == []
    else:
        assert writes(text)
        assert not reads(text)


def matcher(expression: str) -> Callable[[str], bool]:
    """Match as ECMA 262 does, where `$` is the end of the string and nothing else."""
    compiled = re.compile(expression.replace("$", r"\Z"), re.ASCII)
    return lambda text: compiled.search(text) is not None


@pytest.mark.parametrize(
    ("sent", "taken", "text"),
    [
        ("^a{2}$", "^a{2,3}$", None),
        ("^a{2,3}$", "^a{2}$", "aaa"),
        ("a", "^a", "aa"),
        ("^a|b$", "a|b", None),
        ("^.+$", "^.*$", None),
        (r"^\d{4}-\d\d$", "^[0-9-]+$", None),
        ("^[^/]+$", "^[^ ]+$", " "),
        ("$^", "b", ""),
        ("^", "$^", "a"),
    ],
)
def test_it_is_the_shortest_text(sent: str, taken: str, text: str | None) -> None:
    found = text_outside((sent,), taken)
    assert (found is None) is (text is None)
    assert found is None or text is None or len(found) == len(text)


@pytest.mark.parametrize("expression", [r"^\s$", r"^\S$", r"^\w$", r"^\D$", "^.$", "^[^a]$"])
@pytest.mark.parametrize(
    "text", ["a", "_", "0", " ", "\n", "\r", "\u00a0", "\u2028", "\ufeff", "\x85", "\u0661"]
)
def test_characters_are_those_of_the_run_time(expression: str, text: str) -> None:
    is_valid = validator({"type": "string", "pattern": expression}).is_valid(text)
    assert (text_outside((f"^{text}$",), expression) is None) is is_valid


def test_several_expressions_hold_together() -> None:
    assert text_outside(("^[ab]*$", "^.{0,2}$"), "^[ab]{0,2}$") is None


@pytest.mark.parametrize("taken", ["^(?=a)", r"(a)\1", r"\bword", "a" * 4_000, "^(a{1,60}){1,60}$"])
def test_what_is_too_intricate_is_said_to_be(taken: str) -> None:
    assert re.compile(taken)
    with pytest.raises(ValueError, match="too complex"):
        text_outside(("^a",), taken)
