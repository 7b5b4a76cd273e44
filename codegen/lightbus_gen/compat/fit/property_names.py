"""The names of properties, compared as texts: `propertyNames`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from lightbus_gen.compat.fit.obstacles import Meets, Obstacle, Spot
from lightbus_gen.compat.fit.sample import Sampler
from lightbus_gen.compat.shapes.expand import Shapes
from lightbus_gen.compat.shapes.shape import Shape
from lightbus_gen.compat.shapes.view import View
from lightbus_gen.load.references import Node, lone

_TEXTS = frozenset(("string",))


class PropertyNames:
    """Compares the names of an object's properties with the reader's schema of them.

    Args:
        sampler: generates values that are sent.
        shapes: splits the writer's schemas into shapes.
        meets: compares a value with a schema.
    """

    def __init__(self, sampler: Sampler, shapes: Shapes, meets: Meets) -> None:
        self._sampler, self._shapes, self._meets = sampler, shapes, meets

    def meet(self, shape: Shape, view: View, spot: Spot) -> list[Obstacle]:
        """Compare the names that objects of a shape have with a reader's `propertyNames`."""
        read = view.node.child("propertyNames")
        below = Spot(spot.path, spot, " (names)", self._put(shape, spot))
        return [each for names in self._sent(shape) for each in self._meets(names, read, below, frozenset())]

    def _sent(self, shape: Shape) -> Iterator[Shape]:
        """Yield the names that may be sent, as shapes of texts."""
        declared = [name for name in shape.names if shape.value(name)]
        if declared:
            yield Shape((), _TEXTS, list(declared))
        schemas = tuple(
            view.node.child("propertyNames") for view in shape.views if "propertyNames" in view.opaque
        )
        for expression, _ in shape.rest():
            nodes = schemas if expression is None else (*schemas, _matching(expression))
            for name_shape in self._shapes(nodes):
                if "string" in name_shape.kinds:
                    values = (
                        None
                        if name_shape.values is None
                        else [text for text in name_shape.values if isinstance(text, str)]
                    )
                    yield replace(name_shape, kinds=_TEXTS, values=values)

    def _put(self, shape: Shape, spot: Spot) -> Callable[[Any, int], Any]:
        def put(name: Any, choice: int) -> Any:
            value = self._sampler.first(shape.value(name))
            return self._sampler.object(shape, properties={name: value}, choice=choice)

        return put


def _matching(expression: str) -> Node:
    return lone(f"names {expression}", {"pattern": expression})
