"""Whether a schema refuses every value that is sent."""

from __future__ import annotations

from typing import Any

from lightbus_gen.compat.shapes.expand import Shapes
from lightbus_gen.compat.shapes.shape import Shape
from lightbus_gen.compat.shapes.view import View, Views
from lightbus_gen.load.references import Node
from lightbus_gen.lower.parts import kind_of


def is_disjoint(shape: Shape, read: Node, shapes: Shapes, reader: Views, depth: int = 0) -> bool:
    """Whether no value of a shape can satisfy a schema; False if that is uncertain."""
    view = reader(read)
    if view.never or not shape.kinds & view.kinds:
        return True
    if depth > 5:
        return False
    if any(is_disjoint(shape, base, shapes, reader, depth + 1) for base in view.based_on):
        return True
    if any(
        all(is_disjoint(shape, branch, shapes, reader, depth + 1) for branch in union)
        for union in view.unions.values()
    ):
        return True
    if shape.values is not None:
        return not any(map(view.accepts, shape.values))
    if shape.kinds & view.kinds == {"string"} and _have_other_formats(shape, view):
        return True
    if view.values is not None and not any(_is_sent(shape, value) for value in view.values):
        return True
    if shape.kinds & view.kinds != {"object"}:
        return False
    if any(not shape.value(name) for name in view.required):
        return True
    for name in shape.required:
        for child in view.declared(name) or ([view.additional] if view.additional else []):
            child_shapes = [child_shape for nodes in shape.value(name) for child_shape in shapes(nodes)]
            if all(
                is_disjoint(child_shape, child, shapes, reader, depth + 1) for child_shape in child_shapes
            ):
                return True
    return False


_DISTINCT = frozenset(("date", "date-time", "email", "ipv4", "ipv6", "uuid"))
"""Formats that exclude each other: a text has at most one of them."""


def _have_other_formats(shape: Shape, view: View) -> bool:
    formats = {other.format for other in shape.views}
    return view.format in _DISTINCT and bool(formats & (_DISTINCT - {view.format}))


def _is_sent(shape: Shape, value: Any) -> bool:
    """Whether a value may belong to a shape."""
    return kind_of(value) in shape.kinds and shape.accepts(value)
