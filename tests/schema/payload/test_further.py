"""Undeclared properties have Python names of their own, and each leads back to its property."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightbus.naming import python_names
from lightbus.schema.payload.further import FurtherNames

WIRES = st.text(alphabet="a-_", max_size=4) | st.sampled_from(
    ["self", "self_", "class", "class_", "user-name"]
)


@given(st.sets(WIRES), st.sets(WIRES))
def test_names_are_distinct_and_lead_back(declared: set[str], further: set[str]) -> None:
    names = python_names(sorted(declared))
    made = FurtherNames(names)
    undeclared = further - declared
    given_names = {wire: made.python_name(wire) for wire in undeclared}
    assert {name: made.wire_name(name) for name in given_names.values()} == {
        name: wire for wire, name in given_names.items()
    }
    assert set(given_names.values()).isdisjoint({*names, *names.values(), "self"})


@pytest.mark.parametrize(
    ("declared", "wire", "name"),
    [
        ("user-name", "user_name", "user_name_"),
        ("user-name", "user_name_", "user_name__"),
        ("user-name", "user name", "user name"),
        ("user_name", "user_name_", "user_name_"),
        ("anything", "self", "self_"),
        ("self", "self_", "self__"),
    ],
)
def test_only_names_in_the_way_of_a_parameter_change(declared: str, wire: str, name: str) -> None:
    assert FurtherNames(python_names([declared])).python_name(wire) == name


def test_a_name_of_a_million_underscores_takes_no_time() -> None:
    made = FurtherNames({"a-": "a_"})
    wire = "a" + "_" * 1_000_000
    assert made.wire_name(made.python_name(wire)) == wire
