"""Compares two versions of one event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lightbus.schema.payload.parameters import is_deprecated
from lightbus_gen.compat.code import Code, code_changes
from lightbus_gen.compat.fit.obstacles import Obstacle
from lightbus_gen.compat.fit.schemas import Containment, TooMuch
from lightbus_gen.compat.proof.witness import Proofs, Witness
from lightbus_gen.compat.rules.catalogue import PAIRS, rule
from lightbus_gen.compat.rules.findings import Finding
from lightbus_gen.compat.rules.rule import Direction, Mode
from lightbus_gen.compat.shapes.equality import Equality
from lightbus_gen.compat.shapes.fields import Field, fields, renamed_fields
from lightbus_gen.compat.shapes.view import Views
from lightbus_gen.compat.versions.version import Version
from lightbus_gen.load.references import Node
from lightbus_gen.load.sources import LoadedApi, LoadedEvent


@dataclass(frozen=True, slots=True)
class ChangedEvent:
    """An event in both versions.

    Attributes:
        name: its name in messages.
        old, new: the event and its API in each version.
    """

    name: str
    old: tuple[LoadedApi, LoadedEvent]
    new: tuple[LoadedApi, LoadedEvent]


class EventComparison:
    """Compares the events of two versions, one by one.

    Args:
        old, new: the versions.
        mode: which directions must be compatible.
    """

    def __init__(self, old: Version, new: Version, mode: Mode) -> None:
        self._old, self._new, self._mode = old, new, mode
        self._code = Code(old), Code(new)
        self._before, self._after = Views(), Views()
        self._same = Equality()
        self._containment = {
            Direction.BACKWARD: Containment(self._before, self._after, self._same),
            Direction.FORWARD: Containment(self._after, self._before, self._same),
        }
        self._proofs = {direction: Proofs() for direction in self._containment}

    def findings(self, change: ChangedEvent) -> Iterator[Finding]:
        """Yield all effects of a change on services and code."""
        before, after = self._old.node(change.old[1]), self._new.node(change.new[1])
        on_wire = [each for direction in self._mode.directions for each in self._on_wire(change, direction)]
        renamed = renamed_fields(self._before, before, self._after, after, self._same)
        yield from self._merge_renamed(on_wire, renamed, change)
        yield from self._deprecated(change, before, after)
        yield from self._in_code(change, after)

    def _on_wire(self, change: ChangedEvent, direction: Direction) -> list[tuple[Finding, str]]:
        """Return why events cannot be read in one direction, each with the name of the property that is missing."""
        sides = (self._old, change.old), (self._new, change.new)
        (writer, written), (reader, read) = sides if direction is Direction.BACKWARD else reversed(sides)
        nodes = writer.node(written[1]), reader.node(read[1])
        try:
            obstacles = self._containment[direction].obstacles(*nodes)
        except TooMuch:
            place = nodes[direction is Direction.BACKWARD]
            return [
                (self._finding("UNDECIDED", change, direction, place, "the schemas are too intricate"), "")
            ]
        if not obstacles:
            return []
        sends, accepts = writer.contract(*written), reader.contract(*read)
        self._proofs[direction].begin()
        proofs = [self._proofs[direction].find(sends, accepts, obstacle) for obstacle in obstacles]
        if not any(proofs) and accepts.covers(sends):
            return []
        return [
            (
                self._of_obstacle(change, direction, obstacle, proof),
                obstacle.name if obstacle.kind in _ABOUT_MISSING else "",
            )
            for obstacle, proof in zip(obstacles, proofs, strict=True)
        ]

    def _of_obstacle(
        self, change: ChangedEvent, direction: Direction, obstacle: Obstacle, proof: Witness | None
    ) -> Finding:
        is_forward = direction is Direction.FORWARD
        about = PAIRS[obstacle.kind][is_forward]
        return self._finding(
            "UNDECIDED" if proof is None else about.id,
            change,
            direction,
            obstacle.writer if is_forward else obstacle.reader,
            _sentence(about.title if proof else _unknown(obstacle), obstacle, is_forward=is_forward),
            keyword=obstacle.keyword,
            field=obstacle.spot.label,
            proof=proof,
        )

    def _merge_renamed(
        self,
        findings: list[tuple[Finding, str]],
        renamed: Iterable[tuple[str, Field, Field]],
        change: ChangedEvent,
    ) -> list[Finding]:
        """Replace the findings that a renamed field leads to by a single one."""
        merged: list[Finding] = []
        for parent, was, is_ in renamed:
            same = [
                finding
                for finding, missing in findings
                if finding.field == parent and missing and missing in (was.name, is_.name)
            ]
            proof = next(
                (Witness(each.payload, each.refusal) for each in same if each.payload is not None), None
            )
            message = f"{was.path!r} was renamed to {is_.name!r}"
            merged.append(
                self._finding("FIELD_RENAMED", change, Direction.BOTH, is_.node, message, proof=proof)
            )
            findings = [each for each in findings if each[0] not in same]
        return [*(finding for finding, _ in findings), *merged]

    def _deprecated(self, change: ChangedEvent, before: Node, after: Node) -> Iterator[Finding]:
        """Yield the event and the fields that have become deprecated."""
        if not any('"deprecated"' in file.text for file in self._new.files_of(change.new[1])):
            return
        if is_deprecated(after) and not is_deprecated(before):
            yield self._finding("EVENT_DEPRECATED", change, Direction.BOTH, after, "deprecated")
        was, is_ = fields(self._before, before, self._after, after)
        for path, field in is_.items():
            is_old = path in was and is_deprecated(was[path].node)
            if is_deprecated(field.node) and not is_old:
                yield self._finding(
                    "FIELD_DEPRECATED", change, Direction.BOTH, field.node, "deprecated", field=path
                )

    def _in_code(self, change: ChangedEvent, payload: Node) -> Iterator[Finding]:
        """Yield the changes that code has to follow."""
        was, is_ = self._code[0].of(*change.old), self._code[1].of(*change.new)
        properties = dict(payload.children("properties"))
        for effect in code_changes(was, is_, self._same) if was and is_ else ():
            node = properties.get(effect.field, payload)
            yield self._finding(effect.rule, change, Direction.BOTH, node, effect.message, field=effect.field)

    def _finding(
        self,
        id_: str,
        change: ChangedEvent,
        direction: Direction,
        node: Node,
        message: str,
        *,
        keyword: str = "",
        field: str = "",
        proof: Witness | None = None,
    ) -> Finding:
        place = (*node.path, keyword) if keyword else node.path
        line, column = node.document.locate(place)
        about = rule(id_)
        return Finding(
            rule=id_,
            category=about.category,
            level=about.level,
            direction=direction,
            event=change.name,
            field=field,
            path=node.document.shown,
            line=line,
            column=column,
            place=place,
            message=message,
            fix=about.fix,
            against=self._old.label,
            payload=proof.payload if proof else None,
            refusal=proof.refusal if proof else "",
        )


def _unknown(obstacle: Obstacle) -> str:
    about = f" of {obstacle.keyword!r}" if obstacle.keyword else ""
    return f"it is not known whether the change{about} breaks anything"


def _sentence(title: str, obstacle: Obstacle, *, is_forward: bool) -> str:
    """Describe the change, the old version first."""
    sent, accepted = obstacle.sent, obstacle.accepted
    if obstacle.kind in _ABOUT_MISSING:
        return f"{title}: {obstacle.name!r}"
    if obstacle.kind == "values":
        return f"{title}: {obstacle.name}"
    if not sent and not accepted:
        return title
    return (
        f"{title}: {accepted} before, {sent} now" if is_forward else f"{title}: {sent} before, {accepted} now"
    )


_ABOUT_MISSING = ("required", "required_new")
