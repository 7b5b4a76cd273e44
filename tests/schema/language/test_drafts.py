"""A keyword applies from the draft that introduced it."""

from __future__ import annotations

from typing import Any

import pytest

from lightbus.schema.language.keywords import DRAFTS
from lightbus.schema.language.validation import validator
from tests.schema.build import written

REFUSING: dict[str, tuple[dict[str, Any], object]] = {
    "const": ({"const": 1}, 2),
    "if": ({"if": {}, "then": {"type": "string"}}, 2),
    "dependentSchemas": ({"dependentSchemas": {"a": {"required": ["b"]}}}, {"a": 1}),
    "unevaluatedProperties": ({"unevaluatedProperties": False}, {"a": 1}),
    "prefixItems": ({"prefixItems": [{"type": "string"}]}, [1]),
    "$dynamicRef": ({"$dynamicRef": "#/$defs/a", "$defs": {"a": {"type": "string"}}}, 1),
}


@pytest.mark.parametrize("dialect", DRAFTS)
@pytest.mark.parametrize("keyword", REFUSING)
def test_unknown_keywords_are_those_that_validation_passes_over(dialect: str, keyword: str) -> None:
    schema, value = REFUSING[keyword]
    is_known = not validator({"$schema": dialect, **schema}).is_valid(value)
    assert is_known == (keyword not in DRAFTS[dialect].unknown)


def test_a_branch_that_the_draft_does_not_know_brings_no_parameters() -> None:
    branch = {"if": {}, "then": {"properties": {"b": {"type": "string"}}, "required": ["b"]}}
    schema = {"type": "object", "properties": {"a": {"const": 1}}, **branch}
    old = written({"$schema": "http://json-schema.org/draft-04/schema#", **schema})
    new = written({"$schema": "http://json-schema.org/draft-07/schema#", **schema})
    assert [parameter.name for parameter in old.parameters] == ["a"]
    assert [parameter.name for parameter in new.parameters] == ["a", "b"]
    assert old.decode({"a": 2}) == {"a": 2}
