"""The names of properties, compared as the texts they are: `propertyNames`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from lightbus_gen.compat.fit.obstacles import Obstacle, Spot
from lightbus_gen.compat.fit.sample import Sampler
from lightbus_gen.compat.shapes.expand import Shapes
from lightbus_gen.compat.shapes.shape import Shape
from lightbus_gen.compat.shapes.view import View
from lightbus_gen.load.references import Node, lone

Meets = Callable[[Shape, Node, Spot, frozenset[object]], list[Obstacle]]
_TEXTS = frozenset(("string",))


class PropertyNames:
    """Compares the names of an object's properties with what a reader says of them.

    Args:
        sampler: makes values that are sent.
        shapes: takes the schemas of what is sent apart.
        meets: compares a value with a schema.
    """

    def __init__(self, sampler: Sampler, shapes: Shapes, meets: Meets) -> None:
        self._sampler, self._shapes, self._meets = sampler, shapes, meets

    def meet(self, shape: Shape, view: View, spot: Spot) -> list[Obstacle]:
        """Compare the names that objects of a shape have with a reader's `propertyNames`."""
        read = view.node.child("propertyNames")
        here = Spot(spot.path, spot, " (names)", self._put(shape, spot))
        return [one for names in self._sent(shape) for one in self._meets(names, read, here, frozenset())]

    def _sent(self, shape: Shape) -> Iterator[Shape]:
        """Yield the names that may be there, as shapes of texts."""
        declared = [name for name in shape.names if shape.value(name)]
        if declared:
            yield Shape((), _TEXTS, list(declared))
        said = tuple(
            view.node.child("propertyNames") for view in shape.views if "propertyNames" in view.opaque
        )
        for expression, _ in shape.rest():
            nodes = said if expression is None else (*said, _matching(expression))
            for one in self._shapes(nodes):
                if "string" in one.kinds:
                    values = (
                        None if one.values is None else [text for text in one.values if isinstance(text, str)]
                    )
                    yield replace(one, kinds=_TEXTS, values=values)

    def _put(self, shape: Shape, spot: Spot) -> Callable[[Any, int], Any]:
        def put(name: Any, choice: int) -> Any:
            value = self._sampler.first(shape.value(name))
            return self._sampler.object(shape, given={name: value}, choice=choice)

        return put


def _matching(expression: str) -> Node:
    return lone(f"names {expression}", {"pattern": expression})
