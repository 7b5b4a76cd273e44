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


DRAFTS = {
    "draft-04": "http://json-schema.org/draft-04/schema#",
    "draft-06": "http://json-schema.org/draft-06/schema#",
    "draft-07": "http://json-schema.org/draft-07/schema#",
    "2019-09": "https://json-schema.org/draft/2019-09/schema",
    "2020-12": "https://json-schema.org/draft/2020-12/schema",
}
OLD = ("draft-04", "draft-06", "draft-07")
KINDS: dict[str, tuple[tuple[str, ...], dict[str, Any], list[Any], list[Any]]] = {
    "a tuple": (
        (*OLD, "2019-09"),
        {"items": [{"type": "integer"}, {"type": "string"}], "additionalItems": False},
        [[1, "x"], [1], []],
        [["x"], [1, "x", 2]],
    ),
    "an open tuple": ((*OLD, "2019-09"), {"items": [{"type": "integer"}]}, [[1, "x"]], [["x"]]),
    "a rest of a tuple": (
        (*OLD, "2019-09"),
        {"items": [{}], "additionalItems": {"type": "integer"}},
        [["x", 1]],
        [[1, "x"]],
    ),
    "no tuple": (
        (*OLD, "2019-09"),
        {"items": {"type": "string"}, "additionalItems": {"type": "integer"}},
        [["x", "y"]],
        [["x", 1]],
    ),
    "an exclusive limit": (
        ("draft-04",),
        {"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 9, "exclusiveMaximum": False},
        [1, 9],
        [0, 10],
    ),
    "a limit": (
        ("draft-06", "draft-07", "2019-09", "2020-12"),
        {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 9},
        [1, 8],
        [0, 9],
    ),
    "dependencies": (
        OLD,
        {"properties": {"a": {}, "b": {}, "c": {}}, "dependencies": {"a": ["b"], "b": {"required": ["c"]}}},
        [{}, {"c": 1}, {"a": 1, "b": 1, "c": 1}],
        [{"a": 1}, {"b": 1}],
    ),
    "a hidden sibling": (
        OLD,
        {"$ref": "#/definitions/text", "maxLength": 1, "definitions": {"text": {"type": "string"}}},
        ["long"],
        [1],
    ),
    "a sibling": (
        ("2019-09", "2020-12"),
        {"$ref": "#/definitions/text", "maxLength": 4, "definitions": {"text": {"type": "string"}}},
        ["long"],
        [1, "longer"],
    ),
    "a keyword to come": (("draft-04", "draft-06"), {"if": True, "then": False, "type": "string"}, ["x"], [1]),
    "a constant": (("draft-06", "draft-07", "2019-09", "2020-12"), {"const": 1}, [1], [2]),
    "no constant": (("draft-04",), {"const": 1, "type": "integer"}, [2], ["x"]),
    "a name in data": (OLD, {"enum": [{"items": [1], "$schema": 2}]}, [{"items": [1], "$schema": 2}], [{}]),
    "a property called id": (
        OLD,
        {"properties": {"id": {"type": "string"}, "items": {"type": "string"}, "$ref": {"type": "string"}}},
        [{"id": "x", "items": "x"}],
        [{"id": 1}, {"items": 1}, {"$ref": 1}],
    ),
    "a vendor's place": (
        OLD,
        {"$ref": "#/components/schemas/pair", "components": {"schemas": {"pair": {"items": [{"type": "integer"}]}}}},
        [[1, "x"]],
        [["x"]],
    ),
    "a newer tuple": (("2020-12",), {"prefixItems": [{"type": "integer"}], "items": False}, [[1], []], [[1, 2], ["x"]]),
}  # fmt: skip


@pytest.mark.parametrize("outer", DRAFTS)
@pytest.mark.parametrize("kind", KINDS)
def test_files_of_several_drafts_refer_to_each_other(kind: str, outer: str) -> None:
    """Each keeps the meaning of its own draft, as the target of the file, of a definition, and one file further on."""
    drafts, schema, valid, invalid = KINDS[kind]
    for inner in drafts:
        own = {"$schema": DRAFTS[inner], **schema}
        between = {"$schema": DRAFTS["draft-07"], "properties": {"next": {"$ref": f"{inner}.json"}}}
        root = {
            "$schema": DRAFTS[outer],
            "type": "object",
            "properties": {
                "value": {"$ref": f"../_types/{inner}.json"},
                "deep": {"$ref": "../_types/between.json"},
            },
        }
        files = {f"_types/{inner}.json": own, "_types/between.json": between, "api/happened.json": root}
        texts = {path: json.dumps(each).encode() for path, each in files.items()}
        document = generate(Path("absent"), "one_bus", texts=texts)["one_bus/schemas/api.json"]
        contract = SchemaDocument.parse(document, source="api.json").contract("happened")
        for value in valid:
            for payload in ({"value": value}, {"deep": {"next": value}}):
                assert contract.encode(payload) == payload
        for value in invalid:
            for payload in ({"value": value}, {"deep": {"next": value}}):
                with pytest.raises(InvalidEventArguments):
                    contract.encode(payload)
