"""Foreign text stays text, whatever it contains."""

from __future__ import annotations

import ast
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lightbus.foreign import escaped
from lightbus_gen.emit.text import comment, docstring, first_sentence, literal, literal_lines, markdown

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
    assert len(f"# {escaped(text)}".splitlines()) == 1


@given(st.text() | hostile, st.integers(10, 120))
@example("def handler(event: EventMessage, a: str,  b: int)", 20)
def test_literals_side_by_side_are_the_text(text: str, width: int) -> None:
    lines = literal_lines(text, width)
    assert ast.literal_eval("(" + "\n".join(lines) + ")") == text
    too_long = [line for line in lines if len(line) > width]
    assert all(" " not in ast.literal_eval(line).rstrip(" ") for line in too_long)


@given(st.text() | hostile)
def test_a_comment_is_nothing_but_a_comment(text: str) -> None:
    lines = comment(text, 8)
    assert ast.parse("\n".join([*lines, "x"])).body[0].lineno == len(lines) + 1
    assert bool(lines) == bool(text.strip())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", ""),
        ("  \n", ""),
        ("One", "One."),
        ("One. Two.", "One."),
        ("One\ntwo", "One."),
        ("v1.2 is out.", "v1.2 is out."),
    ],
)
def test_first_sentences(text: str, sentence: str) -> None:
    assert first_sentence(text) == sentence


@given(st.text() | hostile)
@example("a | b [c](d) <e> `f` *g* _h_ &i; # j")
def test_markdown_is_left_nothing_to_act_on(text: str) -> None:
    written = markdown(text)
    assert len(written.splitlines()) <= 1
    bare = re.sub(r"\\[\\`*_{}\[\]<>#|&~]", "", written)
    assert not set(bare) & set("\\`*_{}[]<>#|&~")
    assert re.sub(r"\\(.)", r"\1", written) == escaped(text)


def _readable(text: str) -> str:
    """Return what a docstring shows: line breaks kept, other unprintable characters as they are."""
    return "".join(text.strip().splitlines())
