"""What a listener drops of a newer producer's event: whatever the keys, it ends and drops no more than it must."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightbus.errors import InvalidEvent
from lightbus.schema.language.misfits import Misfits
from lightbus.schema.language.node import Node
from lightbus.schema.language.reference import Document
from lightbus.schema.payload.pruning import prune, without
from tests.schema.build import written
from tests.schema.recursive import schemas, values

LINE = {"type": "object", "properties": {"sku": {"type": "string"}}, "additionalProperties": False}
LINES = {"type": "object", "properties": {"lines": {"type": "object", "additionalProperties": LINE}}}
KEYS = st.one_of(
    st.sampled_from(["", "0", "42", "-1", "a/b", "a~b", "~0", "~1", "/", "#", "%25", "sku", "k" * 100_000]),
    st.text(),
)


@pytest.mark.parametrize("key", ["42", "", "0", "/", "~", "~1", "a" * 100_000, "\u2028", "__proto__"])
def test_a_key_of_any_form_leads_to_what_is_dropped(key: str) -> None:
    assert written(LINES).decode({"lines": {key: {"sku": "s", "qty": 1}}}) == {"lines": {key: {"sku": "s"}}}


def test_a_key_that_is_not_unicode_text_is_a_problem() -> None:
    with pytest.raises(InvalidEvent, match="not Unicode text"):
        written(LINES).decode({"lines": {"\ud800": {"sku": "s", "qty": 1}}})


def nested(depth: int) -> dict[str, Any]:
    """Return the schema of maps in maps, with closed objects in the innermost."""
    schema: dict[str, Any] = LINE
    for _ in range(depth):
        schema = {"type": "object", "additionalProperties": schema}
    return {"type": "object", "properties": {"maps": schema}, "required": ["maps"]}


def walked(value: Any, depth: int) -> Any:
    """Prune maps in maps independently."""
    if depth:
        return {key: walked(inner, depth - 1) for key, inner in value.items()}
    return {key: inner for key, inner in value.items() if key == "sku"}


@given(st.data(), st.integers(0, 4))
def test_maps_in_maps_are_pruned_as_an_independent_walk_does(data: st.DataObject, depth: int) -> None:
    lines = st.dictionaries(
        KEYS.filter(lambda key: key != "sku"), st.integers() | st.lists(st.text()), max_size=3
    )
    maps: st.SearchStrategy[Any] = st.builds(
        lambda line, sku: {**line, **sku}, lines, st.sampled_from([{}, {"sku": "s"}])
    )
    for _ in range(depth):
        maps = st.dictionaries(KEYS, maps, max_size=3)
    value = data.draw(maps)
    before = json.dumps(value)
    assert written(nested(depth)).decode({"maps": value}) == {"maps": walked(value, depth)}
    assert json.dumps(value) == before


def fix(error: Any) -> set[tuple[Any, ...]]:
    """Return the paths of the properties that an error of the validator is about; empty if no removal fixes it."""
    details = error.kind.as_dict()
    if error.kind.name in ("additionalProperties", "unevaluatedProperties"):
        return {(*error.instance_path, name) for name in details["unexpected"]}
    branches = [[fix(inner) for inner in branch] for branch in details.get("context", ())]
    fixes = [set[Any]().union(*branch) for branch in branches if branch and all(branch)]
    return min(fixes, key=len, default=set())


def pruned_by_errors(value: dict[str, Any], validator: Any) -> dict[str, Any]:
    """Prune by the validator's own errors, which is only possible for small values without numeric keys."""
    while paths := set[Any]().union(*map(fix, validator.iter_errors(value))):
        value = without(value, paths)
    return value


@given(schemas(), values().filter(lambda value: isinstance(value, dict) and '"0"' not in json.dumps(value)))
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_the_schema_accepts_what_is_left_if_removals_can_achieve_that(
    schema: Node[Document], value: dict[str, Any]
) -> None:
    validator = schema.document.validator(schema)
    left = prune(value, Misfits(schema))
    if validator.is_valid(value):
        assert left == value
    if validator.is_valid(pruned_by_errors(value, validator)):
        assert validator.is_valid(left)


@pytest.mark.parametrize(
    ("draft", "anchor", "reference"),
    [
        ("2020-12", {"$dynamicAnchor": "node"}, {"$dynamicRef": "#node"}),
        ("2019-09", {"$recursiveAnchor": True}, {"$recursiveRef": "#"}),
    ],
)
def test_a_schema_that_another_one_extends_is_applied_as_extended(
    draft: str, anchor: dict[str, Any], reference: dict[str, Any]
) -> None:
    children = {"type": "array", "items": reference}
    tree = {"$id": "http://x/tree", **anchor, "properties": {"data": True, "children": children}}
    strict = {
        "$schema": f"https://json-schema.org/draft/{draft}/schema",
        "$id": "http://x/strict",
        **anchor,
        "$ref": "tree",
        "unevaluatedProperties": False,
        "$defs": {"tree": tree},
    }
    misfits = Misfits(Document(strict, "strict.json").root)
    value = {"children": [{"children": [{"data": 1, "new": 2}]}]}
    (misfit,) = misfits.explain(value, 20)
    assert misfit.undeclared == ("children", 0, "children", 0, "new")
    assert prune(value, misfits) == {"children": [{"children": [{"data": 1}]}]}
