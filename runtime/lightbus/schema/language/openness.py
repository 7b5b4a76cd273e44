"""The open reader: undeclared properties of newer producers are accepted and dropped."""

from __future__ import annotations

from typing import Any

from lightbus.schema.language.keywords import (
    CLOSING,
    DEFINITIONS,
    DESCRIBING,
    REFERENCES,
    with_subschemas,
)

_OPENED = frozenset((*DESCRIBING, *DEFINITIONS))


def open_schema(schema: Any) -> Any:
    """Return a schema that accepts undeclared properties, at every depth, where the original refuses them.

    `additionalProperties: false` and `unevaluatedProperties: false` are dropped wherever a schema describes a
    value; not inside `not`, `if`, `contains` and `propertyNames`, where wider is not more permissive. Opened
    branches may overlap, so a `oneOf` with a branch that changed, or that contains a reference, becomes an `anyOf`.

    Args:
        schema: a schema, or a Lightbus document, whose events are opened too.
    """
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if not (key in CLOSING and value is False)}
    opened = with_subschemas(kept, _OPENED, open_schema)
    if "events" in opened and "lightbus" in schema:
        opened["events"] = {
            name: {**event, "parameters": open_schema(event["parameters"])}
            for name, event in opened["events"].items()
        }
    if "oneOf" in opened and (opened["oneOf"] != schema["oneOf"] or _refers(schema["oneOf"])):
        any_of = {"anyOf": opened.pop("oneOf")}
        if "anyOf" in opened:
            opened["allOf"] = [*opened.get("allOf", ()), any_of]
        else:
            opened.update(any_of)
    return opened


def _refers(schema: object) -> bool:
    if isinstance(schema, dict):
        return not REFERENCES.isdisjoint(schema) or any(_refers(item) for item in schema.values())
    return isinstance(schema, list) and any(_refers(item) for item in schema)
