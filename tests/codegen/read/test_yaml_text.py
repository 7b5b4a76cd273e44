"""YAML, read as the JSON it represents."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lightbus_gen.read.input_problems import UnreadableText
from lightbus_gen.read.yaml_text import read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: no", {"a": "no"}),
        ("a: on", {"a": "on"}),
        ("a: 2026-11-23", {"a": "2026-11-23"}),
        ("a: 12:30:00", {"a": "12:30:00"}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: true", {"a": True}),
        ("a: ~", {"a": None}),
        ("a:", {"a": None}),
        ("a: 0x1F", {"a": 31}),
        ("a: 0o17", {"a": 15}),
        ("a: 017", {"a": 17}),
        ("a: 1.50", {"a": 1.5}),
        ("a: 1e3", {"a": 1000.0}),
        ('a: "1"', {"a": "1"}),
        ("200: ok", {"200": "ok"}),
        ("true: ok", {"true": "ok"}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
        ("", None),
    ],
)
def test_words_mean_what_json_means(text: str, value: Any) -> None:
    read = read_yaml(text)[0]
    assert read == value
    assert json.dumps(read) == json.dumps(value)


@pytest.mark.parametrize(
    "text",
    ["a: .inf", "a: !!binary aGk=", "a: !mine x", "? [a]\n: b", "a: 1\n--- \nb: 2", "a: \x01", "a: [1", "%"],
)
def test_what_json_cannot_hold_is_refused_where_it_stands(text: str) -> None:
    with pytest.raises(UnreadableText) as caught:
        read_yaml(text)
    [problem] = caught.value.problems
    assert problem.line >= 1 and problem.column >= 1
    assert problem.fix


words = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\ufeff"))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=12,
)


@given(json_values)
def test_json_is_yaml(value: Any) -> None:
    assert read_yaml(json.dumps(value, ensure_ascii=False))[0] == value
    # quoted strings: those that are numbers in YAML 1.2, such as 08 and 1e5, PyYAML writes unquoted, by YAML
    # 1.1
    assert read_yaml(yaml.safe_dump(value, allow_unicode=True, default_style='"'))[0] == value


@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"%@#,? \n\t01.~<"), max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        json.dumps(read_yaml(text)[0])
    except UnreadableText as error:
        assert error.problems
