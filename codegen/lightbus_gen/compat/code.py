"""The effects of a change on code: `fire()`, handlers and payload classes of the generated package."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from lightbus import naming
from lightbus.schema.language.keywords import IN_PLACE, REFERENCES
from lightbus.schema.payload.parameters import payload
from lightbus_gen.compat.versions.version import Version
from lightbus_gen.load.references import Node
from lightbus_gen.load.sources import LoadedApi, LoadedEvent
from lightbus_gen.lower import pytypes
from lightbus_gen.lower.events import EventLowerer
from lightbus_gen.lower.names import Hint
from lightbus_gen.read.files import Report

_COMPOSING = REFERENCES.union(IN_PLACE) - {"not"}
"""Keywords with which a payload may have properties that other schemas describe."""


@dataclass(frozen=True, slots=True)
class CodeChange:
    """One change that code has to follow.

    Attributes:
        rule: the id of its rule.
        field: the property; "" for the event.
        message: what has changed.
    """

    rule: str
    field: str
    message: str


class Code:
    """The code that is generated for the events of a version, worked out on demand."""

    def __init__(self, version: Version) -> None:
        self._version = version
        self._lowerers: dict[str, tuple[EventLowerer, Report]] = {}

    def of(self, api: LoadedApi, event: LoadedEvent) -> EventCode | None:
        """Return the code for an event; None if the generator makes none."""
        lowerer, report = self._lowerer(api)
        node = self._version.node(event)
        try:
            if not lowerer.annotator.is_object(node):
                return None
            return EventCode(lowerer, report, lowerer.class_names.get(event.name, ""), node)
        except RecursionError:  # the generator reports it
            return None

    def _lowerer(self, api: LoadedApi) -> tuple[EventLowerer, Report]:
        if api.name not in self._lowerers:
            report = Report()
            self._lowerers[api.name] = EventLowerer(api, self._version.library, report), report
        return self._lowerers[api.name]


class EventCode:
    """The code for one event.

    Args:
        lowerer: works out the types of its API.
        report: collects the problems that the lowerer finds.
        class_name: name of the payload class.
        node: the payload's schema.
    """

    def __init__(self, lowerer: EventLowerer, report: Report, class_name: str, node: Node) -> None:
        self._lowerer, self._report, self._node = lowerer, report, node
        self.class_name, self.payload = class_name, payload(node)
        self.names = naming.python_names(self.payload.properties)
        self._is_plain = _COMPOSING.isdisjoint(node.schema)

    def property(self, wire: str) -> Node | None:
        """Return the schema of a property; None if more than one schema describes it."""
        is_own = self._is_plain and wire in self._node.schema.get("properties", {})
        return self._node.child("properties", wire) if is_own else None

    def always_has(self, wire: str) -> bool:
        """Whether handlers get a property of every event."""
        node = self.property(wire)
        has_default = node is not None and isinstance(node.schema, dict) and "default" in node.schema
        return has_default or wire in self.payload.required

    def text(self, wire: str) -> str | None:
        """Return the schema of a property as text; None if it alone does not determine the type."""
        if not self._is_plain:
            return None
        text = repr(self._node.schema.get("properties", {}).get(wire))
        return None if "Ref'" in text or "'$ref'" in text else text

    def annotations(self, wires: Iterable[str]) -> dict[str, str]:
        """Return the annotations of some properties; {} if the generator refuses one."""
        problems = len(self._report.problems)
        hint = Hint(self.class_name, self.class_name)
        try:
            types = self._lowerer.annotator.payload(self._node, hint, wires)
        except RecursionError:
            return {}
        if len(self._report.problems) > problems:
            return {}
        return {wire: pytypes.spell(type_) for wire, type_ in types.items()}


def code_changes(
    old: EventCode, new: EventCode, is_same: Callable[[Node, Node], bool]
) -> Iterator[CodeChange]:
    """Yield the changes of the code for an event.

    Args:
        old, new: the code in each version.
        is_same: whether two schemas are equal but for their names.
    """
    if old.class_name != new.class_name:
        yield CodeChange("CLASS_RENAMED", "", f"class {old.class_name} is {new.class_name} now")
    old_payload, new_payload = old.payload, new.payload
    needed = [
        wire
        for wire in new_payload.properties
        if wire in new_payload.required and wire not in old_payload.required
    ]
    differing = _differing(old, new)
    annotations = new.annotations([*needed, *differing])
    for wire in needed:
        yield CodeChange(
            "ARGUMENT_REQUIRED", wire, f"fire() needs {new.names[wire]}: {annotations.get(wire, 'Any')}"
        )
    for wire, name in old.names.items():
        if name != new.names.get(wire):
            renamed = f", it is {new.names[wire]!r} now" if wire in new.names else ""
            yield CodeChange("ARGUMENT_REMOVED", wire, f"the argument {name!r} is gone{renamed}")
    if old_payload.is_open and not new_payload.is_open:
        yield CodeChange("ARGUMENT_REMOVED", "", "arguments that the schema does not name are gone")
    for wire, before in old.annotations(differing).items():
        after = annotations.get(wire, before)
        nodes = old.property(wire), new.property(wire)
        if before != after and nodes[0] and nodes[1] and is_same(nodes[0], nodes[1]):
            yield CodeChange("CLASS_RENAMED", wire, f"{before} is {after} now")
            continue
        yield from _annotation_changes(wire, before, after)
    for wire in old_payload.properties:
        if wire in old_payload.required and wire in new_payload.properties and not new.always_has(wire):
            yield CodeChange("ANNOTATION_WIDENED", wire, "handlers may have to do without it")


def _differing(old: EventCode, new: EventCode) -> list[str]:
    """Return the properties of both versions whose annotations may differ."""
    shared = [wire for wire in old.payload.properties if wire in new.payload.properties]
    return [wire for wire in shared if (text := old.text(wire)) is None or text != new.text(wire)]


def _annotation_changes(wire: str, before: str, after: str) -> Iterator[CodeChange]:
    old, new = _members(before), _members(after)
    shown = f"{before} before, {after} now"
    if _only_in(old, new):
        yield CodeChange("ANNOTATION_NARROWED", wire, f"an argument of fire() takes fewer types: {shown}")
    if "Any" not in new and _only_in(new, old):
        yield CodeChange("ANNOTATION_WIDENED", wire, f"handlers get more types: {shown}")


def _only_in(some: Iterable[str], others: frozenset[str]) -> bool:
    """Whether a union has a member that the other does not accept; an int is a float, and a literal its type."""
    if "Any" in others:
        return False
    wider = {"int": "float"}
    return any(
        type_ not in others and wider.get(type_, _type_of_literal(type_)) not in others for type_ in some
    )


@functools.cache
def _type_of_literal(text: str) -> str:
    value = ast.parse(text, mode="eval").body
    return type(value.value).__name__ if isinstance(value, ast.Constant) else text


@functools.cache
def _members(annotation: str) -> frozenset[str]:
    """Return the members of a union, with each value of a Literal as one member."""
    todo, members = [ast.parse(annotation, mode="eval").body], set[str]()
    while todo:
        node = todo.pop()
        if isinstance(node, ast.BinOp):
            todo += [node.left, node.right]
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal":
            values = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            members |= {ast.unparse(value) for value in values}
        else:
            members.add(ast.unparse(node))
    return frozenset(members)
