"""The open reader: undeclared properties are accepted from newer producers, and dropped."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import jsonschema_rs

from lightbus.schema.language.keywords import (
    CLOSING,
    DEFINITIONS,
    DESCRIBING,
    REFERENCES,
    UNIONS,
    with_subschemas,
)

_OPENED = frozenset((*DESCRIBING, *DEFINITIONS))


def open_schema(schema: Any) -> Any:
    """Return a schema that accepts undeclared properties, at every depth, where the given one refuses them.

    `additionalProperties: false` and `unevaluatedProperties: false` are dropped wherever a schema says what a
    value is; not inside `not`, `if`, `contains` and `propertyNames`, where wider is not more permissive. Opened
    branches may overlap, so a `oneOf` with a branch that changed, or that refers elsewhere, becomes an `anyOf`.

    Args:
        schema: a schema, or a Lightbus document, whose events are then opened.
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


def prune(data: Any, written: jsonschema_rs.Validator) -> Any:
    """Return the data without the properties a closed schema refuses as undeclared.

    Args:
        data: JSON value that the opened schema accepts.
        written: validator of the schema as written.

    Returns:
        A copy that the schema accepts as written; where dropping properties cannot achieve that, as
        much as was dropped.
    """
    data = copy.deepcopy(data)
    while undeclared := {place for error in written.iter_errors(data) for place in _undeclared(error) or ()}:
        for *path, name in sorted(undeclared, key=len, reverse=True):  # inner before outer
            holder = data
            for step in path:
                holder = holder[step]
            holder.pop(name, None)
    return data


_Place = tuple[str | int, ...]


def _undeclared(error: jsonschema_rs.ValidationError) -> set[_Place] | None:
    """Find the properties whose removal mends an error, or None when something else is wrong."""
    if error.kind.name in CLOSING:
        return {(*error.instance_path, name) for name in error.kind.as_dict()["unexpected"]}
    if error.kind.name in UNIONS:
        mends = [_together(branch) for branch in error.kind.as_dict().get("context", ())]
        return min((mend for mend in mends if mend), key=len, default=None)
    return None


def _together(errors: Iterable[jsonschema_rs.ValidationError]) -> set[_Place] | None:
    places: set[_Place] = set()
    for error in errors:
        found = _undeclared(error)
        if found is None:
            return None
        places |= found
    return places
