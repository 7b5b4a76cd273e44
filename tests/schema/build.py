"""Shortcuts to the contracts that the tests of this folder need."""

from __future__ import annotations

import json
from typing import Any

from lightbus.api import Api, Event, Parameter
from lightbus.schema import EventContract, SchemaDocument, api_document


def api(*parameters: Parameter | str, **more: Event) -> type[Api]:
    """Define the API `shop`, with the event `sold` and more events."""

    class Meta:
        name = "shop"

    events = {"sold": Event(parameters=parameters), **more}
    return type("ShopApi", (Api,), {"Meta": Meta, "__module__": __name__, **events})


def declared(*parameters: Parameter | str) -> EventContract:
    """Return the contract of an event defined in Python."""
    shop = api(*parameters)
    return EventContract.of_event(shop, shop.api_events["sold"])


def exported(*parameters: Parameter | str) -> EventContract:
    """Return the contract that another service has of the same event, from its schema document."""
    text = json.dumps(api_document(api(*parameters)))
    return SchemaDocument.parse(text, source="schemas/shop.json").contract("sold")


def written(parameters: dict[str, Any], **shared: Any) -> EventContract:
    """Return the contract of an event with the given payload schema."""
    document = {"lightbus": 1, "api": "shop", "events": {"sold": {"parameters": parameters}}, **shared}
    return SchemaDocument(document, "schemas/shop.json").contract("sold")


def _operation(name: str) -> dict[str, Any]:
    sides = {side: {"$ref": "#/$defs/Expr"} for side in ("l", "r")}
    return {"type": "object", "properties": {"op": {"const": name}, **sides}, "required": ["op", "l", "r"]}


_number = {"op": {"const": "num"}, "v": {"type": "number"}}
EXPRESSION: dict[str, Any] = {
    "oneOf": [
        {**branch, "additionalProperties": False}
        for branch in (
            {"type": "object", "properties": _number, "required": ["op", "v"]},
            *map(_operation, ("add", "mul", "sub")),
        )
    ]
}
"""The schema of `Expr`: a number, or an operation with an `Expr` on each side."""


def expression(depth: int, innermost: object) -> Any:
    """Return an expression that holds a value at a depth, at its left."""
    value = innermost
    for _ in range(depth):
        value = {"op": "add", "l": value, "r": {"op": "num", "v": 1}}
    return value
