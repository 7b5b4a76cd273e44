"""A second opinion on whether one schema takes all that another writes: `canonicalize().covers()` of jsonschema-rs.

It only ever clears: "no" and "unknown" leave a doubt where it was, and so does a schema it has no model of.
"""

from __future__ import annotations

from typing import Any

from lightbus.schema.language.keywords import IN_PLACE, REFERENCES, with_subschemas
from lightbus.schema.language.validation import is_covered
from lightbus_gen.compat.shapes.view import text_of

_LONGEST = 50_000
_OWN = ('"contentEncoding"', '"duration"', '"decimal"')
"""What the run time checks beyond the standard, which the second opinion does not know."""
_COMPOSING = REFERENCES.union(IN_PLACE)


def covers(reader: Any, writer: Any) -> bool:
    """Whether it is sure that a reader takes everything a writer sends.

    Args:
        reader: the schema of the reader, opened.
        writer: the schema of the writer as its author wrote it.
    """
    texts = text_of(reader) + text_of(writer)
    if len(texts) > _LONGEST or any(word in texts for word in _OWN):
        return False
    return is_covered(reader, closed(writer))


def closed(schema: Any) -> Any:
    """Forbid undeclared properties in the objects of a schema where that is plain: no composition, no `$ref` to it."""
    if not isinstance(schema, dict):
        return schema
    copy = with_subschemas(schema, ("properties", "items"), closed)
    declared = schema.get("properties")
    if isinstance(declared, dict) and _COMPOSING.isdisjoint(schema):
        is_silent = schema.get("additionalProperties", True) is True
        if is_silent and declared.keys() >= set(schema.get("required", ())):
            copy["additionalProperties"] = False
    return copy
