"""Properties and items: each compared with the reader's schemas of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from lightbus.schema import pattern_matches
from lightbus_gen.compat.fit.obstacles import Meets, Obstacle, Spot, obstacle
from lightbus_gen.compat.fit.sample import Sampler
from lightbus_gen.compat.fit.words import values_in_words
from lightbus_gen.compat.shapes.checks import says_something
from lightbus_gen.compat.shapes.equality import Equality
from lightbus_gen.compat.shapes.shape import All, Shape
from lightbus_gen.compat.shapes.view import View
from lightbus_gen.load.references import Node

Fits = Callable[[All, Node, Spot], list[Obstacle]]


class Members:
    """Compares objects and arrays by their parts.

    Args:
        sampler: generates values that are sent.
        same: compares schemas of the two versions as texts.
        fits: compares the schemas of a property or item.
        meets: compares the whole value with another schema.
    """

    def __init__(self, sampler: Sampler, same: Equality, fits: Fits, meets: Meets) -> None:
        self._sampler, self._same, self._fits, self._meets = sampler, same, fits, meets

    def object(self, shape: Shape, view: View, spot: Spot, seen: frozenset[object]) -> list[Obstacle]:
        """Compare the properties of objects with a schema."""
        obstacles: list[Obstacle] = []
        present = set(shape.required)
        for name in view.required:
            if name not in present:
                is_declared = bool(shape.value(name))
                examples = self._objects(shape, spot, without=name)
                kind = "required" if is_declared else "required_new"
                problem = obstacle(
                    kind,
                    shape,
                    view,
                    "required",
                    f"{name!r} may be missing",
                    f"{name!r} must be there",
                    spot,
                    examples,
                )
                problem.name = name
                obstacles.append(problem)
        for name in dict.fromkeys([*view.properties, *shape.names]):
            if self._is_untouched(shape, view, name) or not (reads := schemas_of(view, name)):
                continue
            below = self._property(shape, spot, name)
            for read in reads:
                for nodes in shape.value(name):
                    obstacles += self._fits(nodes, read, below)
        sent_patterns = {pattern for other in shape.views for pattern in other.patterns}
        for expression, values in shape.rest():
            schemas: list[tuple[str | None, Node]] = [
                (pattern, read)
                for pattern, read in view.patterns.items()
                if pattern == expression or pattern not in sent_patterns
            ]
            if expression not in view.patterns and view.additional and says_something(view.additional):
                schemas.append((None, view.additional))
            for pattern, schema in schemas:
                below = self._property(shape, spot, self._name(shape, view, expression, pattern), "*")
                for nodes in values:
                    obstacles += self._fits(nodes, schema, below)
        for name, needed in view.needs.items():
            required_with = {other for sent in shape.views for other in sent.needs.get(name, ())} | present
            if shape.value(name) and (missing := [other for other in needed if other not in required_with]):
                examples = self._objects(shape, spot, having=name)
                keyword = "dependentRequired" if "dependentRequired" in view.node.schema else "dependencies"
                words = (
                    f"{name!r} without {values_in_words(missing)}",
                    f"{name!r} with {values_in_words(missing)}",
                )
                obstacles.append(obstacle("dependency", shape, view, keyword, *words, spot, examples))
        for name, read in view.dependent.items():
            if not shape.value(name) or not self._meets(shape, read, spot, seen):
                continue
            given_nodes = [other.dependent[name] for other in shape.views if name in other.dependent]
            if any(self._same(node, read) for node in given_nodes):
                continue
            keyword = "dependentSchemas" if "dependentSchemas" in view.node.schema else "dependencies"
            examples = self._objects(shape, spot, having=name)
            obstacles.append(obstacle("opaque", shape, view, keyword, "", "", spot, examples))
        if says_something(view.unevaluated) and not any(
            self._same_unevaluated(other, view) for other in shape.views
        ):
            examples = self._sampler.of_shape(shape, ("object",))
            obstacles.append(obstacle("opaque", shape, view, "unevaluatedProperties", "", "", spot, examples))
        return obstacles

    def _is_untouched(self, shape: Shape, view: View, name: str) -> bool:
        read = view.properties.get(name)
        if read is None or view.patterns:
            return False
        sent = [other.properties[name] for other in shape.views if name in other.properties]
        return any(self._same.at_a_glance(node, read) for node in sent)

    def _same_unevaluated(self, other: View, view: View) -> bool:
        sent, read = other.unevaluated, view.unevaluated
        return sent is not None and read is not None and self._same(sent, read)

    def _name(self, shape: Shape, view: View, sent: str | None, read: str | None) -> str:
        """Return a property name that matches both what is sent and what is read, or "?".

        Args:
            shape: the object.
            view: the reader's schema of it.
            sent: the regular expression of the names that are sent; None for all other names.
            read: the regular expression of the names that are read; None for all other names.
        """
        patterns = dict.fromkeys([sent, read])
        for name in itertools.chain.from_iterable(self._sampler.names(shape, p) for p in patterns):
            is_sent = sent is None or pattern_matches(sent, name)
            is_other = name not in view.properties and not any(
                pattern_matches(p, name) for p in view.patterns
            )
            if is_sent and (is_other if read is None else pattern_matches(read, name)):
                return name
        return "?"

    def _objects(
        self, shape: Shape, spot: Spot, *, without: str | None = None, having: str = ""
    ) -> Iterator[Any]:
        values = list(self._sampler.values(shape.value(having)))[:3] if having else [None]
        for value in values:
            try:
                properties = {having: value} if having else {}
                yield self._sampler.object(shape, properties=properties, without=without)
            except (StopIteration, RuntimeError):
                return

    def _property(self, shape: Shape, spot: Spot, name: str, label: str = "") -> Spot:
        def put(value: Any, choice: int) -> Any:
            return self._sampler.object(shape, properties={name: value}, choice=choice)

        return Spot((*spot.path, name), spot, f".{label or name}", put)

    def array(self, shape: Shape, view: View, spot: Spot) -> list[Obstacle]:
        """Compare the items of arrays with a schema."""
        obstacles: list[Obstacle] = []
        most = shape.most_items
        count = max(shape.prefix_length, len(view.prefix)) + 1
        for index in range(count if most is None else min(count, most)):
            read = view.prefix[index] if index < len(view.prefix) else view.items
            values = shape.item(index)
            if not values:
                break
            if read is None:
                continue
            below = self._item(shape, spot, index)
            for nodes in values:
                obstacles += self._fits(nodes, read, below)
        if view.unique and not shape.is_unique and (most is None or most > 1):
            examples = self._twice(shape, spot)
            obstacles.append(
                obstacle(
                    "unique_items",
                    shape,
                    view,
                    "uniqueItems",
                    "items may repeat",
                    "items are distinct",
                    spot,
                    examples,
                )
            )
        return obstacles

    def _twice(self, shape: Shape, spot: Spot) -> Iterator[Any]:
        for value in self._sampler.values(shape.item(shape.prefix_length)):
            try:
                size = max(2, shape.limit("minItems") or 0)
                yield [*self._sampler.array(shape, size=size - 1, at=-1), value][-size:]
                yield [value] * size
            except (StopIteration, RuntimeError):
                return

    def _item(self, shape: Shape, spot: Spot, index: int) -> Spot:
        def put(value: Any, choice: int) -> Any:
            return self._sampler.array(shape, at=index, item=value, size=index + 1)

        return Spot((*spot.path, index), spot, "[]", put)


def schemas_of(view: View, name: str) -> list[Node]:
    """Return the schemas the reader has for a property."""
    schemas = [view.properties[name]] if name in view.properties else []
    schemas += [node for pattern, node in view.patterns.items() if pattern_matches(pattern, name)]
    if not schemas and view.additional is not None and view.additional.schema is not False:
        schemas.append(view.additional)
    return schemas
