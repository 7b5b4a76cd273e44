"""What a producer can send: `closed(schema)`, taken apart into alternatives.

`fire` sends declared properties only. So where an object declares properties, a producer is taken to send no
others, whether the schema forbids them or says nothing; an object that declares none is a map, and sends any.

Where something is too intricate to follow it is left out, which makes a shape wider: a comparison may then
find a break that is none, which the second opinion clears, but it never misses one.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from lightbus.schema.validation import validator
from lightbus_gen.compat.regex import lengths_of
from lightbus_gen.compat.view import KINDS, View, Views, kind_of, text_of
from lightbus_gen.files import SchemaFile
from lightbus_gen.references import Node

All = tuple[Node, ...]
"""Schemas that a value satisfies together; () is any value."""
Any_ = tuple[All, ...]
"""A value satisfies at least one of these; () is no value."""
FORMAT_LENGTHS: dict[str | None, tuple[int, float]] = {
    "date": (10, 10),
    "date-time": (20, math.inf),
    "uuid": (36, 36),
    "ipv4": (7, 15),
    "ipv6": (2, 45),
}
"""How short and long texts of a format are."""
MOST_SHAPES = 64
"""How far unions inside unions are multiplied out before the shape gets wider instead."""


@dataclass(slots=True, eq=False)
class Shape:
    """One alternative of what a producer sends at a place.

    Attributes:
        views: the schemas it satisfies together.
        kinds: the kinds of values.
        values: the only values, or None.
        is_closed: whether undeclared properties are not sent.
        others: properties that schemas beside these declare, which hold for some values only.
        required: names of the properties that are always there.
    """

    views: tuple[View, ...]
    kinds: frozenset[str]
    values: list[Any] | None = None
    is_closed: bool = False
    others: dict[str, Any_] = field(default_factory=dict)
    required: list[str] = field(init=False)

    def __post_init__(self) -> None:
        """Gather the names that are required, and those that they require."""
        names = dict.fromkeys(name for view in self.views for name in view.required)
        for name in (todo := list(names)):
            needed = [other for view in self.views for other in view.needs.get(name, ())]
            todo += [other for other in needed if other not in names]
            names |= dict.fromkeys(needed)
        self.required = list(names)

    def limit(self, keyword: str) -> int | None:
        """Return the tightest `minLength`, `maxItems` and the like, or None without one."""
        given = [view.limits[keyword] for view in self.views if keyword in view.limits]
        return (max if keyword.startswith("min") else min)(given) if given else None

    @property
    def lengths(self) -> tuple[float, float]:
        """The shortest and longest length of strings, as far as limits, patterns and formats tell."""
        known = [lengths_of(view.pattern) for view in self.views if view.pattern is not None]
        known += [FORMAT_LENGTHS[view.format] for view in self.views if view.format in FORMAT_LENGTHS]
        least, most = self.limit("minLength"), self.limit("maxLength")
        return (
            max(0 if least is None else least, *(pair[0] for pair in known), 0),
            min(math.inf if most is None else most, *(pair[1] for pair in known), math.inf),
        )

    @property
    def minimum(self) -> tuple[Any, bool] | None:
        """The highest lower limit of numbers."""
        edges = [view.minimum for view in self.views if view.minimum]
        return max(edges, key=lambda edge: (edge[0], edge[1]), default=None)

    @property
    def maximum(self) -> tuple[Any, bool] | None:
        """The lowest upper limit of numbers."""
        edges = [view.maximum for view in self.views if view.maximum]
        return min(edges, key=lambda edge: (edge[0], not edge[1]), default=None)

    @property
    def names(self) -> list[str]:
        """Names of the properties that are declared one by one, or required and so declared as well."""
        listed = [name for view in self.views for name in view.properties]
        return list(dict.fromkeys([*listed, *self.others, *self.required]))

    def value(self, name: str) -> Any_:
        """Return what a property can hold; () where it cannot be there."""
        together: list[Node] = []
        declared = False
        for view in self.views:
            found = [view.properties[name]] if name in view.properties else []
            found += [node for pattern, node in view.patterns.items() if matches(pattern, name)]
            declared |= bool(found)
            if not found and view.additional is not None:
                found = [view.additional]
            together += found
        if any(node.schema is False for node in together):
            return ()
        if not declared and name in self.others:
            return tuple((*together, *other) for other in self.others[name])
        if not declared and name not in self.required:
            together += [view.unevaluated for view in self.views if view.unevaluated is not None]
            if any(node.schema is False for node in together):
                return ()
            if self.is_closed and not any(_says_something(node) for node in together):
                return ()
        return (tuple(together),)

    def rest(self) -> list[tuple[str | None, Any_]]:
        """Return what properties that are not declared one by one can hold: (pattern, values) each.

        The pattern None stands for every other name.
        """
        found: list[tuple[str | None, Any_]] = [
            (pattern, ((node,),))
            for view in self.views
            for pattern, node in view.patterns.items()
            if node.schema is not False
        ]
        more = [view.additional for view in self.views if view.additional is not None]
        more += [view.unevaluated for view in self.views if view.unevaluated is not None]
        if not any(node.schema is False for node in more) and (
            not self.is_closed or any(_says_something(node) for node in more)
        ):
            found.append((None, (tuple(more),)))
        return found

    @property
    def is_unique(self) -> bool:
        """Whether the items are distinct."""
        return any(view.unique for view in self.views)

    @property
    def prefix_length(self) -> int:
        """How many first items have schemas of their own."""
        return max((len(view.prefix) for view in self.views), default=0)

    def item(self, index: int) -> Any_:
        """Return what an item can hold; an index of `prefix_length` or more means all of the rest."""
        together: list[Node] = []
        for view in self.views:
            if index < len(view.prefix):
                together.append(view.prefix[index])
            elif view.items is not None:
                together.append(view.items)
        return () if any(node.schema is False for node in together) else (tuple(together),)

    @property
    def most_items(self) -> int | None:
        """How many items there can be, None without a limit."""
        limits = [] if (given := self.limit("maxItems")) is None else [given]
        limits += [
            len(view.prefix) for view in self.views if view.items is not None and view.items.schema is False
        ]
        return min(limits, default=None)


class Shapes:
    """Takes the schemas of one version apart."""

    def __init__(self, views: Views) -> None:
        self.views = views
        self._found: dict[tuple[object, ...], list[Shape]] = {}

    def __call__(self, nodes: All, *, is_payload: bool = False) -> list[Shape]:
        """Return the alternatives of values that satisfy some schemas together.

        Args:
            nodes: the schemas.
            is_payload: whether the value is an event's payload, which is closed even without properties.
        """
        key = (is_payload, *(node.key for node in nodes))
        if key not in self._found:
            self._found[key] = [shape for shape in self._expand(nodes, is_payload) if shape.kinds]
        return self._found[key]

    def _expand(self, nodes: All, is_payload: bool) -> list[Shape]:
        done: list[Shape] = []
        start = self._flatten(nodes)
        todo: list[tuple[tuple[View, ...], dict[str, Any_], frozenset[tuple[object, ...]]]] = []
        if start is not None:
            todo.append((start, {}, frozenset()))
        while todo:
            views, others, taken = todo.pop(0)
            union = self._next_union(views, taken)
            if union is None:
                done += self._one_by_one(self._shape(views, others, is_payload))
                continue
            key, keyword, branches = union
            flat = [self._flatten((branch,)) for branch in branches]
            if len(todo) + len(done) + len(branches) > MOST_SHAPES:
                more = self._declared(branches)
                todo.insert(0, (views, {**others, **_joined(others, more)}, taken | {key}))
                continue
            new = []
            for index, branch in enumerate(flat):
                if branch is None:
                    continue
                rivals = (
                    [other for at, other in enumerate(branches) if at != index] if keyword == "anyOf" else []
                )
                both = _distinct((*views, *branch))
                new.append((both, _joined(others, self._declared(rivals)), taken | {key}))
            todo = new + todo
        return done

    def _flatten(self, nodes: Iterable[Node]) -> tuple[View, ...] | None:
        """Follow `$ref` and `allOf`; None where no value can be valid."""
        found: dict[tuple[object, ...], View] = {}
        todo = list(nodes)
        while todo:
            node = todo.pop(0)
            if node.key in found and not isinstance(node.schema, bool):
                continue
            view = self.views(node)
            if view.never:
                return None
            found[node.key] = view
            todo = [*view.based_on, *todo]
        return tuple(found.values())

    def _next_union(
        self, views: Sequence[View], taken: frozenset[tuple[object, ...]]
    ) -> tuple[tuple[object, ...], str, list[Node]] | None:
        for view in views:
            for keyword, branches in view.unions.items():
                if (key := (*view.node.key, keyword)) not in taken:
                    return key, keyword, branches
        return None

    def _declared(self, nodes: Iterable[Node]) -> dict[str, Any_]:
        """Return the properties that schemas declare for the values they hold for."""
        found: dict[str, Any_] = {}
        todo, seen = list(nodes), set[tuple[object, ...]]()
        while todo:
            node = todo.pop()
            if node.key in seen:
                continue
            seen.add(node.key)
            view = self.views(node)
            found = _joined(found, {name: ((child,),) for name, child in view.properties.items()})
            todo += [*view.based_on, *(branch for union in view.unions.values() for branch in union)]
            todo += [*view.dependent.values(), *self._conditional(view)]
        return found

    def _conditional(self, view: View) -> list[Node]:
        schema = view.node.schema
        if "if" not in view.opaque:
            return []
        return [view.node.child(name) for name in ("if", "then", "else") if name in schema]

    def _shape(self, views: tuple[View, ...], others: dict[str, Any_], is_payload: bool) -> Shape:
        kinds = KINDS.intersection(*(view.kinds for view in views))
        for view in views:
            if not view.is_limited:
                continue
            if view.multiple_of is not None and Fraction(str(view.multiple_of)).denominator == 1:
                kinds -= {"number"}
            beside = [*view.dependent.values(), *self._conditional(view)]
            others = _joined(others, self._declared(beside)) if beside else others
        listed = [view.values for view in views if view.values is not None]
        values: list[Any] | None = None
        if listed:
            texts = set[str].intersection(*({text_of(value) for value in values} for values in listed))
            values = [
                value
                for value in listed[0]
                if (text_of(value) in texts or not isinstance(value, (dict, list)))
                and kind_of(value) in kinds
                and all(accepts_scalar(view, value) for view in views)
            ]
            kinds = frozenset(kind_of(value) for value in values)
        elif kinds <= {"boolean", "null"}:
            values = [*((False, True) if "boolean" in kinds else ()), *((None,) if "null" in kinds else ())]
        declares = bool(others) or any(view.declares for view in views)
        is_silent = not any(view.patterns or view.additional or view.unevaluated for view in views)
        shape = Shape(views, kinds, values, declares or (is_payload and is_silent), others)
        if values is None and any(view.is_limited for view in views):
            shape.kinds -= _empty_kinds(shape)
        return shape

    def _one_by_one(self, shape: Shape) -> list[Shape]:
        """Give each object or array that is listed as a value a shape of its own, which can be looked into."""
        containers = [value for value in shape.values or () if isinstance(value, (dict, list))]
        if not containers:
            return [shape]
        scalars = [value for value in shape.values or () if not isinstance(value, (dict, list))]
        split = [replace(shape, values=scalars, kinds=frozenset(kind_of(value) for value in scalars))]
        for value in containers:
            file = SchemaFile(f"value {text_of(value)}", "", "", "", exactly(value))
            view = self.views(Node(file.value, file, (), file.uri))
            split.append(Shape((*shape.views, view), view.kinds, [value], is_closed=True))
        return split


def _empty_kinds(shape: Shape) -> set[str]:
    """Return the kinds that limits leave no value of."""
    empty = set()
    low, high = shape.minimum, shape.maximum
    if low and high and (low[0] > high[0] or (low[0] == high[0] and (low[1] or high[1]))):
        empty |= {"integer", "number"}
    if shape.lengths[0] > shape.lengths[1]:
        empty.add("string")
    if (most := shape.most_items) is not None and most < (shape.limit("minItems") or 0):
        empty.add("array")
    if any(not shape.value(name) for name in shape.required):
        empty.add("object")
    return empty


def exactly(value: object) -> dict[str, Any]:
    """Return the schema of one value, its parts spelled out."""
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


def matches(pattern: str, name: str) -> bool:
    """Whether a name fits a regular expression of a schema."""
    return bool(_pattern(pattern).is_valid(name))


def accepts_scalar(view: View, value: object) -> bool:
    """Whether a value fits what a schema itself says about numbers and strings; anything else does."""
    schema = view.node.schema
    if not isinstance(schema, dict) or isinstance(value, (list, dict)):
        return True
    if view.node.hides_siblings and "$ref" in schema:
        return True
    told = {key: schema[key] for key in _SCALAR if key in schema}
    return not told or bool(_scalar(text_of(told | {"$schema": view.node.file.dialect})).is_valid(value))


_SCALAR = (
    "type", "enum", "const", "minLength", "maxLength", "pattern", "format", "contentEncoding",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
)  # fmt: skip


@functools.cache
def _scalar(text: str) -> Any:
    return validator(json.loads(text))


@functools.cache
def _pattern(pattern: str) -> Any:
    return validator({"pattern": pattern})


def _says_something(node: Node) -> bool:
    """Whether a schema of further properties says what they are; `true` does not."""
    return isinstance(node.schema, dict) and bool(node.schema)


def _joined(some: dict[str, Any_], more: dict[str, Any_]) -> dict[str, Any_]:
    return (
        {**some, **{name: (*some.get(name, ()), *values) for name, values in more.items()}} if more else some
    )


def _distinct(views: Iterable[View]) -> tuple[View, ...]:
    return tuple({view.node.key: view for view in views}.values())
