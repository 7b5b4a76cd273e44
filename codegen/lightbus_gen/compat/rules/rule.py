"""What a rule is: a stable name for one way in which two versions of an event's schema are incompatible."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Direction(StrEnum):
    """Which way events cannot be read: backward from old to new, forward from new to old."""

    BACKWARD = "backward"
    FORWARD = "forward"
    BOTH = "both"

    @property
    def words(self) -> str:
        """The consequence, in words."""
        return _WORDS[self]


_WORDS = {
    Direction.BACKWARD: "events already stored will not reach the new listener",
    Direction.FORWARD: "listeners already running will reject new events",
    Direction.BOTH: "events already stored will not reach the new listener, and listeners already running will miss new ones",
}


class Mode(StrEnum):
    """Which directions must be compatible."""

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
        category: events on the wire, or code that uses the generated package.
        direction: which way events cannot be read.
        title: what changed, one clause.
        why: why it matters.
        before, after: an example, the payload's schema in each version, as JSON; "" without one.
        fix: the safe way to make the change.
        level: `error`; `warning` for code that a type checker will report; `note` if nothing breaks.
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
