"""What a comparison found, as data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from lightbus_gen.compat.rules.rule import Category, Direction


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """One thing that a change does to services or code.

    Attributes:
        rule: the id of the rule.
        category: wire or code.
        level: `error`, `warning` or `note`; errors make the exit code 1.
        direction: who is let down.
        event: the event, `auth.user_created`, or the API.
        field: the place in the payload, `address.city`, "" for all of it.
        path, line, column, place: where in the current schemas, or in the old ones if it is gone.
        message: what has changed, one clause without full stop.
        fix: what to do.
        against: what was compared with.
        payload: a payload that proves it; None where there is none.
        refusal: what the refusing side says about the payload.
        allowed: why it is intended, in the words of who allowed it; "" if nobody did.
        also: the other events that the same place of the schemas belongs to.
    """

    rule: str
    category: Category
    level: str
    direction: Direction
    event: str
    field: str
    path: str
    line: int
    column: int
    place: tuple[str | int, ...]
    message: str
    fix: str
    against: str
    payload: Any = None
    refusal: str = ""
    allowed: str = ""
    also: tuple[str, ...] = ()

    @property
    def location(self) -> str:
        """The place as `path:line:col`."""
        return f"{self.path}:{self.line}:{self.column}" if self.line else self.path

    @property
    def subject(self) -> str:
        """The event and the field."""
        return f"{self.event} {self.field}" if self.field else self.event

    @property
    def effect(self) -> str:
        """What comes of it, in words; "" for what breaks nothing."""
        if self.category is Category.CODE:
            return "code that uses the generated package has to follow"
        return self.direction.words if self.level != "note" or self.allowed else ""

    def with_allowance(self, reason: str) -> Finding:
        """Return it as intended."""
        return replace(self, level="note", allowed=reason)

    def with_hint(self, hint: str) -> Finding:
        """Return it with more to its message."""
        return replace(self, message=f"{self.message}; {hint}")


def by_place(findings: Iterable[Finding]) -> list[Finding]:
    """Make one finding of those that several events have at the same place, a type that they share."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for one in findings:
        what = one.rule, one.level, one.direction, one.message, one.allowed, one.against
        groups.setdefault((one.path, one.place, *what), []).append(one)
    return [_joined(group) for group in groups.values()]


def _joined(group: list[Finding]) -> Finding:
    first = group[0]
    others = dict.fromkeys(one.event for one in group if one.event != first.event)
    return replace(first, also=tuple(others))
