"""What a producer can send: `closed(schema)`, taken apart into alternatives.

`fire` sends declared properties only. So where an object declares properties, a producer is taken to send no
others, whether the schema forbids them or says nothing; an object that declares none is a map, and sends any.

Where something is too intricate to follow it is left out, which makes a shape wider: a comparison may then
find a break that is none, which the second opinion clears, but it never misses one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from lightbus.schema import pattern_matches
from lightbus_gen.compat.patterns.strings import lengths_of
from lightbus_gen.compat.shapes.checks import says_something
from lightbus_gen.compat.shapes.view import View
from lightbus_gen.load.references import Node

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
            found += [node for pattern, node in view.patterns.items() if pattern_matches(pattern, name)]
            declared |= bool(found)
            if not found and view.additional is not None:
                found = [view.additional]
            together += found
        if any(node.schema is False for node in together):
            return ()
        if not declared and name in self.others:
            free = ((),) if name in self.required else ()
            return tuple((*together, *other) for other in (*self.others[name], *free))
        if not declared and name not in self.required:
            together += [view.unevaluated for view in self.views if view.unevaluated is not None]
            if any(node.schema is False for node in together):
                return ()
            if self.is_closed and not any(says_something(node) for node in together):
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
            not self.is_closed or any(says_something(node) for node in more)
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
