"""An event in two versions -> findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lightbus.schema.payload.parameters import is_deprecated
from lightbus_gen.compat.code import Code, code_changes
from lightbus_gen.compat.fit.obstacles import Obstacle
from lightbus_gen.compat.fit.schemas import Containment, TooMuch
from lightbus_gen.compat.proof.witness import Proofs, Witness
from lightbus_gen.compat.rules.catalogue import rule
from lightbus_gen.compat.rules.findings import Finding
from lightbus_gen.compat.rules.rule import PAIRS, Direction, Mode
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
        name: what messages call it.
        old, new: the event and its API in each version.
    """

    name: str
    old: tuple[LoadedApi, LoadedEvent]
    new: tuple[LoadedApi, LoadedEvent]


class EventComparison:
    """Compares the events of two versions, one by one.

    Args:
        old, new: the versions.
        mode: which directions must hold.
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
        """Yield everything that a change of an event does to services and code."""
        before, after = self._old.node(change.old[1]), self._new.node(change.new[1])
        found = [one for direction in self._mode.directions for one in self._on_wire(change, direction)]
        renamed = renamed_fields(self._before, before, self._after, after, self._same)
        yield from self._merge_renamed(found, renamed, change)
        yield from self._deprecated(change, before, after)
        yield from self._in_code(change, after)

    def _on_wire(self, change: ChangedEvent, direction: Direction) -> list[Finding]:
        """Return what keeps events from being read in one direction."""
        sides = (self._old, change.old), (self._new, change.new)
        (writer, written), (reader, read) = sides if direction is Direction.BACKWARD else reversed(sides)
        nodes = writer.node(written[1]), reader.node(read[1])
        try:
            obstacles = self._containment[direction].obstacles(*nodes)
        except TooMuch:
            place = nodes[direction is Direction.BACKWARD]
            return [self._finding("UNDECIDED", change, direction, place, "the schemas are too intricate")]
        if not obstacles:
            return []
        sends, takes = writer.contract(*written), reader.contract(*read)
        proofs = [self._proofs[direction].find(sends, takes, one) for one in obstacles]
        if not any(proofs) and takes.covers(sends):
            return []
        return [
            self._of_obstacle(change, direction, one, proof)
            for one, proof in zip(obstacles, proofs, strict=True)
        ]

    def _of_obstacle(
        self, change: ChangedEvent, direction: Direction, one: Obstacle, proof: Witness | None
    ) -> Finding:
        is_forward = direction is Direction.FORWARD
        is_doubt = proof is None and one.kind in _DOUBTFUL
        id_ = "UNDECIDED" if is_doubt else PAIRS[one.kind][is_forward]
        node = one.writer if is_forward else one.reader
        keyword = one.writer_keyword if is_forward else one.reader_keyword
        message = _sentence(one, direction)
        return self._finding(
            id_, change, direction, node, message, keyword=keyword, field=one.spot.label, proof=proof
        )

    def _merge_renamed(
        self, found: list[Finding], renamed: Iterable[tuple[str, Field, Field]], change: ChangedEvent
    ) -> list[Finding]:
        """Put one finding in the place of those that a renamed field leads to."""
        for parent, was, is_ in renamed:
            names = {f"{title}: {name!r}" for title in _MISSING for name in (was.name, is_.name)}
            same = [one for one in found if one.field == parent and one.message in names]
            proof = next((Witness(one.payload, one.refusal) for one in same if one.payload is not None), None)
            message = f"{was.path!r} was renamed to {is_.name!r}"
            merged = self._finding("FIELD_RENAMED", change, Direction.BOTH, is_.node, message, proof=proof)
            found = [one for one in found if one not in same] + [merged]
        return found

    def _deprecated(self, change: ChangedEvent, before: Node, after: Node) -> Iterator[Finding]:
        """Note what is deprecated now and was not."""
        if not any('"deprecated"' in file.text for file in self._new.files_of(change.new[1])):
            return
        if is_deprecated(after) and not is_deprecated(before):
            yield self._finding("EVENT_DEPRECATED", change, Direction.BOTH, after, "deprecated")
        was = fields(self._before, before)
        for path, field in fields(self._after, after).items():
            is_old = path in was and is_deprecated(was[path].node)
            if is_deprecated(field.node) and not is_old:
                yield self._finding(
                    "FIELD_DEPRECATED", change, Direction.BOTH, field.node, "deprecated", field=path
                )

    def _in_code(self, change: ChangedEvent, payload: Node) -> Iterator[Finding]:
        """Yield what code has to follow."""
        was, is_ = self._code[0].of(*change.old), self._code[1].of(*change.new)
        for one in code_changes(was, is_, self._same) if was and is_ else ():
            is_there = isinstance(payload.schema, dict) and one.field in payload.schema.get("properties", {})
            node = payload.child("properties", one.field) if is_there else payload
            yield self._finding(one.rule, change, Direction.BOTH, node, one.message, field=one.field)

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


_DOUBTFUL = frozenset(
    ("opaque", "pattern", "format", "branch", "forbidden", "dependency", "field_count", "multiple_of")
)
"""Obstacles that a proof of containment may have seen wrongly, so that they need a payload to be certain."""


def _sentence(one: Obstacle, direction: Direction) -> str:
    """Say what has changed, the old side first."""
    was, is_ = (one.sent, one.accepted) if direction is Direction.BACKWARD else (one.accepted, one.sent)
    title = rule(PAIRS[one.kind][direction is Direction.FORWARD]).title
    if one.kind in ("required", "required_new"):
        return f"{title}: {one.name!r}"
    if one.kind == "values":
        return f"{title}: {one.name}"
    return f"{title}: {was} before, {is_} now" if was or is_ else title


_MISSING = tuple(
    rule(id_).title
    for id_ in (
        "REQUIRED_FIELD_ADDED",
        "REQUIRED_FIELD_REMOVED",
        "FIELD_BECAME_REQUIRED",
        "FIELD_BECAME_OPTIONAL",
    )
)
