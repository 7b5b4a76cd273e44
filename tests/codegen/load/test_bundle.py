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
