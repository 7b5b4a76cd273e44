"""How often a validator may check one part of a value, by the ways through a schema that lead to it.

A validator remembers the verdicts of recursive references only. Where one definition refers to the next twice for the
same part of a value, each further definition doubles the work on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from lightbus.schema.language.keywords import IN_PLACE, PROPERTIES, REFERENCES
from lightbus.schema.language.node import D, Node

MAX_WAYS = 1_000
"""How many more schemas than there are may be checked against one part of a value; 30 ns each in an `allOf`."""
TOO_MANY_WAYS = f"more than {MAX_WAYS:,} ways through its references lead to the same part of a value"
"""What is wrong with a schema beyond the limit."""

_UNEVALUATED = ("unevaluatedProperties", "unevaluatedItems")
_OF_ITEMS = ("items", "prefixItems", "additionalItems", "contains", "unevaluatedItems")
_MAX_STEPS = 2_000_000  # properties of schemas that apply together, about a second


@dataclass(slots=True)
class _Ways:
    """How many schemas one application of a schema applies to the value and to its parts.

    Attributes:
        here: to the value itself.
        parts: to any of its parts or one within it, at most: `str` for properties, `int` for items, None for the
            names of properties; and by name or index how many more, or fewer, for one of them.
        most: to the value, a part of it or one within it, at most.
    """

    here: int = 1
    parts: dict[object, int] = field(default_factory=dict)
    most: int = 1

    def add(self, other: _Ways, times: int) -> int:
        """Add what a schema for the same value applies; returns the number of steps."""
        self.here += other.here * times
        for key, count in other.parts.items():
            self.parts[key] = self.parts.get(key, 0) + count * times
        return len(other.parts) + 1

    def finish(self) -> None:
        """Set `most`, when all is added."""
        counts = (count + self.parts.get(type(key), 0) for key, count in self.parts.items())
        self.most = max([self.here, *counts])


def crowded(starts: Iterable[Node[D]]) -> Node[D] | None:
    """Return a schema by which more than `MAX_WAYS` too many are checked against one part of a value, or None.

    Args:
        starts: the schemas to start from.
    """
    ways: dict[object, _Ways] = {}
    steps = 0
    for start in starts:
        stack = [] if start.key in ways else [(start, _inner(start))]
        ways.setdefault(start.key, _Ways())  # what a recursive reference counts
        while stack:
            node, inner_nodes = stack[-1]
            if inner := next(inner_nodes, None):
                if inner.key not in ways:
                    ways[inner.key] = _Ways()
                    stack.append((inner, _inner(inner)))
                continue
            stack.pop()
            own = _own(node, ways)
            steps += sum(own.add(ways[each.key], _times(node)) for each in _applied(node))
            own.finish()
            ways[node.key] = own
            if own.most > MAX_WAYS + len(ways) or steps > _MAX_STEPS:
                return node
    return None


def _times(node: Node[D]) -> int:
    """Return how often a validator checks the schemas for the same value: once more to find what they evaluate."""
    return 2 if any(map(node.has, _UNEVALUATED)) else 1


def _applied(node: Node[D]) -> Iterator[Node[D]]:
    for keyword in REFERENCES:
        reference = node.schema[keyword] if node.has(keyword) else None
        if isinstance(reference, str) and (target := node.resolver.find(node, reference)):
            yield target
    yield from node.inside(IN_PLACE)


def _inner(node: Node[D]) -> Iterator[Node[D]]:
    if isinstance(node.schema, dict):
        yield from _applied(node)
        yield from node.inside((*PROPERTIES, *_OF_ITEMS, "propertyNames"))


def _own(node: Node[D], ways: dict[object, _Ways]) -> _Ways:
    """Count what the schema itself and its keywords about parts of the value apply."""
    own = _Ways()
    if not isinstance(node.schema, dict):
        return own

    def most(inner: Node[D]) -> int:
        return ways[inner.key].most if inner.key in ways else 1  # of an invalid schema

    def of(*keywords: str) -> int:
        return sum(map(most, node.inside(keywords)))

    patterns, contained = of("patternProperties"), of("contains")
    first, others = node.items()
    parts: dict[object, int] = {
        str: patterns + of("additionalProperties") + 2 * of("unevaluatedProperties"),
        int: contained + (most(others) if others else 0) + 2 * of("unevaluatedItems"),
        None: of("propertyNames"),
    }
    for name, inner in node.children("properties"):
        parts[name] = patterns + most(inner) - parts[str]
    for index, inner in enumerate(first):
        parts[index] = contained + most(inner) - parts[int]
    own.parts = {key: count for key, count in parts.items() if count}
    return own
