"""Foreign text stays text, whatever it holds."""

from __future__ import annotations

import ast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lightbus_gen.text import docstring, literal, plain

hostile = st.text(
    st.sampled_from(['"', "'", "\\", "\n", "\r", "\t", " ", "#", "{", "}", "%", "a", "\u2028", "\x00"])
)


@given(st.text() | hostile)
@example('"""')
@example("ends with a backslash\\")
def test_literals_are_the_value(value: str) -> None:
    assert ast.literal_eval(literal(value)) == value


@pytest.mark.parametrize("value", [True, None, -1, 2.5, 10**30])
def test_plain_values_are_literals(value: bool | float | None) -> None:
    assert ast.literal_eval(literal(value)) == value


@given(st.text() | hostile, st.sampled_from([0, 4, 8]))
@example('"""', 4)
@example('\\"""', 4)
@example('quote"', 0)
@example("backslash\\", 0)
@example("x" * 200 + ' """', 8)
def test_a_docstring_is_one_string_and_nothing_else(text: str, indent: int) -> None:
    margin = " " * indent
    source = "".join(f"{' ' * depth}if True:\n" for depth in range(indent)) + margin + docstring(text, indent)
    statements = ast.parse(source).body
    for _ in range(indent):
        [statement] = statements
        assert isinstance(statement, ast.If)
        statements = statement.body
    [statement] = statements
    assert isinstance(statement, ast.Expr)
    value = ast.literal_eval(statement.value)
    assert "".join(value.split()) == "".join(_readable(text).split())


@given(st.text())
def test_comments_stay_on_one_line(text: str) -> None:
    assert len(f"# {plain(text)}".splitlines()) == 1


def _readable(text: str) -> str:
    """What a docstring shows: line breaks kept, other unprintable characters as they are."""
    return "".join(text.strip().splitlines())
