"""Two versions of the schemas -> findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from lightbus_gen.compat import witness
from lightbus_gen.compat.code import Code, code_changes
from lightbus_gen.compat.containment import Containment, TooMuch
from lightbus_gen.compat.equality import Equality
from lightbus_gen.compat.fields import Field, fields, is_deprecated, renamed_fields
from lightbus_gen.compat.findings import Finding
from lightbus_gen.compat.obstacles import Obstacle
from lightbus_gen.compat.rules import PAIRS, Category, Direction, Mode, rule
from lightbus_gen.compat.versions import Version
from lightbus_gen.compat.view import Views
from lightbus_gen.references import Node
from lightbus_gen.sources import ApiSource, EventSource

_Pair = tuple[ApiSource, EventSource]


@dataclass(frozen=True, slots=True)
class _Change:
    """An event in both versions."""

    name: str
    old: _Pair
    new: _Pair


def compare(old: Version, new: Version, mode: Mode = Mode.FULL) -> list[Finding]:
    """Return everything that keeps services of two versions from living together, by place."""
    found = list(_removed(old, new))
    with_code: list[_Change] = []
    before, after = Views(old.library), Views(new.library)
    same = Equality(old.library, new.library)
    sides = {
        Direction.BACKWARD: (old, new, Containment(before, after, same), witness.Proofs()),
        Direction.FORWARD: (new, old, Containment(after, before, same.reversed), witness.Proofs()),
    }
    for change in _pairs(old, new):
        if _is_untouched(change, old, new):
            continue
        of_event: list[Finding] = []
        for direction in mode.directions:
            of_event += _compare_event(change, direction, *sides[direction], old.label)
        payloads = old.node(change.old[1]), new.node(change.new[1])
        renamed = renamed_fields(before, payloads[0], after, payloads[1], same)
        found += _merge_renamed(of_event, renamed, change, old.label)
        found += _deprecated(change, *payloads, old, new)
        if _may_change_code(*payloads, before, after) or any(map(_may_show_in_signature, of_event)):
            with_code.append(change)
    found += _code(with_code, old, new)
    return sorted(found, key=lambda one: (_LEVELS.index(one.level), one.path, one.line, one.column, one.rule))


_LEVELS = ("error", "warning", "note")


def _pairs(old: Version, new: Version) -> Iterator[_Change]:
    if old.is_one_schema and new.is_one_schema:
        (before,), (after,) = old.events.values(), new.events.values()
        api, event = before
        yield _Change(after[1].name, (api, replace(event, name=after[1].name)), after)
        return
    for key, after in new.events.items():
        if key in old.events:
            yield _Change(".".join(key), old.events[key], after)


def _is_untouched(change: _Change, old: Version, new: Version) -> bool:
    """Whether all files that an event is made of are the same."""
    return change.old[1].file.path == change.new[1].file.path and all(
        file.path in old.files and old.files[file.path].text == file.text
        for file in new.files_of(change.new[1])
    )


def _removed(old: Version, new: Version) -> Iterator[Finding]:
    if old.is_one_schema and new.is_one_schema:
        return
    apis = {api.name for api in new.sources.apis}
    for api in old.sources.apis:
        if api.name not in apis:
            yield _gone(
                "API_REMOVED",
                api.name,
                api.events[0] if api.events else None,
                old,
                f"the API {api.name!r} is gone",
            )
            continue
        for event in api.events:
            if (api.name, event.name) not in new.events:
                name = f"{api.name}.{event.name}"
                yield _gone("EVENT_REMOVED", name, event, old, f"the event {name!r} is gone")


def _gone(id_: str, name: str, event: EventSource | None, old: Version, message: str) -> Finding:
    path, line, column, where = old.label, 0, 0, tuple[str | int, ...]()
    if event is not None:
        where = event.path[:-1] if id_ == "EVENT_REMOVED" else ()
        line, column = event.file.locate(where)
        path = event.file.shown
    return Finding(
        id_, Category.WIRE, "error", Direction.BOTH, name, "", path, line, column, where, message, rule(id_).fix, old.label
    )  # fmt: skip


def _compare_event(
    change: _Change,
    direction: Direction,
    writer: Version,
    reader: Version,
    containment: Containment,
    known: witness.Proofs,
    against: str,
) -> list[Finding]:
    sides = {Direction.BACKWARD: (change.old, change.new), Direction.FORWARD: (change.new, change.old)}
    (writer_api, written), (reader_api, read) = sides[direction]
    try:
        obstacles = containment.obstacles(writer.node(written), reader.node(read))
    except TooMuch:
        place = writer.node(written) if direction is Direction.FORWARD else reader.node(read)
        return [
            _finding("UNDECIDED", change, direction, place, "", "", "the schemas are too intricate", against)
        ]
    if not obstacles:
        return []
    sends = witness.Contract(writer, writer_api, written)
    takes = witness.Contract(reader, reader_api, read)
    proofs = [known.find(sends, takes, one) for one in obstacles]
    if not all(proofs) and not any(proofs) and takes.covers(sends):
        return []
    found = []
    for one, proof in zip(obstacles, proofs, strict=True):
        is_doubt = proof is None and one.kind in _DOUBTFUL
        id_ = "UNDECIDED" if is_doubt else PAIRS[one.kind][direction is Direction.FORWARD]
        node, keyword = (
            (one.reader, one.reader_keyword)
            if direction is Direction.BACKWARD
            else (one.writer, one.writer_keyword)
        )
        found.append(
            _finding(
                id_, change, direction, node, keyword, one.field, _sentence(one, direction), against, proof
            )
        )
    return found


_DOUBTFUL = frozenset(
    ("opaque", "pattern", "format", "branch", "forbidden", "dependency", "field_count", "multiple_of")
)
"""Obstacles that a proof of containment may have seen wrongly, so that they need a payload to be certain."""


def _finding(
    id_: str,
    change: _Change,
    direction: Direction,
    node: Node,
    keyword: str,
    field: str,
    message: str,
    against: str,
    proof: witness.Witness | None = None,
) -> Finding:
    place = (*node.path, keyword) if keyword else node.path
    line, column = node.file.locate(place)
    about = rule(id_)
    return Finding(
        rule=id_,
        category=about.category,
        level=about.level,
        direction=direction,
        event=change.name,
        field=field,
        path=node.file.shown,
        line=line,
        column=column,
        place=place,
        message=message,
        fix=about.fix,
        against=against,
        payload=proof.payload if proof else None,
        refusal=proof.refusal if proof else "",
    )


def _sentence(one: Obstacle, direction: Direction) -> str:
    """Say what has changed, the old side first."""
    was, is_ = (one.sent, one.taken) if direction is Direction.BACKWARD else (one.taken, one.sent)
    title = rule(PAIRS[one.kind][direction is Direction.FORWARD]).title
    if one.kind in ("required", "required_new"):
        return f"{title}: {one.name!r}"
    if one.kind == "values":
        return f"{title}: {one.name}"
    return f"{title}: {was} before, {is_} now" if was or is_ else title


def _merge_renamed(
    found: list[Finding], renamed: Iterable[tuple[str, Field, Field]], change: _Change, against: str
) -> list[Finding]:
    """Put one finding in the place of those that a renamed field leads to."""
    for parent, was, is_ in renamed:
        names = {f"{title}: {name!r}" for title in _MISSING for name in (was.name, is_.name)}
        same = [one for one in found if one.field == parent and one.message in names]
        proof = next((one for one in same if one.payload is not None), None)
        merged = _finding(
            "FIELD_RENAMED", change, Direction.BOTH, is_.node, "", "", f"{was.path!r} was renamed to {is_.name!r}", against,
            witness.Witness(proof.payload, proof.refusal) if proof else None,
        )  # fmt: skip
        found = [one for one in found if one not in same] + [merged]
    return found


def _deprecated(change: _Change, before: Node, after: Node, old: Version, new: Version) -> Iterator[Finding]:
    """Note what is deprecated now and was not."""
    if '"deprecated"' not in change.new[1].file.text:
        return
    if is_deprecated(after) and not is_deprecated(before):
        yield _finding("EVENT_DEPRECATED", change, Direction.BOTH, after, "", "", "deprecated", old.label)
    was = fields(old.library, before)
    for path, field in fields(new.library, after).items():
        if is_deprecated(field.node) and not (path in was and is_deprecated(was[path].node)):
            yield _finding(
                "FIELD_DEPRECATED", change, Direction.BOTH, field.node, "", path, "deprecated", old.label
            )


def _may_change_code(before: Node, after: Node, old: Views, new: Views) -> bool:
    """Whether code may have to follow though no event is in danger: a field is gone, or a name was chosen."""
    is_gone = not old(before).properties.keys() <= new(after).properties.keys()
    return is_gone or "x-python-name" in before.file.text or "x-python-name" in after.file.text


def _may_show_in_signature(one: Finding) -> bool:
    """Whether a finding may go with another parameter or annotation; what is inside an object has a class for it."""
    if one.rule in _UNSEEN:
        return False
    return not one.field if one.rule in _OF_PROPERTIES else "." not in one.field or "*" in one.field


def _code(changes: list[_Change], old: Version, new: Version) -> Iterator[Finding]:
    before = Code(old, [change.old for change in changes])
    after = Code(new, [change.new for change in changes])
    for change in changes:
        was, is_ = before.of(*change.old), after.of(*change.new)
        if was is None or is_ is None:
            continue
        payload = new.node(change.new[1])
        for one in code_changes(was, is_):
            is_there = isinstance(payload.schema, dict) and one.field in payload.schema.get("properties", {})
            node = payload.child("properties", one.field) if is_there else payload
            yield _finding(one.rule, change, Direction.BOTH, node, "", one.field, one.message, old.label)


_UNSEEN = frozenset(
    id_
    for kind in (
        "range",
        "multiple_of",
        "length",
        "item_count",
        "field_count",
        "pattern",
        "unique_items",
        "dependency",
    )
    for id_ in PAIRS[kind]
)
_OF_PROPERTIES = frozenset((*PAIRS["required"], *PAIRS["required_new"]))
_MISSING = tuple(
    rule(id_).title
    for id_ in (
        "REQUIRED_FIELD_ADDED",
        "REQUIRED_FIELD_REMOVED",
        "FIELD_BECAME_REQUIRED",
        "FIELD_BECAME_OPTIONAL",
    )
)
