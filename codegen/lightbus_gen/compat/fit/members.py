"""Properties and items: each against what the reader has for it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from lightbus.schema import pattern_matches
from lightbus_gen.compat.fit.obstacles import Obstacle, Spot, obstacle
from lightbus_gen.compat.fit.sample import Sampler
from lightbus_gen.compat.fit.words import values_in_words
from lightbus_gen.compat.shapes.checks import says_something
from lightbus_gen.compat.shapes.equality import Equality
from lightbus_gen.compat.shapes.shape import All, Shape
from lightbus_gen.compat.shapes.view import View
from lightbus_gen.load.references import Node

Fits = Callable[[All, Node, Spot], list[Obstacle]]
Meets = Callable[[Shape, Node, Spot, frozenset[object]], list[Obstacle]]


class Members:
    """Compares objects and arrays by their parts.

    Args:
        sampler: makes values that are sent.
        same: compares schemas of the two versions as texts.
        fits: compares the schemas of a part.
        meets: compares the same value with another schema.
    """

    def __init__(self, sampler: Sampler, same: Equality, fits: Fits, meets: Meets) -> None:
        self._sampler, self._same, self._fits, self._meets = sampler, same, fits, meets

    def object(self, shape: Shape, view: View, spot: Spot, seen: frozenset[object]) -> list[Obstacle]:
        """Compare the properties of objects with a schema."""
        found: list[Obstacle] = []
        present = set(shape.required)
        for name in view.required:
            if name not in present:
                is_declared = bool(shape.value(name))
                sent = self._objects(shape, spot, without=name)
                kind = "required" if is_declared else "required_new"
                one = obstacle(
                    kind,
                    shape,
                    view,
                    "required",
                    f"{name!r} may be missing",
                    f"{name!r} must be there",
                    spot,
                    sent,
                )
                one.name = name
                found.append(one)
        for name in dict.fromkeys([*view.properties, *shape.names]):
            if self._is_untouched(shape, view, name) or not (reads := schemas_of(view, name)):
                continue
            below = self._property(shape, spot, name)
            found += [
                one for read in reads for nodes in shape.value(name) for one in self._fits(nodes, read, below)
            ]
        written = {pattern for other in shape.views for pattern in other.patterns}
        for expression, values in shape.rest():
            further: list[tuple[str | None, Node]] = [
                (one, read) for one, read in view.patterns.items() if one == expression or one not in written
            ]
            if expression not in view.patterns and view.additional and says_something(view.additional):
                further.append((None, view.additional))
            for pattern, schema in further:
                below = self._property(shape, spot, self._name(shape, view, expression, pattern), "*")
                found += [one for nodes in values for one in self._fits(nodes, schema, below)]
        for name, needed in view.needs.items():
            given = {other for one in shape.views for other in one.needs.get(name, ())} | present
            if shape.value(name) and (missing := [other for other in needed if other not in given]):
                sent = self._objects(shape, spot, having=name)
                keyword = "dependentRequired" if "dependentRequired" in view.node.schema else "dependencies"
                words = (
                    f"{name!r} without {values_in_words(missing)}",
                    f"{name!r} with {values_in_words(missing)}",
                )
                found.append(obstacle("dependency", shape, view, keyword, *words, spot, sent))
        for name, read in view.dependent.items():
            if not shape.value(name) or not self._meets(shape, read, spot, seen):
                continue
            given_nodes = [other.dependent[name] for other in shape.views if name in other.dependent]
            if any(self._same(node, read) for node in given_nodes):
                continue
            keyword = "dependentSchemas" if "dependentSchemas" in view.node.schema else "dependencies"
            sent = self._objects(shape, spot, having=name)
            found.append(obstacle("opaque", shape, view, keyword, "", "", spot, sent))
        if says_something(view.unevaluated) and not any(
            self._same_unevaluated(other, view) for other in shape.views
        ):
            sent = self._sampler.of_shape(shape, ("object",))
            found.append(obstacle("opaque", shape, view, "unevaluatedProperties", "", "", spot, sent))
        return found

    def _is_untouched(self, shape: Shape, view: View, name: str) -> bool:
        read = view.properties.get(name)
        if read is None or view.patterns:
            return False
        sent = [other.properties[name] for other in shape.views if name in other.properties]
        return any(self._same.at_a_glance(one, read) for one in sent)

    def _same_unevaluated(self, other: View, view: View) -> bool:
        mine, its = other.unevaluated, view.unevaluated
        return mine is not None and its is not None and self._same(mine, its)

    def _name(self, shape: Shape, view: View, sent: str | None, taken: str | None) -> str:
        """Return a name that a property is sent by and that a reader has a certain schema for.

        Args:
            shape: the object.
            view: the reader's schema of it.
            sent: the regular expression it is sent under, None for any other name.
            taken: the regular expression it is read under, None for any other name.
        """
        patterns = dict.fromkeys([sent, taken])
        for name in itertools.chain.from_iterable(self._sampler.names(shape, one) for one in patterns):
            is_sent = sent is None or pattern_matches(sent, name)
            is_other = name not in view.properties and not any(
                pattern_matches(one, name) for one in view.patterns
            )
            if is_sent and (is_other if taken is None else pattern_matches(taken, name)):
                return name
        return "?"

    def _objects(
        self, shape: Shape, spot: Spot, *, without: str | None = None, having: str = ""
    ) -> Iterator[Any]:
        values = list(self._sampler.values(shape.value(having)))[:3] if having else [None]
        for value in values:
            try:
                given = {having: value} if having else {}
                yield self._sampler.object(shape, given=given, without=without)
            except (StopIteration, RuntimeError):
                return

    def _property(self, shape: Shape, spot: Spot, name: str, label: str = "") -> Spot:
        def put(value: Any, choice: int) -> Any:
            return self._sampler.object(shape, given={name: value}, choice=choice)

        return Spot((*spot.path, name), spot, f".{label or name}", put)

    def array(self, shape: Shape, view: View, spot: Spot) -> list[Obstacle]:
        """Compare the items of arrays with a schema."""
        found: list[Obstacle] = []
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
            found += [one for nodes in values for one in self._fits(nodes, read, below)]
        if view.unique and not shape.is_unique and (most is None or most > 1):
            sent = self._twice(shape, spot)
            found.append(
                obstacle(
                    "unique_items",
                    shape,
                    view,
                    "uniqueItems",
                    "items may repeat",
                    "items are distinct",
                    spot,
                    sent,
                )
            )
        return found

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
            return self._sampler.array(shape, at=index, given=value, size=index + 1)

        return Spot((*spot.path, index), spot, "[]", put)


def schemas_of(view: View, name: str) -> list[Node]:
    """Return the schemas the reader has for a property."""
    found = [view.properties[name]] if name in view.properties else []
    found += [node for pattern, node in view.patterns.items() if pattern_matches(pattern, name)]
    if not found and view.additional is not None and view.additional.schema is not False:
        found.append(view.additional)
    return found
