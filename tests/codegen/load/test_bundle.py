"""The schema document in a generated package has the meaning of the author's files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lightbus.errors import InvalidEventArguments
from lightbus.schema import EventContract, SchemaDocument
from lightbus_gen.generate import generate


def bundled(schema: dict[str, Any]) -> EventContract:
    """Return the contract of an event, by the document that is generated from its schema."""
    files = generate(Path("absent"), "one_bus", texts={"api/happened.json": json.dumps(schema).encode()})
    return SchemaDocument.parse(files["one_bus/schemas/api.json"], source="api.json").contract("happened")


@pytest.mark.parametrize("root", [{}, {"$id": "https://acme.example/happened.json"}])
def test_definitions_with_ids_may_refer_to_each_other_from_the_root(root: dict[str, Any]) -> None:
    """By the specification, `#/` inside a schema with an `$id` starts from there; many authors mean the file."""
    contract = bundled(
        root
        | {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "properties": {"order": {"$ref": "#/definitions/order"}},
            "definitions": {
                "order": {
                    "$id": "https://acme.example/order.json",
                    "type": "object",
                    "properties": {
                        "line": {"$ref": "#/definitions/line"},
                        "own": {"$ref": "#/definitions/inner"},
                        "parent": {"$ref": "#/definitions/order"},
                    },
                    "definitions": {"inner": {"type": "boolean"}},
                },
                "line": {"$id": "line.json", "type": "integer"},
            },
        }
    )
    fired = {"order": {"line": 1, "own": True, "parent": {"line": 2}}}
    assert contract.encode(fired) == fired
    for wrong in ({"line": "x"}, {"own": 1}, {"parent": {"line": "x"}}):
        with pytest.raises(InvalidEventArguments):
            contract.encode({"order": wrong})


SOLD = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
HOLDERS: dict[str, Any] = {
    "definitions": {"definitions": {"Sold": SOLD}},
    "$defs": {"$defs": {"Sold": SOLD}},
    "OpenAPI": {"components": {"schemas": {"Sold": SOLD}}},
    "a property": {"properties": {"Sold": SOLD, "y": {"not": {}}}, "required": ["y"]},
    "a branch": {"allOf": [SOLD, {"not": {}}]},
    "a vendor's keyword": {"x-types": {"Sold": SOLD}},
    "the next": {"definitions": {"A": {"$ref": "#/$defs/Sold"}}, "$defs": {"Sold": SOLD}},
    "a type with an $id": {
        "$defs": {"Sold": {**SOLD, "$id": "sold.json", "id": "sold.json", "properties": {"x": {"$ref": "happened.json#/$defs/X"}}}, "X": {"type": "integer"}},
    },
}  # fmt: skip
POINTERS = {
    "definitions": "#/definitions/Sold",
    "$defs": "#/$defs/Sold",
    "OpenAPI": "#/components/schemas/Sold",
    "a property": "#/properties/Sold",
    "a branch": "#/allOf/0",
    "a vendor's keyword": "#/x-types/Sold",
    "the next": "#/definitions/A",
    "a type with an $id": "#/$defs/Sold",
}


@pytest.mark.parametrize("name", [{}, {"$id": "https://acme.example/happened.json"}], ids=["", "$id"])
@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("draft", ["draft-04", "draft-06", "draft-07"])
def test_the_reference_of_an_old_root_leads_anywhere(draft: str, holder: str, name: dict[str, Any]) -> None:
    """Everything else beside it is hidden, also where the document gives the schema an `$id`."""
    schema = {
        "$schema": f"http://json-schema.org/{draft}/schema#",
        **name,
        "$ref": POINTERS[holder],
        **HOLDERS[holder],
    }
    other = {"$schema": schema["$schema"], "type": "object", "properties": {"sold": {"$ref": f"../api/happened.json{POINTERS[holder]}"}, "whole": {"$ref": "../api/happened.json"}}}  # fmt: skip
    if holder.startswith("a type") and name:
        pytest.skip("its $id is relative to that of the file, which is hidden")
    texts = {f"{path}.json": json.dumps(each).encode() for path, each in {"api/happened": schema, "other/also": other}.items()}  # fmt: skip
    files = generate(Path("absent"), "one_bus", texts=texts)
    for api, event, wrap in (("api", "happened", ()), ("other", "also", ("sold", "whole"))):
        contract = SchemaDocument.parse(files[f"one_bus/schemas/{api}.json"], source=api).contract(event)
        for fired, is_valid in (({"x": 1}, True), ({"x": "1"}, False), ({}, False)):
            for key in wrap or (None,):
                payload: dict[str, Any] = {key: fired} if key else fired
                if is_valid:
                    assert contract.encode(payload) == payload
                else:
                    with pytest.raises(InvalidEventArguments):
                        contract.encode(payload)
