"""The one place that makes validators, so that every check has the same rules.

Formats are asserted, nothing is ever fetched, and three rules go beyond the standard: durations take
all of ISO 8601, `decimal` is a format, and base64 content must be base64.
"""

from __future__ import annotations

import functools
from typing import Any

import jsonschema_rs

from lightbus.schema.language.formats import is_base64, is_decimal, is_duration

_PATTERNS = jsonschema_rs.FancyRegexOptions(backtrack_limit=1_000_000)
"""Patterns have ECMA 262's meaning. Most are matched in linear time; one with a look-around or a backreference may
try this many ways, about 60 ms, and then the value is refused: a hostile pattern or value stops no service."""

TOO_SLOW = "Error executing regex"
"""How the message of a value begins that was refused because its pattern tried too many ways."""


class _ContentEncoding:
    """The keyword `contentEncoding`, which JSON Schema 2020-12 by itself does not assert."""

    def __init__(self, parent_schema: dict[str, Any], value: Any, schema_path: list[str | int]) -> None:
        self._is_base64 = value == "base64"

    def validate(self, instance: object) -> None:
        if self._is_base64 and isinstance(instance, str) and not is_base64(instance):
            raise ValueError("is not base64")


def validator(
    schema: dict[str, Any] | bool, *, registry: jsonschema_rs.Registry | None = None
) -> jsonschema_rs.Validator:
    """Compile a schema of any draft, 2020-12 unless its `$schema` says otherwise.

    Args:
        schema: the schema; what its `$ref`s name must be in it or in the registry.
        registry: further schemas by URI.

    Raises:
        jsonschema_rs.ValidationError: the schema is invalid, or a `$ref` leads nowhere.
        jsonschema_rs.ReferencingError: a `$id` or `$ref` is not a URI reference.
    """
    return jsonschema_rs.validator_for(
        schema,
        formats={"duration": is_duration, "decimal": is_decimal},
        validate_formats=True,
        keywords={"contentEncoding": _ContentEncoding},
        pattern_options=_PATTERNS,
        registry=registry,
        offline=True,
    )


def is_pattern(text: str) -> bool:
    """Whether a text is a regular expression that can be used: one of ECMA 262, and not too large."""
    try:
        _pattern(text)
    except (jsonschema_rs.ValidationError, ValueError):
        return False
    return True


def pattern_matches(pattern: str, text: str) -> bool:
    """Whether a pattern is found in a text, in bounded time; the pattern must be one."""
    return _pattern(pattern).is_valid(text)


@functools.lru_cache
def _pattern(pattern: str) -> jsonschema_rs.Validator:
    return validator({"pattern": pattern})


def is_covered(reader: Any, writer: Any) -> bool:
    """Whether it is certain that every value valid by `writer` is valid by `reader`.

    Args:
        reader, writer: schemas that refer to nothing outside themselves.

    Returns:
        False as well where it cannot be told: for a schema there is no model of, or an older jsonschema-rs.
    """
    canonicalize = getattr(jsonschema_rs, "canonicalize", None)
    if canonicalize is None:
        return False
    try:
        forms = [canonicalize(schema, validate_formats=True, offline=True) for schema in (reader, writer)]
        return bool(forms[0].covers(forms[1]) == jsonschema_rs.canonical.Containment.YES)
    except Exception:  # whatever it cannot model is not certain
        return False
