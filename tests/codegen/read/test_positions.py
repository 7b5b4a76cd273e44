"""Line and column of places in JSON text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightbus.schema.language.keywords import pointer
from lightbus_gen.read.positions import index, places, repeated_keys

TEXT = """{
  "a": [1, {"b": null}, [true, "x,y]"]],
  "c/d": {"~": "\\"quoted\\" }"},
  "": []
}
"""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ((), (1, 1)),
        (("a",), (2, 3)),
        (("a", 0), (2, 9)),
        (("a", 1), (2, 12)),
        (("a", 1, "b"), (2, 13)),
        (("a", 2, 1), (2, 32)),
        (("c/d", "~"), (3, 11)),
        (("",), (4, 3)),
    ],
)
def test_index(path: tuple[str | int, ...], place: tuple[int, int]) -> None:
    assert index(TEXT)[path] == place


def test_pointer_escapes() -> None:
    assert pointer(("a/b", "~", 0)) == "/a~1b/~0/0"


def test_repeated_keys_are_found_where_they_repeat() -> None:
    text = '{"a": {"x": 1, "x": 2},\n "b": 0,\n "a": {"x": 1}}'
    assert list(repeated_keys(text)) == [(("a", "x"), 1, 16), (("a",), 3, 2)]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values, st.sampled_from([None, 1]), st.booleans())
def test_every_value_has_its_place(value: Any, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    found = dict(places(text))
    assert set(found) == set(_paths(value, ()))
    for path, offset in found.items():
        if path and isinstance(path[-1], str):
            assert json.JSONDecoder().raw_decode(text, offset)[0] == path[-1]
        elif path:
            assert json.JSONDecoder().raw_decode(text, offset)[0] == _at(value, path)


def _paths(value: Any, path: tuple[str | int, ...]) -> list[tuple[str | int, ...]]:
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return [path, *(inner for key, child in children for inner in _paths(child, (*path, key)))]


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        value = value[step]
    return value
