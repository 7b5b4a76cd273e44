"""The rules: stable names for what can go wrong between two versions of an event's schema."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Direction(StrEnum):
    """Who is let down by a change."""

    BACKWARD = "backward"
    FORWARD = "forward"
    BOTH = "both"

    @property
    def words(self) -> str:
        """The direction as a person would say it."""
        return _WORDS[self]


_WORDS = {
    Direction.BACKWARD: "events already stored will not reach the new listener",
    Direction.FORWARD: "listeners already running will reject new events",
    Direction.BOTH: "events already stored will not reach the new listener, and listeners already running will miss new ones",
}


class Mode(StrEnum):
    """Which directions must hold."""

    BACKWARD = "backward"
    FORWARD = "forward"
    FULL = "full"

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The directions, backward first."""
        if self is Mode.FULL:
            return Direction.BACKWARD, Direction.FORWARD
        return (Direction(self.value),)


class Category(StrEnum):
    """What a finding is about."""

    WIRE = "wire"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Rule:
    """One way in which a change breaks something.

    Attributes:
        id: the stable name.
        category: events on the wire, or code against the generated package.
        direction: who is let down.
        title: what happened, one clause.
        why: why it matters.
        before, after: an example, the payload's schema in either version, as JSON.
        fix: the safe way to make the change.
        level: `error`; `warning` for code, at which a type checker will point; `note` for what breaks nothing.
    """

    id: str
    category: Category
    direction: Direction
    title: str
    why: str
    before: str
    after: str
    fix: str
    level: str = "error"


PAIRS = {
    "type": ("TYPE_NARROWED", "TYPE_WIDENED"),
    "values": ("ENUM_VALUE_REMOVED", "ENUM_VALUE_ADDED"),
    "values_listed": ("ENUM_ADDED", "ENUM_REMOVED"),
    "branch": ("BRANCH_REMOVED", "BRANCH_ADDED"),
    "required": ("FIELD_BECAME_REQUIRED", "FIELD_BECAME_OPTIONAL"),
    "required_new": ("REQUIRED_FIELD_ADDED", "REQUIRED_FIELD_REMOVED"),
    "forbidden": ("VALUE_FORBIDDEN", "VALUE_ALLOWED"),
    "range": ("RANGE_NARROWED", "RANGE_WIDENED"),
    "multiple_of": ("MULTIPLE_OF_NARROWED", "MULTIPLE_OF_WIDENED"),
    "length": ("LENGTH_NARROWED", "LENGTH_WIDENED"),
    "item_count": ("ITEM_COUNT_NARROWED", "ITEM_COUNT_WIDENED"),
    "field_count": ("FIELD_COUNT_NARROWED", "FIELD_COUNT_WIDENED"),
    "pattern": ("PATTERN_NARROWED", "PATTERN_WIDENED"),
    "format": ("FORMAT_NARROWED", "FORMAT_WIDENED"),
    "unique_items": ("UNIQUE_ITEMS_ADDED", "UNIQUE_ITEMS_REMOVED"),
    "dependency": ("DEPENDENCY_ADDED", "DEPENDENCY_REMOVED"),
    "opaque": ("UNCLASSIFIED_NARROWING", "UNCLASSIFIED_WIDENING"),
}
"""The rule of an obstacle: (backward, forward). The same obstacle read from the other side is another mistake."""
