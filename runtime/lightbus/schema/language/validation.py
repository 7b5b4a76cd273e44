"""The one place that compiles validators, so that every check has the same rules.

Formats are asserted, patterns and `uniqueItems` take bounded time, nothing is ever fetched, and four rules go beyond the standard:
durations may have a sign and fractions of a second, `decimal` is a format, `uuid` is one in every draft, and base64
content must be base64.
"""

from __future__ import annotations

import functools
import itertools
import json
import operator
from collections.abc import Sequence
from typing import Any

import jsonschema_rs

from lightbus.schema.language.formats import is_base64, is_decimal, is_duration
from lightbus.schema.language.keywords import Path
from lightbus.schema.language.pattern_bounds import PATTERN_OPTIONS, TOO_SLOW, bounded, is_linear


class _ContentEncoding:
    """The keyword `contentEncoding`, which JSON Schema 2020-12 does not assert."""

    def __init__(self, parent_schema: dict[str, Any], value: Any, schema_path: list[str | int]) -> None:
        self._is_base64 = value == "base64"

    def validate(self, instance: object) -> None:
        if self._is_base64 and isinstance(instance, str) and not is_base64(instance):
            raise ValueError("is not base64")


class _UniqueItems:
    """The keyword `uniqueItems`, in little more than linear time, where jsonschema-rs compares all pairs of integers >= 2^64.

    Only strings are hashed: a sender can choose many integers with the same hash.
    """

    def __init__(self, parent_schema: dict[str, Any], value: Any, schema_path: list[str | int]) -> None:
        self._is_asserted = value is True

    def validate(self, instance: object) -> None:
        if self._is_asserted and isinstance(instance, (list, tuple)) and _has_item_twice(instance):
            raise ValueError("has an item twice")


def _has_item_twice(items: Sequence[Any]) -> bool:
    types = {*map(type, items)}
    if len(items) < 2:
        return False
    if types <= {int, float}:
        return any(itertools.starmap(operator.eq, itertools.pairwise(sorted(items))))
    texts = items if types == {str} else [*map(_canonical_text, items)]
    return len({*texts}) < len(items)


def _canonical_text(value: object) -> str:
    """Return the JSON text that all values equal to this one have."""
    text = _write(value)
    return _write(_without_whole_floats(value)) if ".0" in text or "e+" in text else text


_write = json.JSONEncoder(sort_keys=True, check_circular=False).encode


def _without_whole_floats(value: Any) -> Any:
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, dict):
        return {key: _without_whole_floats(item) for key, item in value.items()}
    return [*map(_without_whole_floats, value)] if isinstance(value, (list, tuple)) else value


def validator(
    schema: dict[str, Any] | bool, *, registry: jsonschema_rs.Registry | None = None
) -> jsonschema_rs.Validator:
    """Compile a schema of any draft, 2020-12 unless its `$schema` says otherwise.

    Args:
        schema: the schema; the targets of its `$ref`s must be in it or in the registry.
        registry: further schemas by URI.

    Raises:
        jsonschema_rs.ValidationError: the schema is invalid, or a `$ref` does not resolve.
        jsonschema_rs.ReferencingError: a `$id` or `$ref` is not a URI reference.
    """
    return jsonschema_rs.validator_for(
        bounded(schema),
        formats={"duration": is_duration, "decimal": is_decimal, "uuid": _is_uuid},
        validate_formats=True,
        keywords={"contentEncoding": _ContentEncoding, "uniqueItems": _UniqueItems},
        pattern_options=PATTERN_OPTIONS,
        registry=registry,
        offline=True,
    )


_is_uuid = jsonschema_rs.validator_for({"format": "uuid"}, validate_formats=True, offline=True).is_valid
"""Drafts before 2019-09 do not know the format, but the runtime converts it in all."""


def pattern_matches(pattern: str, text: str) -> bool:
    """Whether a valid pattern matches somewhere in a text; False for a text that is too long for it."""
    return _pattern(pattern).is_valid(text)


def exceeds_bounds(pattern: str, text: str) -> bool:
    """Whether a valid pattern cannot be matched with a text within the bounds, so that nothing is known."""
    if is_linear(pattern) or pattern_matches(pattern, text):
        return False
    return any(error.message.startswith(TOO_SLOW) for error in _pattern(pattern).iter_errors(text))


@functools.lru_cache(maxsize=10_000)  # a schema with more patterns would compile each of them for every name
def _pattern(pattern: str) -> jsonschema_rs.Validator:
    return validator({"pattern": pattern})


def is_covered(reader: Any, writer: Any) -> bool:
    """Whether every value valid under `writer` is certainly valid under `reader`.

    Args:
        reader, writer: schemas without references to other documents.

    Returns:
        False if uncertain, too: jsonschema-rs cannot model one of the schemas, or is too old.
    """
    canonicalize = getattr(jsonschema_rs, "canonicalize", None)
    if canonicalize is None:
        return False
    try:
        forms = [canonicalize(schema, validate_formats=True, offline=True) for schema in (reader, writer)]
        return bool(forms[0].covers(forms[1]) == jsonschema_rs.canonical.Containment.YES)
    except Exception:  # a schema that it cannot model
        return False


def metaschema_problems(schema: object, dialect: str) -> list[tuple[Path, str]]:
    """List what makes a schema invalid.

    Args:
        schema: the schema, any JSON value.
        dialect: a key of `DRAFTS`.

    Returns:
        (path in the schema, sentence without full stop) for each problem; [] for a valid schema.
    """
    metaschema = _metaschema(dialect)
    if metaschema.is_valid(schema):
        return []
    problems: dict[Path, str] = {}
    for error in metaschema.iter_errors(schema):
        problems.setdefault(tuple(error.instance_path), _sentence(error))
    return sorted(problems.items(), key=lambda item: [str(step) for step in item[0]])


@functools.cache
def _metaschema(dialect: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(
        {"$schema": dialect, "$ref": dialect},
        # references such as `#/$defs/List<Item>` resolve although they are not URIs
        formats=dict.fromkeys(("uri", "uri-reference"), lambda _: True),
        validate_formats=True,
        offline=True,
    )


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
