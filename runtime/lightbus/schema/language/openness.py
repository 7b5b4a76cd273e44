"""The open reader: undeclared properties of newer producers are accepted and dropped."""

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
    Path,
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


def prune(data: dict[str, Any], written: jsonschema_rs.Validator) -> dict[str, Any]:
    """Return the data without the properties that a closed schema refuses as undeclared.

    The schema accepts the result, unless the data is invalid for another reason as well.

    Args:
        data: JSON object that the opened schema accepts.
        written: validator of the schema as written.
    """
    while undeclared := {path for error in written.iter_errors(data) for path in _undeclared(error)}:
        data = without(data, undeclared)
    return data


def without(data: dict[str, Any], properties: Iterable[Path]) -> dict[str, Any]:
    """Return a copy of a JSON object without the properties at some paths, which may be inside it."""
    data = copy.deepcopy(data)
    for *path, name in sorted(properties, key=len, reverse=True):  # inner before outer
        holder: Any = data
        for step in path:
            holder = holder[step]
        holder.pop(name, None)
    return data


def _undeclared(error: jsonschema_rs.ValidationError) -> set[Path]:
    """Return the paths of the properties whose removal fixes an error; empty if that cannot fix it."""
    if error.kind.name in CLOSING:
        return {(*error.instance_path, name) for name in error.kind.as_dict()["unexpected"]}
    if error.kind.name in UNIONS:
        fixes = []
        for errors in error.kind.as_dict().get("context", ()):
            paths = [_undeclared(inner) for inner in errors]
            if paths and all(paths):
                fixes.append(set[Path]().union(*paths))
        return min(fixes, key=len, default=set())
    return set()
