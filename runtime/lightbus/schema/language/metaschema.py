"""Whether a schema is valid by the metaschema of its draft."""

from __future__ import annotations

import functools
from typing import Any

import jsonschema_rs

from lightbus.schema.language.keywords import DRAFTS

_VALIDATORS: dict[str, Any] = dict(
    zip(
        DRAFTS,
        (
            jsonschema_rs.Draft4Validator,
            jsonschema_rs.Draft6Validator,
            jsonschema_rs.Draft7Validator,
            jsonschema_rs.Draft201909Validator,
            jsonschema_rs.Draft202012Validator,
        ),
        strict=True,
    )
)


def metaschema_problems(schema: object, dialect: str) -> list[tuple[tuple[str | int, ...], str]]:
    """List what makes a schema invalid.

    Args:
        schema: the schema, any JSON value.
        dialect: a key of `DRAFTS`.

    Returns:
        (path in the schema, sentence without full stop) for each problem; [] for a valid schema.
    """
    validator = _validator(dialect)
    if validator.is_valid(schema):
        return []
    found: dict[tuple[str | int, ...], str] = {}
    for error in validator.iter_errors(schema):
        found.setdefault(tuple(error.instance_path), _sentence(error))
    return sorted(found.items(), key=lambda item: [str(part) for part in item[0]])


@functools.cache
def _validator(dialect: str) -> Any:
    formats: dict[str, Any] = dict.fromkeys(
        ("uri", "uri-reference"), _is_any
    )  # `#/$defs/List<Item>` leads somewhere, too
    return _VALIDATORS[dialect]({"$ref": dialect}, offline=True, validate_formats=True, formats=formats)


def _is_any(text: str) -> bool:
    return True


def _sentence(error: jsonschema_rs.ValidationError) -> str:
    path = error.instance_path
    if path and path[-1] == "type" and "properties" not in path[-2:]:
        return (
            f"{error.instance!r} is no JSON type; the types are array, boolean, integer, null, number,"
            " object and string"
        )
    if error.message.endswith('is not a "regex"'):
        return error.message.replace('a "regex"', "a regular expression of ECMA 262")
    return error.message
