"""What one schema says of a number, a text or a name, asked of the validator that the run time uses."""

from __future__ import annotations

import functools
import json
from typing import Any

from lightbus.schema.language.validation import validator
from lightbus_gen.compat.shapes.view import View, text_of
from lightbus_gen.load.references import Node
from lightbus_gen.lower.parts import kind_of


def accepts_scalar(view: View, value: object) -> bool:
    """Whether a value fits what a schema itself says about numbers and strings; anything else does."""
    if isinstance(value, (list, dict)):
        return True
    if view.scalars is None:
        view.scalars = _scalars(view.node)
    return bool(view.scalars.is_valid(value))


def _scalars(node: Node) -> Any:
    """Return the validator of what a schema itself says about numbers and strings."""
    keywords = node.keywords
    told = {key: keywords[key] for key in _SCALAR if key in keywords}
    return _scalar(text_of(told | {"$schema": node.document.dialect}) if told else "true")


_SCALAR = (
    "type", "enum", "const", "minLength", "maxLength", "pattern", "format", "contentEncoding",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
)  # fmt: skip


@functools.cache
def _scalar(text: str) -> Any:
    return validator(json.loads(text))


def says_something(node: Node | None) -> bool:
    """Whether a schema of further properties says what they are; `true` does not."""
    return node is not None and isinstance(node.schema, dict) and bool(node.schema)


def is_same_number(value: Any, listed: list[Any]) -> bool:
    return kind_of(value) in ("integer", "number") and any(
        kind_of(other) in ("integer", "number") and other == value for other in listed
    )


def refusing_keyword(view: View, value: Any) -> tuple[str, str]:
    """Find the keyword by which a schema refuses a scalar."""
    kinds = {
        "pattern": "pattern", "format": "format", "contentEncoding": "format", "minLength": "length", "maxLength": "length",
        "minimum": "range", "maximum": "range", "exclusiveMinimum": "range", "exclusiveMaximum": "range",
        "multipleOf": "multiple_of",
    }  # fmt: skip
    schema = view.node.schema
    for keyword, kind in kinds.items():
        if keyword in schema:
            beside = {"minimum", "maximum"} if keyword.startswith("exclusive") else set()
            told = {key: schema[key] for key in {keyword, *beside} if key in schema}
            if not validator(told | {"$schema": view.node.document.dialect}).is_valid(value):
                return kind, keyword
    return "opaque", ""
