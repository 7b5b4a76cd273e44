"""An independent oracle: what a producer sends, expressed in JSON Schema by other means than the product's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lightbus.schema import open_schema
from lightbus.schema.language.validation import validator


def writes(schema: dict[str, Any]) -> Callable[[Any], bool]:
    """Return whether a producer with this schema sends a payload."""
    written, declared = validator(schema), validator(closed(schema, schema, is_payload=True))
    return lambda payload: bool(written.is_valid(payload) and declared.is_valid(payload))


def reads(schema: dict[str, Any]) -> Callable[[Any], bool]:
    """Return whether a listener with this schema accepts a payload."""
    written, opened = validator(schema), validator(open_schema(schema))
    return lambda payload: bool(written.is_valid(payload) or opened.is_valid(payload))


def closed(schema: Any, root: dict[str, Any], *, is_payload: bool = False, is_beside: bool = False) -> Any:
    """Forbid undeclared properties in every object that declares some and does not mention others.

    Args:
        schema: a schema of 2020-12.
        root: the document.
        is_payload: whether it is a payload, which is closed even if it declares none.
        is_beside: whether another schema describes the same value and closes it.
    """
    if not isinstance(schema, dict):
        return schema
    made = dict(schema)
    for name in ("properties", "patternProperties"):
        if name in made:
            made[name] = {key: closed(value, root) for key, value in made[name].items()}
    for name in ("$defs", "dependentSchemas"):
        if name in made:
            made[name] = {key: closed(value, root, is_beside=True) for key, value in made[name].items()}
    for name in ("items", "additionalProperties"):
        if name in made:
            made[name] = closed(made[name], root)
    if "prefixItems" in made:
        made["prefixItems"] = [closed(value, root) for value in made["prefixItems"]]
    for name in ("allOf", "anyOf", "oneOf"):
        if name in made:
            made[name] = [closed(value, root, is_beside=True) for value in made[name]]
    for name in ("then", "else"):
        if name in made:
            made[name] = closed(made[name], root, is_beside=True)
    beside = list(_beside(schema, root))
    declares = any("properties" in one for one in beside)
    is_silent = not any(name in one for one in beside for name in _FURTHER)
    if made.get("additionalProperties") in (True, {}) and (is_beside or declares):
        del made["additionalProperties"]  # means the same as its absence
    if "additionalProperties" not in made and (is_beside or declares or is_payload):
        needs = made.get("dependentRequired", {})
        needed = [*made.get("required", ()), *needs, *(name for names in needs.values() for name in names)]
        needed += made.get("dependentSchemas", {})
        if needed:  # a property that is required, or that depends on others, is declared by that
            made["properties"] = dict.fromkeys(needed, True) | made.get("properties", {})
    if not is_beside and (declares or (is_payload and is_silent)):
        made.setdefault("unevaluatedProperties", False)
    return made


_FURTHER = ("additionalProperties", "patternProperties", "unevaluatedProperties")


def _beside(schema: Any, root: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield all schemas that describe the same value."""
    todo, met = [schema], set[str]()
    while todo:
        here = todo.pop()
        if not isinstance(here, dict):
            continue
        yield here
        todo += [value for name in ("allOf", "anyOf", "oneOf") for value in here.get(name, ())]
        todo += [here[name] for name in ("if", "then", "else") if name in here]
        todo += here.get("dependentSchemas", {}).values()
        ref = here.get("$ref")
        if ref is not None and ref not in met:
            met.add(ref)
            todo.append(root["$defs"][ref.rpartition("/")[2]])
