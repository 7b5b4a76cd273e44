"""What is said of regular expressions is what the run time's validator says of texts."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightbus.schema.validation import validator
from lightbus_gen.compat.language import text_outside

PARTS = ("a", "b", "[ab]", "[^a]", ".", r"\d", r"\w", r"\s", r"\S", "1", "-", "(?:a|b1)", "(ab|)", "^", "$")
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
    writer, reader = (validator({"type": "string", "pattern": pattern}) for pattern in (sent, taken))
    try:
        text = text_outside((sent,), taken)
    except ValueError:
        return
    if text is None:
        assert [one for one in TEXTS if writer.is_valid(one) and not reader.is_valid(one)] == []
    else:
        assert writer.is_valid(text)
        assert not reader.is_valid(text)


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
    ],
)
def test_it_is_the_shortest_text(sent: str, taken: str, text: str | None) -> None:
    found = text_outside((sent,), taken)
    assert (found is None) is (text is None)
    assert found is None or text is None or len(found) == len(text)


def test_several_expressions_hold_together() -> None:
    assert text_outside(("^[ab]*$", "^.{0,2}$"), "^[ab]{0,2}$") is None


@pytest.mark.parametrize("taken", ["^(?=a)", r"(a)\1", r"\bword", "a" * 4_000, "^(a{1,60}){1,60}$"])
def test_what_is_too_intricate_is_said_to_be(taken: str) -> None:
    assert re.compile(taken)
    with pytest.raises(ValueError, match="too intricate"):
        text_outside(("^a",), taken)
