"""Whether a schema is valid by the metaschema of its draft."""

from __future__ import annotations

import functools
from typing import Any

import jsonschema_rs

DIALECTS = {
    "http://json-schema.org/draft-04/schema#": jsonschema_rs.Draft4Validator,
    "http://json-schema.org/draft-06/schema#": jsonschema_rs.Draft6Validator,
    "http://json-schema.org/draft-07/schema#": jsonschema_rs.Draft7Validator,
    "https://json-schema.org/draft/2019-09/schema": jsonschema_rs.Draft201909Validator,
    "https://json-schema.org/draft/2020-12/schema": jsonschema_rs.Draft202012Validator,
}
"""The drafts of JSON Schema that are understood, by their `$schema`."""

_SINCE = {  # the first draft that knows a keyword, by its place in DIALECTS
    "const": 1,
    **dict.fromkeys(("if", "then", "else"), 2),
    **dict.fromkeys(("dependentSchemas", "unevaluatedProperties", "$recursiveRef"), 3),
    **dict.fromkeys(("prefixItems", "$dynamicRef"), 4),
}


@functools.cache
def unknown_keywords(dialect: str) -> frozenset[str]:
    """Return the keywords of newer drafts, which say nothing in a schema of this one.

    Args:
        dialect: a key of `DIALECTS`, with or without its `#`.
    """
    drafts = [known.removesuffix("#") for known in DIALECTS]
    draft = drafts.index(dialect.removesuffix("#")) if dialect.removesuffix("#") in drafts else len(drafts)
    return frozenset(keyword for keyword, first in _SINCE.items() if draft < first)


def metaschema_problems(schema: object, dialect: str) -> list[tuple[tuple[str | int, ...], str]]:
    """List what makes a schema invalid.

    Args:
        schema: the schema, any JSON value.
        dialect: a key of `DIALECTS`.

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
    formats = dict.fromkeys(("uri", "uri-reference"), _is_any)  # `#/$defs/List<Item>` leads somewhere, too
    return DIALECTS[dialect]({"$ref": dialect}, offline=True, validate_formats=True, formats=formats)


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
