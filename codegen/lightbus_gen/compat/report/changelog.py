"""What has changed between two versions, as a Markdown list for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lightbus.schema.payload.parameters import is_deprecated
from lightbus_gen.compat.compare import compare
from lightbus_gen.compat.rules.findings import Finding
from lightbus_gen.compat.rules.rule import Category, Mode
from lightbus_gen.compat.shapes.fields import Field, fields
from lightbus_gen.compat.shapes.view import Views, text_of
from lightbus_gen.compat.versions.version import Version
from lightbus_gen.load.sources import LoadedEvent

_SEEN_AS_FIELDS = ("REQUIRED_FIELD_ADDED", "REQUIRED_FIELD_REMOVED", "FIELD_DEPRECATED", "EVENT_DEPRECATED")


def changelog(old: Version, new: Version) -> str:
    """Return the changes since an earlier version: events and their fields added, changed, deprecated, removed."""
    found = compare(old, new, Mode.FULL)
    of_event: dict[str, list[Finding]] = {}
    for one in found:
        of_event.setdefault(one.event, []).append(one)
    was, is_ = dict(_names(old)), dict(_names(new))
    added = [_entry(name, event) for name, event in is_.items() if name not in was]
    removed = [_entry(name, event) for name, event in was.items() if name not in is_]
    changed = []
    for name, event in is_.items():
        own = of_event.get(event.name if new.is_one_schema else name, ())
        if name in was and (lines := list(_changes(old, was[name], new, event, own))):
            changed += [f"- `{name}`", *(f"  - {line}" for line in lines)]
    parts = [("Added", added), ("Changed", changed), ("Removed", removed)]
    written = [f"### {title}\n\n" + "\n".join(lines) for title, lines in parts if lines]
    return "\n\n".join([f"## Events since {old.label}", *(written or ["No event has changed."])]) + "\n"


def _names(version: Version) -> Iterator[tuple[str, LoadedEvent]]:
    for (api, name), (_, event) in version.events.items():
        yield (api if version.is_one_schema else f"{api}.{name}"), event


def _entry(name: str, event: LoadedEvent) -> str:
    summary = event.description.strip().partition("\n")[0]
    return f"- `{name}`: {summary}" if summary else f"- `{name}`"


def _changes(
    old: Version, before: LoadedEvent, new: Version, after: LoadedEvent, found: Iterable[Finding]
) -> Iterator[str]:
    """Yield what has changed in an event, a line each."""
    sides = old.node(before), new.node(after)
    then, now = Views(), Views()
    if is_deprecated(sides[1]) and not is_deprecated(sides[0]):
        yield "deprecated"
    was, is_ = fields(then, sides[0]), fields(now, sides[1])
    for path, field in is_.items():
        if path not in was:
            yield f"added `{path}` ({_described(field)}){_about(field)}"
        else:
            yield from _default_change(was[path], field)
        if is_deprecated(field.node) and not (path in was and is_deprecated(was[path].node)):
            yield f"deprecated `{path}`"
    for one in found:
        if one.category is Category.WIRE and one.rule not in _SEEN_AS_FIELDS:
            place = f"`{one.field}`: " if one.field else ""
            yield f"changed {place}{one.message} (**{one.rule}**)"
    for path in was:
        if path not in is_:
            yield f"removed `{path}`"


def _described(field: Field) -> str:
    given = field.node.schema.get("type", []) if isinstance(field.node.schema, dict) else []
    kinds = " or ".join([given] if isinstance(given, str) else given)
    return ", ".join([*([kinds] if kinds else []), "required" if field.is_required else "optional"])


def _about(field: Field) -> str:
    given = field.node.schema.get("description") if isinstance(field.node.schema, dict) else None
    return f": {given.strip().partition(chr(10))[0]}" if isinstance(given, str) and given.strip() else ""


def _default_change(was: Field, is_: Field) -> Iterator[str]:
    defaults = [
        field.node.schema["default"]
        if isinstance(field.node.schema, dict) and "default" in field.node.schema
        else None
        for field in (was, is_)
    ]
    if text_of(defaults[0]) != text_of(defaults[1]):
        yield f"changed `{is_.path}`: default {text_of(defaults[0])} before, {text_of(defaults[1])} now"
