"""A second opinion on whether one schema accepts all that another writes: `canonicalize().covers()` of jsonschema-rs.

It can only clear a doubt. "No" and "unknown" leave the doubt as it is, and so does a schema that it does not model.
"""

from __future__ import annotations

from typing import Any

from lightbus.schema.language.containment import is_covered
from lightbus_gen.compat.shapes.view import text_of

_LONGEST = 50_000
_OWN = ('"contentEncoding"', '"duration"', '"decimal"')
"""What the runtime checks beyond the standard, and the second opinion does not."""
_COMPOSING = frozenset(
    ("$ref", "allOf", "anyOf", "oneOf", "if", "not", "dependentSchemas", "dependencies", "$dynamicRef")
)


def covers(reader: Any, writer: Any) -> bool:
    """Whether a reader is sure to accept everything that a writer sends.

    Args:
        reader: the reader's schema, opened.
        writer: the writer's schema, as its author wrote it.
    """
    texts = text_of(reader) + text_of(writer)
    if len(texts) > _LONGEST or any(marker in texts for marker in _OWN):
        return False
    return is_covered(reader, closed(writer))


def closed(schema: Any) -> Any:
    """Forbid undeclared properties in the objects of a schema; those composed of others stay open."""
    if not isinstance(schema, dict):
        return schema
    copy = dict(schema)
    if "properties" in schema and isinstance(schema["properties"], dict):
        copy["properties"] = {name: closed(value) for name, value in schema["properties"].items()}
        is_plain = (
            not _COMPOSING & schema.keys() and set(schema.get("required", ())) <= schema["properties"].keys()
        )
        if is_plain and schema.get("additionalProperties", True) is True:
            copy["additionalProperties"] = False
    if isinstance(schema.get("items"), dict):
        copy["items"] = closed(schema["items"])
    return copy
