"""Properties, their names, and items: each compared with the reader's schemas of it."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from lightbus.schema import pattern_matches
from lightbus_gen.compat.fit.obstacles import Meets, Obstacle, Spot, obstacle, values_in_words
from lightbus_gen.compat.fit.sample import NoSample, Sampler
from lightbus_gen.compat.patterns.automata import text_outside
from lightbus_gen.compat.shapes.equality import Equality
from lightbus_gen.compat.shapes.shape import AllOf, Shape
from lightbus_gen.compat.shapes.view import View, is_restrictive
from lightbus_gen.load.references import Node, lone

_TEXTS = frozenset(("string",))
_NO_TEXT = r"[^\s\S]"
_MAX_PATTERNS = 20
"""Patterns of one object that are compared with each other."""
Fits = Callable[[AllOf, Node, Spot], list[Obstacle]]


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
        for name in view.required:
            if name not in shape.present:
                examples = self._objects(shape, without=name)
                kind = "required" if shape.value(name) else "required_new"
                obstacles.append(obstacle(kind, shape, view, "required", "", "", spot, examples, name))
        is_of_all = bool(view.patterns) or view.additional is not None
        for name in dict.fromkeys([*view.properties, *shape.names]) if is_of_all else view.properties:
            if self._is_untouched(shape, view, name) or not (reads := _read_as(view, name)):
                continue
            below = self._property(shape, spot, name)
            for read in reads:
                for nodes in shape.value(name):
                    obstacles += self._fits(nodes, read, below)
        is_of_others = bool(view.patterns) or is_restrictive(view.additional)
        sent_patterns = {p for other in shape.views for p in other.patterns} if view.patterns else ()
        unsent = [(pattern, read) for pattern, read in view.patterns.items() if pattern not in sent_patterns]
        for expression, values in shape.rest() if is_of_others else ():
            schemas: list[tuple[str | None, Node]] = [*unsent]
            if expression in view.patterns:
                schemas.append((expression, view.patterns[expression]))
            if expression not in view.patterns and view.additional and is_restrictive(view.additional):
                schemas.append((None, view.additional))
            for pattern, schema in schemas:
                shared = self._name(shape, view, expression, pattern)
                if shared is None:
                    continue
                below = self._property(shape, spot, shared, "*")
                also = _also_sent(shape, expression, pattern)
                for nodes in values:
                    obstacles += self._fits((*nodes, *also), schema, below)
        for name, needed in view.needs.items():
            required_with = {
                other for sent in shape.views for other in sent.needs.get(name, ())
            } | shape.present
            if shape.value(name) and (missing := [other for other in needed if other not in required_with]):
                examples = self._objects(shape, having=name)
                keyword = "dependentRequired" if "dependentRequired" in view.node.schema else "dependencies"
                words = (
                    f"{name!r} without {values_in_words(missing)}",
                    f"{name!r} with {values_in_words(missing)}",
                )
                obstacles.append(obstacle("dependency", shape, view, keyword, *words, spot, examples))
        for name, read in view.dependent.items():
            if not shape.value(name) or not self._meets(shape, read, spot, seen):
                continue
            sent = [other.dependent[name] for other in shape.views if name in other.dependent]
            if any(self._same(node, read) for node in sent):
                continue
            keyword = "dependentSchemas" if "dependentSchemas" in view.node.schema else "dependencies"
            examples = self._objects(shape, having=name)
            obstacles.append(obstacle("opaque", shape, view, keyword, "", "", spot, examples))
        if is_restrictive(view.unevaluated) and not any(
            self._same(other.node, view.node) for other in shape.views
        ):
            examples = self._sampler.of_shape(shape, ("object",))
            obstacles.append(obstacle("opaque", shape, view, "unevaluatedProperties", "", "", spot, examples))
        return obstacles

    def _is_untouched(self, shape: Shape, view: View, name: str) -> bool:
        read = view.properties.get(name)
        if read is None or view.patterns:
            return False
        return any(self._same.at_a_glance(node, read) for node in shape.index.properties.get(name, ()))

    def _name(self, shape: Shape, view: View, sent: str | None, read: str | None) -> str | None:
        """Return a property name that matches both what is sent and what is read; None if there is none, "?" if unknown.

        Args:
            shape: the object.
            view: the reader's schema of it.
            sent: the regular expression of the names that are sent; None for all other names.
            read: the regular expression of the names that are read; None for all other names.
        """
        patterns = dict.fromkeys([sent, read])
        for name in itertools.chain.from_iterable(self._sampler.names(shape, p) for p in patterns):
            is_sent = sent is None or pattern_matches(sent, name)
            if is_sent and (_is_other(view, name) if read is None else pattern_matches(read, name)):
                return name
        within = tuple(dict.fromkeys(each for each in (sent, read) if each is not None))
        declared = (*shape.names, *(view.properties if read is None else ()))
        outside = [
            f"^{re.escape(name)}$" for name in declared if all(pattern_matches(each, name) for each in within)
        ]
        outside += [pattern for other in shape.views for pattern in other.patterns] if sent is None else []
        outside += view.patterns if read is None else []
        try:
            return text_outside(within, "|".join(f"(?:{each})" for each in outside) or _NO_TEXT)
        except ValueError:
            return "?"

    def _objects(self, shape: Shape, *, without: str | None = None, having: str = "") -> Iterator[Any]:
        values = list(self._sampler.values(shape.value(having)))[:3] if having else [None]
        for value in values:
            try:
                properties = {having: value} if having else {}
                yield self._sampler.object(shape, properties=properties, without=without)
            except NoSample:
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
        if view.unique and not shape.is_unique and shape.values is None and (most is None or most > 1):
            words = "items may repeat", "items are distinct"
            examples = self._twice(shape)
            obstacles.append(obstacle("unique_items", shape, view, "uniqueItems", *words, spot, examples))
        return obstacles

    def _twice(self, shape: Shape) -> Iterator[Any]:
        for value in self._sampler.values(shape.item(shape.prefix_length)):
            try:
                size = max(2, shape.limit("minItems") or 0)
                yield [*self._sampler.array(shape, size=size - 1, at=-1), value][-size:]
                yield [value] * size
            except NoSample:
                return

    def _item(self, shape: Shape, spot: Spot, index: int) -> Spot:
        def put(value: Any, choice: int) -> Any:
            return self._sampler.array(shape, at=index, item=value, size=index + 1)

        return Spot((*spot.path, index), spot, "[]", put)

    def names(self, shape: Shape, view: View, spot: Spot) -> list[Obstacle]:
        """Compare the names of an object's properties, as texts, with a reader's `propertyNames`."""

        def put(name: Any, choice: int) -> Any:
            value = self._sampler.first(shape.value(name))
            return self._sampler.object(shape, properties={name: value}, choice=choice)

        read = view.node.child("propertyNames")
        below = Spot(spot.path, spot, " (names)", put)
        obstacles = [
            each for names in self._names(shape) for each in self._meets(names, read, below, frozenset())
        ]
        return [
            replace(each, writer=shape.views[0].node) if shape.views and each.writer is each.reader else each
            for each in obstacles
        ]

    def _names(self, shape: Shape) -> Iterator[Shape]:
        """Yield the names that may be sent, as shapes of texts."""
        if declared := [name for name in shape.names if shape.value(name)]:
            yield Shape((), _TEXTS, list(declared))
        for expression, _ in shape.rest():
            nodes = shape.name_schemas
            if expression is not None:
                nodes = (*nodes, lone(f"names {expression}", {"pattern": expression}))
            for names in self._sampler.shapes(nodes):
                if "string" in names.kinds:
                    values = names.values
                    if values is not None:
                        values = [text for text in values if isinstance(text, str)]
                    yield replace(names, kinds=_TEXTS, values=values)


def _also_sent(shape: Shape, sent: str | None, read: str | None) -> list[Node]:
    """Return the schemas of other patterns that match every name that two patterns match."""
    within = tuple(each for each in (sent, read) if each is not None)
    patterns = [item for view in shape.views for item in view.patterns.items() if item[0] != sent]
    nodes = []
    for pattern, node in patterns if sent is not None and len(patterns) <= _MAX_PATTERNS else ():
        with contextlib.suppress(ValueError):
            if text_outside(within, pattern) is None:
                nodes.append(node)
    return nodes


def _is_other(view: View, name: str) -> bool:
    """Whether a schema has no property or pattern for a name."""
    return name not in view.properties and not any(pattern_matches(each, name) for each in view.patterns)


def _read_as(view: View, name: str) -> list[Node]:
    """Return the reader's schemas of a property; a reader does not refuse an undeclared one."""
    declared = view.declared(name)
    if declared or view.additional is None or view.additional.schema is False:
        return declared
    return [view.additional]
