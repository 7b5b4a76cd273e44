"""Findings: the results of a comparison, as data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from lightbus_gen.compat.rules.rule import Category, Direction


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """One effect of a change on services or code.

    Attributes:
        rule: the id of the rule.
        category: wire or code.
        level: `error`, `warning` or `note`; errors make the exit code 1.
        direction: which way events cannot be read.
        event: the event, `auth.user_created`, or the API.
        field: the place in the payload, `address.city`; "" for the whole payload.
        path, line, column, place: the location in the current schemas, or in the old ones if it was removed.
        message: what has changed, one clause without full stop.
        fix: what to do.
        against: the label of the earlier version.
        payload: a payload that proves it, or None.
        refusal: the error with which the reader refuses the payload.
        allowed: the reason for which it is allowed; "" if it is not.
        also: the other events with the same finding at the same location.
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
        """The location as `path:line:col`."""
        return f"{self.path}:{self.line}:{self.column}" if self.line else self.path

    @property
    def subject(self) -> str:
        """The event and the field."""
        return f"{self.event} {self.field}" if self.field else self.event

    @property
    def effect(self) -> str:
        """The consequence, in words; "" if nothing breaks."""
        if self.category is Category.CODE:
            return "code that uses the generated package has to follow"
        if self.level == "note" and not self.allowed:
            return ""
        if self.rule == "FIELD_RENAMED" and not self.refusal:
            return "no event is refused, but listeners do not get the value from events with the other name"
        words = self.direction.words
        return words.replace(" will ", " may ") if self.rule == "UNDECIDED" else words


def by_place(findings: Iterable[Finding]) -> list[Finding]:
    """Join the findings that several events have at the same place, in a type that they share."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for finding in findings:
        content = (
            finding.rule,
            finding.level,
            finding.direction,
            finding.message,
            finding.allowed,
            finding.against,
        )
        groups.setdefault((finding.path, finding.place, *content), []).append(finding)
    return [_joined(*group) for group in groups.values()]


def _joined(first: Finding, *more: Finding) -> Finding:
    events = dict.fromkeys(finding.event for finding in more if finding.event != first.event)
    return replace(first, also=tuple(events))
