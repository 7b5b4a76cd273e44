"""Reading schema documents, and the errors for files that are not schema documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lightbus.errors import InvalidEventArguments, SchemaError
from lightbus.schema import SchemaDocument

VALID: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "lightbus": 1,
    "api": "shop.orders",
    "description": "What is sold.",
    "events": {
        "sold": {
            "description": "Something was sold.",
            "parameters": {"type": "object", "properties": {"what": {"$ref": "#/$defs/Thing"}}},
        },
        "returned": {"parameters": {"type": "object"}},
    },
    "$defs": {"Thing": {"type": "string"}},
}


def test_reads_a_document(tmp_path: Path) -> None:
    path = tmp_path / "shop.orders.json"
    path.write_text(json.dumps(VALID))
    document = SchemaDocument.load(path)
    assert (document.api, document.description, document.source) == (
        "shop.orders",
        "What is sold.",
        str(path),
    )
    assert list(document.events) == ["sold", "returned"]
    contract = document.contract("sold")
    assert contract is document.contract("sold")
    assert contract.description == "Something was sold."
    assert contract.full_name == "shop.orders.sold"
    assert contract.decode({"what": "hat"}) == {"what": "hat"}


def changed(pointer: str, value: object) -> dict[str, Any]:
    """Return the valid document with one place changed, or removed by `...`."""
    document: Any = json.loads(json.dumps(VALID))
    *path, last = pointer.split("/")[1:]
    holder = document
    for key in path:
        holder = holder[key]
    if value is ...:
        del holder[last]
    else:
        holder[last] = value
    return document  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("data", "pointer", "problem"),
    [
        ([], "", "it is not a Lightbus schema document"),
        ({"type": "object"}, "", "it is not a Lightbus schema document"),
        (changed("/lightbus", 2), "/lightbus", "is in format 2, this lightbus reads format 1; upgrade"),
        (changed("/lightbus", True), "/lightbus", "is in format True"),
        (changed("/api", ...), "/api", 'the API has no name; add "api": "name"'),
        (changed("/api", "no-name"), "/api", "'no-name' is not a valid API name"),
        (changed("/events", ...), "/events", 'there is no object of events; add "events": {...}'),
        (changed("/events", []), "/events", 'there is no object of events; add "events": {...}'),
        (changed("/events/a b", {"parameters": {}}), "/events/a b", "'a b' is not a valid event name"),
        (changed("/events/sold", "x"), "/events/sold", "an event is an object with parameters"),
        (changed("/events/sold/parameters", ...), "/events/sold", "the event has no parameters"),
        (changed("/events/sold/parameters", []), "/events/sold/parameters", "the schema is invalid"),
        (
            changed("/events/sold/parameters", True),
            "/events/sold/parameters",
            "the payload of an event must be an object",
        ),
        (changed("/$defs", []), "/$defs", "$defs is not an object"),
        (
            changed("/events/sold/parameters", {"type": "string"}),
            "/events/sold/parameters",
            "the payload of an event must be an object",
        ),
        (
            changed("/events/sold/parameters", {"$ref": "#/$defs/Thing"}),
            "/events/sold/parameters",
            "the payload of an event must be an object",
        ),
        (
            changed("/events/sold/parameters/properties/what", {"type": "text"}),
            "/events/sold/parameters/properties/what/type",
            "the schema is invalid: 'text' is no JSON type",
        ),
        (
            changed("/$defs/Thing", {"minLength": -1}),
            "/$defs/Thing/minLength",
            "the schema is invalid",
        ),
        (
            changed("/events/sold/parameters", {"$schema": "https://example.com/own", "type": "object"}),
            "/events/sold/parameters/$schema",
            "the $schema 'https://example.com/own' is no draft of JSON Schema",
        ),
        (changed("/$schema", "https://example.com/own"), "/$schema", "is written in draft 2020-12"),
    ],
)
def test_refuses(data: object, pointer: str, problem: str) -> None:
    with pytest.raises(SchemaError) as caught:
        SchemaDocument(data, "schemas/shop.json")
    assert caught.value.pointer == pointer
    assert caught.value.source == "schemas/shop.json"
    assert problem in str(caught.value)


@pytest.mark.parametrize("pointer", ["/title", "/events/sold/since"])
def test_reads_on_where_a_key_is_unknown(pointer: str) -> None:
    document = SchemaDocument(changed(pointer, "new"), "schemas/shop.json")
    assert document.contract("sold").decode({"what": "hat"}) == {"what": "hat"}


@pytest.mark.parametrize(
    "keyword", ["http://json-schema.org/draft-07/schema", "http://json-schema.org/draft-07/schema#"]
)
def test_drafts_are_known_with_and_without_fragment(keyword: str) -> None:
    payload = {"$schema": keyword, "type": "object", "properties": {"a": {}}}
    document = SchemaDocument(changed("/events/sold/parameters", payload), "x.json")
    assert document.contract("sold").decode({"a": 1}) == {"a": 1}


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("#/$defs/Nothing", "a $ref leads to '#/$defs/Nothing', which does not exist"),
        ("#nothing", "a $ref leads to '#nothing', which does not exist"),
        ("other.json", "a $ref leads to 'other.json', which is not part of this document"),
        ("https://example.com/x", "a $ref leads to 'https://example.com/x', which is not part of this"),
        ("http://[", "Invalid URI reference 'http://['"),
    ],
)
@pytest.mark.parametrize("place", ["/$defs/Thing", "/events/sold/parameters/properties/what"])
def test_references_that_lead_nowhere_are_found_before_the_first_event(
    place: str, reference: str, problem: str
) -> None:
    with pytest.raises(SchemaError) as caught:
        SchemaDocument(changed(place, {"$ref": reference}), "schemas/shop.json").contract("sold")
    assert problem in str(caught.value)
    assert caught.value.source == "schemas/shop.json"


@pytest.mark.parametrize("protocol", ["https", "http"])
def test_the_protocol_of_the_dialect_does_not_matter(protocol: str) -> None:
    dialect = f"{protocol}://json-schema.org/draft/2020-12/schema"
    document = SchemaDocument.parse(json.dumps({**VALID, "$schema": dialect}), source="shop.json")
    with pytest.raises(InvalidEventArguments, match="what: expected str, got int 1"):
        document.contract("sold").encode({"what": 1})


def test_an_unknown_event() -> None:
    with pytest.raises(SchemaError, match="it has no event 'lost'"):
        SchemaDocument(VALID, "schemas/shop.json").contract("lost")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{\n  "api" "x"}', r"shop\.json:2:9: it is not JSON: Expecting ':' delimiter"),
        ("", r"shop\.json:1:1: it is not JSON"),
        ('{"lightbus": NaN}', r"shop\.json: it is not JSON: NaN is not a JSON number"),
        (b"\xff\xfe\xff", r"shop\.json: it is not JSON"),
    ],
)
def test_text_that_is_not_json(text: str | bytes, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        SchemaDocument.parse(text, source="schemas/shop.json")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"nothing\.json: cannot be read: No such file"):
        SchemaDocument.load(tmp_path / "nothing.json")
