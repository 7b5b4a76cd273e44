"""Schemas and values in words, for messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lightbus_gen.compat.shapes.shape import Shape
from lightbus_gen.compat.shapes.view import KINDS, View, text_of


def kinds_in_words(kinds: Iterable[str]) -> str:
    kinds = set(kinds)
    if kinds == KINDS:
        return "any value"
    if {"integer", "number"} <= kinds:
        kinds.remove("integer")
    return " or ".join(sorted(kinds, key=lambda kind: (kind == "null", kind)))


def values_in_words(values: Iterable[Any]) -> str:
    texts = [text_of(value) for value in values]
    return ", ".join(texts[:6]) + (f", ... ({len(texts)} in all)" if len(texts) > 6 else "")


def keyword_in_words(view: View, keyword: str) -> str:
    """Return a keyword of a schema with its value, "" if the schema does not have it."""
    return f"{keyword} {text_of(view.node.schema[keyword])}" if keyword in view.node.schema else ""


def sent_in_words(shape: Shape, *keywords: str) -> str:
    """Return the first of some keywords that a shape has, with its value; "no ..." if it has none."""
    for view in shape.views:
        for keyword in keywords:
            if isinstance(view.node.schema, dict) and keyword in view.node.schema:
                return keyword_in_words(view, keyword)
    return f"no {keywords[0]}"
