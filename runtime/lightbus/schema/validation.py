"""The one place that makes validators, so that every check has the same rules.

Formats are asserted, nothing is ever fetched, and three rules go beyond the standard: durations take
all of ISO 8601, `decimal` is a format, and base64 content must be base64.
"""

from __future__ import annotations

from typing import Any

import jsonschema_rs

from lightbus.schema.formats import is_base64, is_decimal, is_duration


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
        registry=registry,
        offline=True,
    )
