"""The changelog: the changes between two versions as a Markdown list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lightbus.foreign import escaped
from lightbus.schema.payload.parameters import is_deprecated
from lightbus_gen.compat.compare import compare
from lightbus_gen.compat.rules.catalogue import rule
from lightbus_gen.compat.rules.findings import Finding
from lightbus_gen.compat.rules.rule import Category, Mode
from lightbus_gen.compat.shapes.fields import Field, fields
from lightbus_gen.compat.shapes.view import Views, text_of
from lightbus_gen.compat.versions.version import Version
from lightbus_gen.load.references import Node
from lightbus_gen.load.sources import LoadedEvent

_SHOWN_AS_FIELDS = ("REQUIRED_FIELD_ADDED", "REQUIRED_FIELD_REMOVED")
_GONE = ("API_REMOVED", "EVENT_REMOVED")
_SHOWN_OTHERWISE = ("FIELD_DEPRECATED", "EVENT_DEPRECATED")


def changelog(old: Version, new: Version) -> str:
    """Return the changes since an earlier version: events and their fields added, changed, deprecated, removed."""
    by_event: dict[str, list[Finding]] = {}
    for finding in compare(old, new, Mode.FULL):
        by_event.setdefault(finding.event, []).append(finding)
    was, is_ = dict(_names(old)), dict(_names(new))
    added = [_entry(name, event) for name, event in is_.items() if name not in was]
    gone = {
        finding.event: finding.rule
        for findings in by_event.values()
        for finding in findings
        if finding.rule in _GONE
    }
    removed = [
        _entry(name, event) + _mark(gone.get(name) or gone.get(name.rpartition(".")[0]))
        for name, event in was.items()
        if name not in is_
    ]
    changed, views = [], (Views(), Views())
    for name, event in is_.items():
        findings = by_event.get(event.name if new.is_one_schema else name, ())
        if name in was and (lines := list(_changes(old.node(was[name]), new.node(event), views, findings))):
            changed += [f"- `{name}`", *(f"  - {line}" for line in lines)]
    parts = [("Added", added), ("Changed", changed), ("Removed", removed)]
    sections = [f"### {title}\n\n" + "\n".join(map(escaped, lines)) for title, lines in parts if lines]
    return (
        "\n\n".join([f"## Events since {escaped(old.label)}", *(sections or ["No event has changed."])])
        + "\n"
    )


def _names(version: Version) -> Iterator[tuple[str, LoadedEvent]]:
    for (api, name), (_, event) in version.events.items():
        yield (api if version.is_one_schema else f"{api}.{name}"), event


def _mark(rule_id: str | None) -> str:
    return f" (**{rule_id}**)" if rule_id else ""


def _entry(name: str, event: LoadedEvent) -> str:
    summary = event.description.strip().partition("\n")[0]
    return f"- `{name}`: {summary}" if summary else f"- `{name}`"


def _changes(
    previous: Node, current: Node, views: tuple[Views, Views], findings: Iterable[Finding]
) -> Iterator[str]:
    """Yield a line for each change of an event."""
    if is_deprecated(current) and not is_deprecated(previous):
        yield "deprecated"
    was, is_ = fields(views[0], previous, views[1], current)
    breaks = [
        each for each in findings if each.category is Category.WIRE and each.rule not in _SHOWN_OTHERWISE
    ]
    marked = {(each.field, each.message): each.rule for each in breaks if each.rule in _SHOWN_AS_FIELDS}

    def mark(field: Field) -> str:
        """Return the mark of a field that is added or removed, and shown nowhere else."""
        keys = [(field.parent, f"{rule(id_).title}: {field.name!r}") for id_ in _SHOWN_AS_FIELDS]
        return _mark(next((marked.pop(key) for key in keys if key in marked), None))

    for path, field in is_.items():
        if path not in was:
            yield f"added `{path}` {_described(field)}{mark(field)}"
        else:
            yield from _default_change(was[path], field)
        if is_deprecated(field.node) and not (path in was and is_deprecated(was[path].node)):
            yield f"deprecated `{path}`"
    removed = [f"removed `{path}`{mark(field)}" for path, field in was.items() if path not in is_]
    for finding in breaks:
        if finding.rule not in _SHOWN_AS_FIELDS or (finding.field, finding.message) in marked:
            place = f"`{finding.field}`: " if finding.field else ""
            yield f"changed {place}{finding.message}{_mark(finding.rule)}"
    yield from removed


def _described(field: Field) -> str:
    """Return the type of a field, whether it is required, and its description."""
    types = field.schema.get("type", [])
    kinds = types if isinstance(types, str) else " or ".join(types)
    summary = str(field.schema.get("description") or "").strip().partition("\n")[0]
    facts = ", ".join([*([kinds] if kinds else []), "required" if field.is_required else "optional"])
    return f"({facts}): {summary}" if summary else f"({facts})"


def _default_change(was: Field, is_: Field) -> Iterator[str]:
    before, now = (text_of(field.schema.get("default")) for field in (was, is_))
    if before != now:
        yield f"changed `{is_.path}`: default {before} before, {now} now"
