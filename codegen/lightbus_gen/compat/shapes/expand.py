"""Expands schemas into shapes: follows `$ref` and `allOf`, and multiplies out unions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from lightbus.schema.language.keywords import CLOSING, REFERENCES
from lightbus_gen.compat.shapes.shape import AllOf, AnyOf, Others, Shape, join
from lightbus_gen.compat.shapes.view import KINDS, View, Views, exact, is_restrictive, text_of, whole
from lightbus_gen.load.references import Node, lone
from lightbus_gen.lower.parts import kind_of

MAX_SHAPES = 64
"""How many alternatives nested unions are multiplied out to; a shape gets wider instead of exceeding it."""


_FURTHER = ("patternProperties", *CLOSING)
"""Keywords that describe the properties which are not declared by name."""


class Shapes:
    """Splits the schemas of one version into shapes."""

    def __init__(self, views: Views) -> None:
        self.views = views
        self._expanded: dict[tuple[object, ...], list[Shape]] = {}
        self._declarations: dict[tuple[object, ...], Others] = {}

    def __call__(self, nodes: AllOf, *, is_payload: bool = False) -> list[Shape]:
        """Return the alternatives of values that satisfy some schemas together.

        Args:
            nodes: the schemas.
            is_payload: whether the value is an event's payload, which is closed even without properties.
        """
        key = (is_payload, *(node.key for node in nodes))
        if key not in self._expanded:
            shapes = self._expand(nodes, is_payload)
            if is_payload:  # `fire()` sends objects
                shapes = [replace(shape, kinds=shape.kinds & {"object"}) for shape in shapes]
            self._expanded[key] = [shape for shape in shapes if shape.kinds]
        return self._expanded[key]

    def _expand(self, nodes: AllOf, is_payload: bool) -> list[Shape]:
        done: list[Shape] = []
        start = self._flatten(nodes)
        is_silent = is_payload and not any(
            any(map(view.node.has, _FURTHER)) for view in self._together(nodes)
        )
        todo: list[tuple[tuple[View, ...], Others, _Place]] = []  # the next one last
        if start is not None:
            todo.append((start, Others(), (0, 0)))
        while todo:
            views, others, at = todo.pop()
            for place, keyword, branches in _unions(views, at):
                if constants := self._constants(branches):
                    node = views[place[0]].node.child(keyword)
                    kinds = frozenset(map(kind_of, constants))
                    views = (*views, View(node, kinds=kinds, values=constants, is_limited=True))
                    continue
                is_first = keyword == "oneOf" and not todo and not done
                if len(todo) + len(done) + len(branches) > MAX_SHAPES and not (
                    is_first and self._are_tagged(branches)
                ):
                    others = others.and_(self._declared(branches))
                    continue
                for branch in reversed(branches):
                    flat = self._flatten((branch,))
                    if flat is None:
                        continue
                    both = tuple({view.node.key: view for view in (*views, *flat)}.values())
                    declared = others
                    if keyword == "anyOf":
                        left = [other for other in branches if other is not branch]
                        declared = declared.and_(self._declared(left))
                    todo.append((both, declared, place))
                break
            else:
                done += self._one_by_one(self._shape(views, others, is_silent))
        return done

    def _are_tagged(self, branches: Sequence[Node]) -> bool:
        """Whether the branches of a union all require one property and list its values, so that each is compared alone."""
        names: set[str] | None = None
        for branch in branches:
            view = self.views(self.views.meant(branch))
            required = {
                name
                for name in view.required
                if name in view.properties and self.views(self.views.meant(view.properties[name])).values
            }
            names = required if names is None else names & required
        return bool(names)

    def _constants(self, branches: Sequence[Node]) -> list[Any]:
        """Return the scalars that a union lists in the form of branches; [] if one of them says more."""
        constants: list[Any] = []
        for branch in branches:
            view = self.views(self.views.meant(branch))
            listed = [value for value in view.values or () if kind_of(value) in view.kinds]
            is_scalar = bool(listed) and not any(isinstance(value, (dict, list)) for value in listed)
            if not is_scalar or view.based_on or view.unions or view.opaque:
                return []
            constants += filter(view.accepts, listed)
        return constants

    def _flatten(self, nodes: Iterable[Node]) -> tuple[View, ...] | None:
        """Follow `$ref` and `allOf`; None if no value can be valid."""
        views: dict[tuple[object, ...], View] = {}
        todo = [*nodes][::-1]
        while todo:
            node = todo.pop()
            if node.key in views and not isinstance(node.schema, bool):
                continue
            view = self.views(node)
            if view.never:
                return None
            views[node.key] = view
            todo += reversed(view.based_on)
        return tuple(views.values())

    def _declared(self, nodes: Sequence[Node]) -> Others:
        """Return what schemas say about properties of the values they apply to."""
        key = tuple(node.key for node in nodes)
        if key not in self._declarations:
            declared: dict[str, AnyOf] = {}
            declares = is_vague = is_open = False
            for view in self._together(nodes):
                join(declared, {name: ((),) for name in view.mentioned if name not in view.properties})
                join(declared, {name: ((child,),) for name, child in view.properties.items()})
                further = [node for node in (view.additional, view.unevaluated) if node is not None]
                declares = declares or view.declares
                is_open = is_open or any(node.schema is not False for node in further)
                is_vague = is_vague or bool(view.patterns) or any(map(is_restrictive, further))
                is_vague = is_vague or not REFERENCES.isdisjoint(view.opaque)
            self._declarations[key] = Others(declared, declares, is_open, is_vague)
        return self._declarations[key]

    def _together(self, nodes: Iterable[Node]) -> Iterator[View]:
        """Yield all schemas that may apply to a value, in whatever branch."""
        todo, seen = list(nodes), set[tuple[object, ...]]()
        while todo:
            node = todo.pop()
            if node.key in seen:
                continue
            seen.add(node.key)
            view = self.views(node)
            yield view
            todo += [*view.based_on, *(branch for union in view.unions.values() for branch in union)]
            todo += _conditional(view)

    def _shape(self, views: tuple[View, ...], others: Others, is_silent: bool) -> Shape:
        kinds = KINDS.intersection(*(view.kinds for view in views))
        conditional: list[Others] = []
        for view in views:
            if not view.is_limited:
                continue
            if view.multiple_of is not None and exact(view.multiple_of).denominator == 1:
                kinds -= {"number"}
            if nodes := _conditional(view):
                conditional.append(self._declared(nodes))
        lists = [view.values for view in views if view.values is not None]
        values: list[Any] | None = None
        if lists:
            values = [
                value
                for value in lists[0]
                if kind_of(value) in kinds and all(view.accepts(value) for view in views)
            ]
            kinds = frozenset(kind_of(value) for value in values)
        elif kinds <= {"boolean", "null"}:
            values = values_of(kinds)
        if conditional:
            others = others.and_(*conditional)
        if any(not REFERENCES.isdisjoint(view.opaque) for view in views):
            others = replace(others, is_vague=True)
        declares = others.declares or any(view.declares for view in views)
        mentioned: dict[str, AnyOf] = {
            name: ((),) for view in views for name in view.mentioned if name not in others.names
        }
        if mentioned:
            others = others.and_(Others(mentioned))
        shape = Shape(views, kinds, values, declares or is_silent, others)
        if values is None and any(view.is_limited for view in views):
            shape.kinds -= _empty_kinds(shape)
        return shape

    def _one_by_one(self, shape: Shape) -> list[Shape]:
        """Give each listed object or array a shape of its own, with properties or items."""
        containers = [value for value in shape.values or () if isinstance(value, (dict, list))]
        if not containers:
            return [shape]
        scalars = [value for value in shape.values or () if not isinstance(value, (dict, list))]
        split = [replace(shape, values=scalars, kinds=frozenset(kind_of(value) for value in scalars))]
        for value in containers:
            view = self.views(lone(f"value {text_of(value)}", exactly(value)))
            split.append(Shape((*shape.views, view), view.kinds, [value], is_closed=True))
        return split


def values_of(kinds: frozenset[str]) -> list[Any]:
    """Return the booleans and null, as far as they are of these kinds."""
    return [*((False, True) if "boolean" in kinds else ()), *((None,) if "null" in kinds else ())]


def _conditional(view: View) -> list[Node]:
    """Return the schemas that apply to some of a schema's values."""
    return [*view.dependent.values(), *(view.node.inside(whole("if")) if "if" in view.opaque else ())]


def _empty_kinds(shape: Shape) -> set[str]:
    """Return the kinds of which the limits allow no value."""
    empty = set()
    if "number" in shape.kinds or "integer" in shape.kinds:
        low, high = shape.minimum, shape.maximum
        if low and high and (low[0] > high[0] or (low[0] == high[0] and (low[1] or high[1]))):
            empty |= {"integer", "number"}
    if "string" in shape.kinds:
        shortest, longest = shape.lengths
        if shortest > longest:
            empty.add("string")
    if "array" in shape.kinds:
        most = shape.most_items
        if most is not None and most < (shape.limit("minItems") or 0):
            empty.add("array")
    if "object" in shape.kinds and any(not shape.value(name) for name in shape.required):
        empty.add("object")
    return empty


def exactly(value: object) -> dict[str, Any]:
    """Return a schema that accepts only one value, with a schema for each of its parts."""
    if isinstance(value, dict):
        properties = {name: exactly(item) for name, item in value.items()}
        return {
            "type": "object",
            "properties": properties,
            "required": list(value),
            "additionalProperties": False,
        }
    if isinstance(value, list):
        items = [exactly(item) for item in value]
        return {"type": "array", "minItems": len(items), "items": False} | (
            {"prefixItems": items} if items else {}
        )
    return {"const": value}


_Place = tuple[int, int]
"""The index of a view, and how many of its unions are taken already."""


def _unions(views: Sequence[View], at: _Place) -> Iterator[tuple[_Place, str, list[Node]]]:
    """Yield the unions from a place on: (the place after it, its keyword, its branches)."""
    first, taken = at
    for index in range(first, len(views)):
        for number, (keyword, branches) in enumerate(views[index].unions.items(), 1):
            if index > first or number > taken:
                yield (index, number), keyword, branches
