"""A schema that grows renames no type and changes the meaning of none."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightbus_gen.generate import generate

BASE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "customer": {"type": "object", "properties": {"name": {"type": "string"}}},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
        "paid": {
            "oneOf": [
                {"title": "Card", "type": "object", "properties": {"number": {"type": "string"}}},
                {"type": "object", "properties": {"kind": {"const": "cash"}}, "required": ["kind"]},
                {"$ref": "#/$defs/Voucher"},
            ]
        },
        "device": {"type": "object", "properties": {"id": {}}, "additionalProperties": True},
    },
    "$defs": {
        "Line": {"type": "object", "properties": {"sku": {"type": "string"}}},
        "Voucher": {
            "type": "object",
            "properties": {"code": {"type": "string"}},
            "additionalProperties": True,
        },
    },
}
PLACES = (
    "properties",
    "$defs/Line/properties",
    "properties/customer/properties",
    "properties/device/properties",
)
NAMES = st.from_regex(r"new_[a-z]{1,6}", fullmatch=True)
SCHEMAS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"type": "string"},
        {"type": "object", "properties": {"x": {"type": "integer"}}},
        {"type": "array", "items": {"type": "object", "properties": {"y": {}}}},
        {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"z": {}}}]},
        {"$ref": "#/$defs/Line"},
    ]
)


def types(folder: Path, schema: dict[str, Any]) -> dict[str, str]:
    """Return the fields and aliases of each generated type, by `type` and `type.field`."""
    (folder / "shop").mkdir(exist_ok=True)
    (folder / "shop/placed.json").write_text(json.dumps(schema))
    text = generate(folder, "named_bus")["named_bus/shop.py"]
    found: dict[str, str] = {}
    for name, body in re.findall(
        r'^(\w+) = TypedDict\(\n    "\w+",\n    \{\n(.*?)    \},\n\)', text, re.M | re.S
    ):
        found[name] = "TypedDict"
        found |= {f"{name}.{key}": kind for key, kind in re.findall(r'"(\w+)": (.*),\n', body)}
    return found | dict(re.findall(r"^(\w+): TypeAlias = (\S.*)$", text, re.M))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(place=st.sampled_from(PLACES), name=NAMES, schema=SCHEMAS, in_front=st.booleans())
def test_a_new_property_renames_no_type(
    place: str, name: str, schema: dict[str, Any], in_front: bool, tmp_path: Path
) -> None:
    grown = copy.deepcopy(BASE)
    holder = grown
    for step in place.split("/"):
        holder = holder[step]
    fields = {name: schema, **holder} if in_front else {**holder, name: schema}
    holder.clear()
    holder.update(fields)
    before = types(tmp_path, BASE)
    assert len(before) > 10
    assert before.items() <= types(tmp_path, grown).items()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(title=NAMES, schema=SCHEMAS, index=st.integers(0, 3))
def test_a_new_branch_renames_no_type(title: str, schema: dict[str, Any], index: int, tmp_path: Path) -> None:
    grown = copy.deepcopy(BASE)
    grown["properties"]["paid"]["oneOf"].insert(index, {**schema, "title": title})
    before = types(tmp_path, BASE)
    assert before.items() <= types(tmp_path, grown).items()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(name=NAMES, schema=SCHEMAS)
def test_a_new_definition_renames_no_type(name: str, schema: dict[str, Any], tmp_path: Path) -> None:
    grown = copy.deepcopy(BASE)
    grown["$defs"] = {name: schema, **grown["$defs"]}
    grown["properties"]["uses"] = {"$ref": f"#/$defs/{name}"}
    before = types(tmp_path, BASE)
    assert before.items() <= types(tmp_path, grown).items()


@pytest.mark.parametrize(
    "part", ["_", "__", "-", "$", "", "\n", "🎉", "\u0301", "①", "数", "Ключ", "1", "_x", "%20"]
)
def test_a_key_without_letters_names_a_class_of_its_own(part: str, tmp_path: Path) -> None:
    """As a property at every depth, of an item, of a definition, and as the value that names a branch."""
    inner = {"type": "object", "properties": {"x": {"type": "integer"}}}
    branches = [
        {**inner, "required": ["kind"], "properties": {"kind": {"const": kind}}} for kind in (part, "other")
    ]
    schema = {
        "type": "object",
        "properties": {
            "deep": {"type": "object", "properties": {part: {"type": "object", "properties": {part: inner}}}},
            "items": {"type": "array", "items": {"type": "object", "properties": {part: inner}}},
            "refers": {"$ref": f"#/$defs/{quote(part)}"},
            "path": {"$ref": "#/properties/deep"},
            "union": {"oneOf": branches},
        },
        "$defs": {part: inner},
    }
    names = [name for name, kind in types(tmp_path, schema).items() if kind == "TypedDict"]
    assert all(name.isidentifier() for name in names)
    assert len(names) == 8


def test_keys_without_letters_are_told_apart(tmp_path: Path) -> None:
    inner = {"type": "object", "properties": {"x": {"type": "integer"}}}
    keys = ("_", "__", "-", "low line", "LowLine", "", "empty")
    names = types(
        tmp_path, {"type": "object", "properties": {"k": {"properties": dict.fromkeys(keys, inner)}}}
    )
    assert len([name for name, kind in names.items() if kind == "TypedDict"]) == len(keys) + 1
