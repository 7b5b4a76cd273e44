"""What two versions of the schemas mean for code: `fire()`, handlers and payload classes of the generated package."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from lightbus_gen import ir
from lightbus_gen.compat.versions import Version
from lightbus_gen.files import Report
from lightbus_gen.lower import lower
from lightbus_gen.problems import InputError
from lightbus_gen.sources import ApiSource, EventSource, Sources


@dataclass(frozen=True, slots=True)
class CodeChange:
    """One thing that code must follow.

    Attributes:
        rule: the id of its rule.
        field: the property, "" for the event.
        message: what has changed.
    """

    rule: str
    field: str
    message: str


class Code:
    """The code that is generated for some events of a version.

    Args:
        version: the version.
        events: the events.
    """

    def __init__(self, version: Version, events: Sequence[tuple[ApiSource, EventSource]]) -> None:
        self._events: dict[tuple[str, str], ir.Event] = {}
        self._lower(version, events)

    def of(self, api: ApiSource, event: EventSource) -> ir.Event | None:
        """Return what code for an event consists of; None where the generator makes none."""
        return self._events.get((api.name, event.name))

    def _lower(self, version: Version, events: Sequence[tuple[ApiSource, EventSource]]) -> None:
        try:
            package = lower(_sources(version, events), "package", Report())
        except InputError:  # the generator says so itself; the other events have code all the same
            half = len(events) // 2
            for part in (events[:half], events[half:]) if half else ():
                self._lower(version, part)
            return
        self._events |= {
            (module.api, event.name): event for module in package.modules for event in module.events
        }


def _sources(version: Version, events: Iterable[tuple[ApiSource, EventSource]]) -> Sources:
    """Return what there is to load of some events alone."""
    by_api: dict[str, tuple[ApiSource, list[EventSource]]] = {}
    for api, event in events:
        by_api.setdefault(api.name, (api, []))[1].append(event)
    files = {
        file: None for _, events in by_api.values() for event in events for file in version.files_of(event)
    }
    apis = tuple(replace(api, events=tuple(events)) for api, events in by_api.values())
    return Sources(version.sources.root, tuple(files), apis)


def code_changes(was: ir.Event, is_: ir.Event) -> Iterator[CodeChange]:
    """Yield what changes for code when an event changes."""
    if was.class_name != is_.class_name and was.name == is_.name:
        yield CodeChange("CLASS_RENAMED", "", f"class {was.class_name} is {is_.class_name} now")
    then = {field.wire: field for field in was.fields}
    now = {field.wire: field for field in is_.fields}
    for wire, field in now.items():
        if not _may_be_left_out(field) and (wire not in then or _may_be_left_out(then[wire])):
            yield CodeChange("ARGUMENT_REQUIRED", _name(field), f"fire() needs {field.argument}")
        if wire in then:
            yield from _annotation_changes(then[wire], field)
    for wire, field in then.items():
        if wire not in now or _name(now[wire]) != _name(field):
            renamed = f", it is {_name(now[wire])!r} now" if wire in now else ""
            yield CodeChange(
                "ARGUMENT_REMOVED", _name(field), f"the argument {_name(field)!r} is gone{renamed}"
            )


def _annotation_changes(then: ir.Field, now: ir.Field) -> Iterator[CodeChange]:
    old, new = _members(then), _members(now)
    shown = f"{_annotation(then)} before, {_annotation(now)} now"
    if _only_in(old, new):
        yield CodeChange(
            "ANNOTATION_NARROWED", _name(now), f"an argument of fire() takes fewer types: {shown}"
        )
    if _only_in(new, old):
        yield CodeChange("ANNOTATION_WIDENED", _name(now), f"handlers get more types: {shown}")


def _only_in(some: Iterable[str], others: set[str]) -> bool:
    """Whether a type is in one union only; a type checker takes an int for a float, and a text for a str."""
    if "Any" in others:
        return False
    wider = {"int": "float"}
    return any(one not in others and wider.get(one, _type_of_literal(one)) not in others for one in some)


def _type_of_literal(text: str) -> str:
    value = ast.parse(text, mode="eval").body
    return type(value.value).__name__ if isinstance(value, ast.Constant) else text


def _annotation(field: ir.Field) -> str:
    return field.parameter.removesuffix(" = ...").partition(": ")[2]


def _members(field: ir.Field) -> set[str]:
    """Return the members of a union, each value of a literal on its own."""
    todo, found = [ast.parse(_annotation(field), mode="eval").body], set[str]()
    while todo:
        here = todo.pop()
        if isinstance(here, ast.BinOp):
            todo += [here.left, here.right]
        elif isinstance(here, ast.Subscript) and ast.unparse(here.value) == "Literal":
            values = here.slice.elts if isinstance(here.slice, ast.Tuple) else [here.slice]
            found |= {ast.unparse(value) for value in values}
        else:
            found.add(ast.unparse(here))
    return found


def _name(field: ir.Field) -> str:
    return field.parameter.partition(":")[0]


def _may_be_left_out(field: ir.Field) -> bool:
    return " = " in field.argument
