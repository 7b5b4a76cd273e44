"""A second opinion on whether one schema accepts all that another writes: `canonicalize().covers()` of jsonschema-rs.

It can only clear a doubt. "No" and "unknown" leave the doubt as it is, and so does a schema that it does not model.
"""

from __future__ import annotations

from typing import Any

from lightbus.schema.language.keywords import IN_PLACE, REFERENCES, with_subschemas
from lightbus.schema.language.validation import is_covered
from lightbus_gen.compat.shapes.view import text_of

_LONGEST = 50_000
_OWN = ('"contentEncoding"', '"duration"', '"decimal"')
"""What the run time checks beyond the standard, and the second opinion does not."""
_COMPOSING = REFERENCES.union(IN_PLACE)


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
    copy = with_subschemas(schema, ("properties", "items"), closed)
    declared = schema.get("properties")
    if isinstance(declared, dict) and _COMPOSING.isdisjoint(schema):
        is_silent = schema.get("additionalProperties", True) is True
        if is_silent and declared.keys() >= set(schema.get("required", ())):
            copy["additionalProperties"] = False
    return copy
