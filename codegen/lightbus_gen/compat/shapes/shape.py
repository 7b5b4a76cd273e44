"""What a producer can send: `closed(schema)`, split into alternatives.

`fire` sends declared properties only. So if an object declares properties, a producer is assumed to send no others,
whether or not the schema forbids them; an object that declares none is a map with any properties.

A restriction that is too complex to follow is left out, which makes a shape wider: a comparison may then report a
false break, which the second opinion clears, but it never misses a break.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lightbus_gen.compat.patterns.strings import lengths_of
from lightbus_gen.compat.shapes.view import View, is_restrictive
from lightbus_gen.load.references import Node

AllOf = tuple[Node, ...]
"""Schemas that a value satisfies together; () is any value."""
AnyOf = tuple[AllOf, ...]
"""A value satisfies at least one of these; () is no value."""
_FORMAT_LENGTHS: dict[str | None, tuple[int, float]] = {
    "date": (10, 10),
    "date-time": (20, math.inf),
    "email": (3, 318),
    "uuid": (36, 36),
    "ipv4": (7, 15),
    "ipv6": (2, 45),
}
"""The shortest and longest length of strings of a format."""


class _Index:
    """Finds views by what they say, so that many of them together take no longer than one by one.

    Args:
        views: the schemas that a value satisfies together.

    Attributes:
        properties: the schemas of properties that the views declare by name, by name.
        opaque: the views by keyword that is compared as a whole, and its text.
    """

    def __init__(self, views: Sequence[View]) -> None:
        self._views = views
        self._by_name: dict[str, list[int]] = {}
        self._of_all: list[int] = []
        self.properties: dict[str, list[Node]] = {}
        self.opaque: dict[tuple[str, str], list[View]] = {}
        for at, view in enumerate(views):
            is_of_all = bool(view.patterns) or view.additional is not None
            if is_of_all:
                self._of_all.append(at)
            for name, node in view.properties.items():
                self.properties.setdefault(name, []).append(node)
                if not is_of_all:
                    self._by_name.setdefault(name, []).append(at)
            for item in view.opaque.items():
                self.opaque.setdefault(item, []).append(view)

    def about(self, name: str) -> Iterator[View]:
        """Yield the views that limit a property."""
        for at in sorted((*self._by_name.get(name, ()), *self._of_all)):
            yield self._views[at]


def join(some: dict[str, AnyOf], more: dict[str, AnyOf]) -> None:
    """Add further values of properties."""
    for name, values in more.items():
        some[name] = (*some.get(name, ()), *values)


@dataclass(frozen=True, slots=True)
class Others:
    """What is said about the properties of an object by schemas that apply to some values only.

    Attributes:
        names: the values of the properties that they declare or require, by name.
        declares: whether one has the keyword `properties`.
        is_open: whether one accepts any further properties.
        is_vague: whether one describes properties that it does not name.
    """

    names: dict[str, AnyOf] = field(default_factory=dict)
    declares: bool = False
    is_open: bool = False
    is_vague: bool = False

    def and_(self, *more: Others) -> Others:
        """Return what all say together."""
        names = {**self.names}
        for other in more:
            join(names, other.names)
        each = (self, *more)
        return Others(
            names,
            any(one.declares for one in each),
            any(one.is_open for one in each),
            any(one.is_vague for one in each),
        )


@dataclass(slots=True, eq=False)
class Shape:
    """One alternative of what a producer sends at a place.

    Attributes:
        views: the schemas it satisfies together.
        kinds: the kinds of values.
        values: the only values, or None.
        is_closed: whether undeclared properties are not sent.
        others: what schemas that apply to some values only say about properties.
        required: names of the properties that are always present.
        present: the same names.
    """

    views: tuple[View, ...]
    kinds: frozenset[str]
    values: list[Any] | None = None
    is_closed: bool = False
    others: Others = field(default_factory=Others)
    required: list[str] = field(init=False)
    present: frozenset[str] = field(init=False)
    _values: dict[str, AnyOf] = field(default_factory=dict, init=False, repr=False)
    _index: _Index | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        """Collect the names that are required, and those that they require."""
        self.required = self.with_needed(name for view in self.views for name in view.required)
        self.present = frozenset(self.required)

    def with_needed(self, names: Iterable[str]) -> list[str]:
        """Return names of properties, and of those that they require to be present."""
        needed = dict.fromkeys(names)
        todo = list(needed)
        needing = [view.needs for view in self.views if view.needs]
        for name in todo if needing else ():
            for needs in needing:
                todo += (other for other in dict.fromkeys(needs.get(name, ())) if other not in needed)
                needed |= dict.fromkeys(needs.get(name, ()))
        return list(needed)

    def accepts(self, value: object) -> bool:
        """Whether the keywords accept a value that hold no schemas and name no properties."""
        return all(view.accepts(value) for view in self.views)

    def limit(self, keyword: str) -> int | None:
        """Return the strictest `minLength`, `maxItems` or similar limit; None without one."""
        limits = [view.limits[keyword] for view in self.views if keyword in view.limits]
        return (max if keyword.startswith("min") else min)(limits, default=None)

    @property
    def lengths(self) -> tuple[float, float]:
        """The shortest and longest length of strings that limits, patterns and formats allow."""
        lengths = [lengths_of(view.pattern) for view in self.views if view.pattern is not None]
        lengths += [_FORMAT_LENGTHS[view.format] for view in self.views if view.format in _FORMAT_LENGTHS]
        least, most = self.limit("minLength") or 0, self.limit("maxLength")
        lengths.append((least, math.inf if most is None else most))
        return max(pair[0] for pair in lengths), min(pair[1] for pair in lengths)

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
        """The names of properties that are declared by name or required."""
        declared = [name for view in self.views for name in view.properties]
        return list(dict.fromkeys([*declared, *self.others.names, *self.required]))

    @property
    def index(self) -> _Index:
        """What finds the views that say something about a property, or have a keyword."""
        if self._index is None:
            self._index = _Index(self.views)
        return self._index

    def value(self, name: str) -> AnyOf:
        """Return the values of a property; () if it cannot be present."""
        if name not in self._values:
            self._values[name] = self._value(name)
        return self._values[name]

    def _value(self, name: str) -> AnyOf:
        together: list[Node] = []
        additional: list[Node] = []
        for view in self.index.about(name):
            nodes = view.declared(name)
            together += nodes
            if not nodes and view.additional is not None:
                additional.append(view.additional)
        if any(node.schema is False for node in (*together, *additional)):
            return ()
        if together:
            return ((*together, *additional),)
        return self._undeclared(additional, self.others.names.get(name, ()), is_present=name in self.present)

    def _undeclared(
        self, additional: list[Node], conditional: AnyOf = (), *, is_present: bool = False
    ) -> AnyOf:
        """Return the values of a property that no schema which always applies declares.

        `unevaluatedProperties` counts only if nothing else can have described the property.

        Args:
            additional: the schemas of further properties.
            conditional: its values where it is declared.
            is_present: whether it is always present.
        """
        options = [(*additional, *other) for other in conditional]
        is_open = not self.is_closed and (bool(additional) or self.others.is_open)
        if is_present or is_open or self.others.is_vague or any(map(is_restrictive, additional)):
            return (*options, tuple(additional))
        unevaluated = [view.unevaluated for view in self.views if view.unevaluated is not None]
        is_allowed = any(map(is_restrictive, unevaluated)) or not self.is_closed
        if not is_allowed or (unevaluated and all(node.schema is False for node in unevaluated)):
            return tuple(options)
        # of several, one may be inside another, which then does not see the property
        return (*options, (*additional, *(unevaluated if len(unevaluated) == 1 else ())))

    def rest(self) -> list[tuple[str | None, AnyOf]]:
        """Return (pattern, values) of properties that are not declared by name; the pattern None is all other names."""
        rest: list[tuple[str | None, AnyOf]] = [
            (pattern, ((node,),))
            for view in self.views
            for pattern, node in view.patterns.items()
            if node.schema is not False
        ]
        additional = [view.additional for view in self.views if view.additional is not None]
        if not any(node.schema is False for node in additional) and (values := self._undeclared(additional)):
            rest.append((None, values))
        return rest

    @property
    def name_schemas(self) -> AllOf:
        """The schemas of property names."""
        return tuple(
            view.node.child("propertyNames") for view in self.views if "propertyNames" in view.opaque
        )

    @property
    def is_unique(self) -> bool:
        """Whether the items are distinct."""
        return any(view.unique for view in self.views)

    @property
    def prefix_length(self) -> int:
        """The number of first items that have their own schemas."""
        return max((len(view.prefix) for view in self.views), default=0)

    def item(self, index: int) -> AnyOf:
        """Return the values of an item; an index of `prefix_length` or more means all further items."""
        together: list[Node] = []
        for view in self.views:
            if index < len(view.prefix):
                together.append(view.prefix[index])
            elif view.items is not None:
                together.append(view.items)
        return () if any(node.schema is False for node in together) else (tuple(together),)

    @property
    def most_items(self) -> int | None:
        """The greatest number of items; None without a limit."""
        no_more = (view for view in self.views if view.items is not None and view.items.schema is False)
        limits = [len(view.prefix) for view in no_more]
        if (limit := self.limit("maxItems")) is not None:
            limits.append(limit)
        return min(limits, default=None)
