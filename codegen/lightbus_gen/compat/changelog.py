"""What has changed between two versions, as a Markdown list for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lightbus_gen.compat.compare import compare
from lightbus_gen.compat.fields import Field, fields, is_deprecated
from lightbus_gen.compat.findings import Finding
from lightbus_gen.compat.rules import Category, Mode
from lightbus_gen.compat.versions import Version
from lightbus_gen.compat.view import text_of
from lightbus_gen.sources import EventSource

_SEEN_AS_FIELDS = ("REQUIRED_FIELD_ADDED", "REQUIRED_FIELD_REMOVED", "FIELD_DEPRECATED", "EVENT_DEPRECATED")


def changelog(old: Version, new: Version) -> str:
    """Return the changes since an earlier version: events and their fields added, changed, deprecated, removed."""
    found = compare(old, new, Mode.FULL)
    added = [_entry(name, event) for name, event in _names(new) if name not in dict(_names(old))]
    removed = [_entry(name, event) for name, event in _names(old) if name not in dict(_names(new))]
    changed = []
    for name, event in _names(new):
        before = dict(_names(old)).get(name)
        if before is not None and (lines := list(_changes(name, old, before, new, event, found))):
            changed += [f"- `{name}`", *(f"  - {line}" for line in lines)]
    parts = [("Added", added), ("Changed", changed), ("Removed", removed)]
    written = [f"### {title}\n\n" + "\n".join(lines) for title, lines in parts if lines]
    return "\n\n".join([f"## Events since {old.label}", *(written or ["No event has changed."])]) + "\n"


def _names(version: Version) -> Iterator[tuple[str, EventSource]]:
    for (api, name), (_, event) in version.events.items():
        yield (api if version.is_one_schema else f"{api}.{name}"), event


def _entry(name: str, event: EventSource) -> str:
    summary = event.description.strip().partition("\n")[0]
    return f"- `{name}`: {summary}" if summary else f"- `{name}`"


def _changes(
    name: str, old: Version, before: EventSource, new: Version, after: EventSource, found: Iterable[Finding]
) -> Iterator[str]:
    """Yield what has changed in an event, a line each."""
    sides = old.node(before), new.node(after)
    if is_deprecated(sides[1]) and not is_deprecated(sides[0]):
        yield "deprecated"
    was, is_ = fields(old.library, sides[0]), fields(new.library, sides[1])
    for path, field in is_.items():
        if path not in was:
            yield f"added `{path}` ({_described(field)}){_about(field)}"
        else:
            yield from _default_change(was[path], field)
        if is_deprecated(field.node) and not (path in was and is_deprecated(was[path].node)):
            yield f"deprecated `{path}`"
    own = after.name if new.is_one_schema else name
    for one in found:
        if one.event == own and one.category is Category.WIRE and one.rule not in _SEEN_AS_FIELDS:
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
