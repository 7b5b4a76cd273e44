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
