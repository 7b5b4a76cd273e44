"""Numbers, texts and listed values: whether what is sent implies the reader's limits."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from lightbus.schema.language.validation import validator
from lightbus_gen.compat.fit.obstacles import (
    Obstacle,
    Spot,
    keyword_in_words,
    kinds_in_words,
    obstacle,
    sent_in_words,
    values_in_words,
)
from lightbus_gen.compat.fit.sample import Sampler
from lightbus_gen.compat.patterns.automata import text_outside
from lightbus_gen.compat.shapes.shape import Shape
from lightbus_gen.compat.shapes.view import LOWER, UPPER, View, exact

_LIMITED = {"Length": "string", "Items": "array", "Properties": "object"}
_LIMIT_KINDS = {"Length": "length", "Items": "item_count", "Properties": "field_count"}
_LONGEST = 300
"""The greatest length up to which texts are compared character by character."""
_ANYTHING = ("", ".*", "^.*", "(.*)")
_WIDER_FORMATS = {
    "uri": ("uri-reference", "iri", "iri-reference"),
    "uri-reference": ("iri-reference",),
    "iri": ("iri-reference",),
    "email": ("idn-email",),
}
"""Formats that every text of a format has, too."""
_FORMAT_PATTERNS = {
    "date": r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$",
    "date-time": r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d",
    "uuid": "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
    "ipv4": r"^\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}$",
}
"""Patterns that every text of a format matches; other texts may match as well."""


def value_obstacles(shape: Shape, view: View, spot: Spot) -> list[Obstacle]:
    assert shape.values is not None
    obstacles: list[Obstacle] = []

    def add(kind: str, keyword: str, accepted: str, refused: list[Any]) -> None:
        words = values_in_words(shape.values or ()), accepted
        name = values_in_words(refused)
        obstacles.append(obstacle(kind, shape, view, keyword, *words, spot, refused, name))

    listed = [value for value in shape.values if view.lists(value)]
    if unlisted := [value for value in shape.values if not view.lists(value)]:
        keyword = "const" if "const" in view.node.schema else "enum"
        add("values", keyword, values_in_words(view.values or ()), unlisted)
    if refused := [value for value in listed if not view.accepts(value)]:
        kind, keyword = _refusing_keyword(view, refused[0])
        add(kind, keyword, keyword_in_words(view, keyword), refused)
    return obstacles


def _refusing_keyword(view: View, value: Any) -> tuple[str, str]:
    """Return the kind of obstacle and the keyword with which a schema refuses a listed value."""
    kinds = {
        "pattern": "pattern", "format": "format", "contentEncoding": "format", "minLength": "length", "maxLength": "length",
        "minimum": "range", "maximum": "range", "exclusiveMinimum": "range", "exclusiveMaximum": "range",
        "multipleOf": "multiple_of", "uniqueItems": "unique_items",
        **{keyword: _LIMIT_KINDS[keyword[3:]] for keyword in (*LOWER, *UPPER)},
    }  # fmt: skip
    schema = view.node.schema
    for keyword, kind in kinds.items():
        if keyword in schema:
            limits = ("minimum", "maximum") if keyword.startswith("exclusive") else ()
            relevant = {key: schema[key] for key in (keyword, *limits) if key in schema}
            if not validator(relevant | {"$schema": view.node.document.dialect}).is_valid(value):
                return kind, keyword
    return "opaque", ""


def limit_obstacles(sampler: Sampler, shape: Shape, view: View, spot: Spot) -> list[Obstacle]:
    obstacles: list[Obstacle] = []

    def add(kind: str, keyword: str, sent: str, value_kind: str, near: Iterable[float] = ()) -> None:
        values = sampler.of_shape(shape, (value_kind,), near=near)
        obstacles.append(
            obstacle(kind, shape, view, keyword, sent, keyword_in_words(view, keyword), spot, values)
        )

    if view.values is not None:
        values = sampler.of_shape(shape)
        keyword = "const" if "const" in view.node.schema else "enum"
        words = kinds_in_words(shape.kinds), values_in_words(view.values)
        return [obstacle("values_listed", shape, view, keyword, *words, spot, values)]
    for keyword in (*LOWER, *UPPER):
        kind = _LIMITED[keyword[3:]]
        if kind in shape.kinds and keyword in view.limits:
            reach, limit = _reach(shape, keyword), view.limits[keyword]
            if not (reach >= limit if keyword in LOWER else reach <= limit):
                add(_LIMIT_KINDS[keyword[3:]], keyword, sent_in_words(shape, keyword), kind, [limit])
    if "string" in shape.kinds:
        if (
            view.pattern is not None
            and view.pattern not in _ANYTHING
            and all(other.pattern != view.pattern for other in shape.views)
        ):
            outside = _texts_outside(shape, view.pattern)
            if outside is not None:
                samples = sampler.of_shape(shape, ("string",))
                is_limited = any(other.pattern for other in shape.views)
                values = (
                    itertools.chain(outside, samples) if is_limited else itertools.chain(samples, outside)
                )
                words = sent_in_words(shape, "pattern"), keyword_in_words(view, "pattern")
                obstacles.append(obstacle("pattern", shape, view, "pattern", *words, spot, values))
        if view.format is not None and not _formats(shape).issuperset(view.format.split()):
            keyword = "format" if "format" in view.node.schema else "contentEncoding"
            add("format", keyword, sent_in_words(shape, keyword), "string")
    for value_kind in ("integer", "number"):
        if value_kind not in shape.kinds or (
            value_kind == "number" and any(each.kind in ("range", "multiple_of") for each in obstacles)
        ):
            continue
        for edge, is_lower, keywords in (
            (view.minimum, True, ("minimum", "exclusiveMinimum")),
            (view.maximum, False, ("maximum", "exclusiveMaximum")),
        ):
            if edge is None:
                continue
            sent = shape.minimum if is_lower else shape.maximum
            if not _is_inside(sent, edge, value_kind, upward=is_lower):
                keyword = keywords[1] if edge[1] and keywords[1] in view.node.schema else keywords[0]
                add("range", keyword, sent_in_words(shape, *keywords), value_kind, [edge[0]])
        if view.multiple_of is not None and not _is_multiple(shape, view.multiple_of, value_kind):
            add("multiple_of", "multipleOf", sent_in_words(shape, "multipleOf"), value_kind)
    return obstacles


def _texts_outside(shape: Shape, pattern: str) -> list[str] | None:
    """Return texts that are sent and do not match, [] if that is unknown; None if all match."""
    sent = sorted({view.pattern for view in shape.views if view.pattern is not None})
    sent += sorted(_FORMAT_PATTERNS[name] for name in _formats(shape) if name in _FORMAT_PATTERNS)
    least, most = shape.limit("minLength") or 0, shape.limit("maxLength")
    if (least or most is not None) and max(least, most or 0) <= _LONGEST:
        sent.append(rf"^[\d\D]{{{least},{'' if most is None else most}}}$")
    try:
        text = text_outside(tuple(sent), pattern)
    except ValueError:
        return []
    return None if text is None else [text]


def _formats(shape: Shape) -> set[str]:
    formats = [name for view in shape.views if view.format for name in view.format.split()]
    return {wider for name in formats for wider in (name, *_WIDER_FORMATS.get(name, ()))}


def _reach(shape: Shape, keyword: str) -> float:
    """Return the least length or count that is sent for `min...`, the greatest for `max...`."""
    limit = shape.limit(keyword)
    if keyword in ("minLength", "maxLength"):
        return shape.lengths[keyword == "maxLength"]
    if keyword == "minProperties":
        return max(limit or 0, len(shape.required))
    if keyword == "maxProperties" and not shape.rest():
        names = sum(bool(shape.value(name)) for name in shape.names)
        return names if limit is None else min(limit, names)
    if keyword == "maxItems":
        limit = shape.most_items
    return limit if limit is not None else 0 if keyword.startswith("min") else float("inf")


def _is_inside(sent: tuple[Any, bool] | None, edge: tuple[Any, bool], kind: str, *, upward: bool) -> bool:
    if sent is None:
        return False
    value, is_out = sent
    limit, limit_out = edge
    if kind == "integer":
        value, limit = exact(value), exact(limit)
        step = 1 if upward else -1
        if is_out and value.denominator == 1:
            value, is_out = value + step, False
        if limit_out and limit.denominator == 1:
            limit, limit_out = limit + step, False
    if value == limit:
        return is_out or not limit_out
    return bool(value > limit if upward else value < limit)


def _is_multiple(shape: Shape, factor: Any, kind: str) -> bool:
    factors = [exact(view.multiple_of) for view in shape.views if view.multiple_of is not None]
    factors += [Fraction(1)] if kind == "integer" else []
    return any((each / exact(factor)).denominator == 1 for each in factors)
