"""What two versions of the schemas mean for code: `fire()`, handlers and payload classes of the generated package."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from lightbus_gen import ir
from lightbus_gen.compat.versions import Version, leaves_file
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


def code_changes(
    old: Version, before: tuple[ApiSource, EventSource], new: Version, after: tuple[ApiSource, EventSource]
) -> Iterator[CodeChange]:
    """Yield what changes for code when an event changes; nothing where either version makes no code."""
    was, is_ = _lowered(old, *before), _lowered(new, *after)
    if was is None or is_ is None:
        return
    if was.class_name != is_.class_name and before[1].name == after[1].name:
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


def _lowered(version: Version, api: ApiSource, event: EventSource) -> ir.Event | None:
    report = Report()
    files = version.sources.files if leaves_file(event.file) else (event.file,)
    sources = Sources(version.sources.root, files, (replace(api, events=(event,)),))
    try:
        package = lower(sources, "package", report)
    except InputError:  # the generator says so itself
        return None
    return package.modules[0].events[0]


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
