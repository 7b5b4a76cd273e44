"""Compares two versions of the schemas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from lightbus_gen.compat.event import ChangedEvent, EventComparison
from lightbus_gen.compat.rules.catalogue import rule
from lightbus_gen.compat.rules.findings import Finding
from lightbus_gen.compat.rules.rule import Category, Direction, Mode
from lightbus_gen.compat.versions.version import Version
from lightbus_gen.load.sources import LoadedEvent
from lightbus_gen.processes import spread


def compare(old: Version, new: Version, mode: Mode = Mode.FULL) -> list[Finding]:
    """Return every reason why services of two versions cannot run together, by place."""
    comparison = EventComparison(old, new, mode)

    def findings_of(run: Sequence[ChangedEvent]) -> list[Finding]:
        return [finding for change in run for finding in comparison.findings(change)]

    changes = [change for change in _pairs(old, new) if not _is_untouched(change, old, new)]
    runs = [changes[start : start + _RUN] for start in range(0, len(changes), _RUN)]
    findings = [*_removed(old, new)]
    for of_run in spread(findings_of, runs, lambda run: _WEIGHT * len(run)):
        findings += of_run
    return sorted(findings, key=_order)


def _order(finding: Finding) -> tuple[int, str, int, int, str]:
    return _LEVELS.index(finding.level), finding.path, finding.line, finding.column, finding.rule


_LEVELS = ("error", "warning", "note")
_RUN = 20
"""Events that one process compares in a row: neighbours share an API and so the results about its types."""
_WEIGHT = 5
"""How many times longer it takes to compare an event than to generate its code."""


def _pairs(old: Version, new: Version) -> Iterator[ChangedEvent]:
    if old.is_one_schema and new.is_one_schema:
        (before,), (after,) = old.events.values(), new.events.values()
        event = replace(before[1], name=after[1].name)
        yield ChangedEvent(event.name, (replace(before[0], events=(event,)), event), after)
        return
    for key, after in new.events.items():
        if key in old.events:
            yield ChangedEvent(".".join(key), old.events[key], after)


def _is_untouched(change: ChangedEvent, old: Version, new: Version) -> bool:
    """Whether all files that an event's schema consists of are the same."""
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
            first = api.events[0] if api.events else None
            yield _gone("API_REMOVED", api.name, first, old, f"the API {api.name!r} is gone")
            continue
        for event in api.events:
            if (api.name, event.name) not in new.events:
                name = f"{api.name}.{event.name}"
                yield _gone("EVENT_REMOVED", name, event, old, f"the event {name!r} is gone")


def _gone(id_: str, name: str, event: LoadedEvent | None, old: Version, message: str) -> Finding:
    path, line, column, where = old.label, 0, 0, tuple[str | int, ...]()
    if event is not None:
        where = event.path[:-1] if id_ == "EVENT_REMOVED" else ()
        line, column = event.file.locate(where)
        path = event.file.shown
    return Finding(
        id_, Category.WIRE, "error", Direction.BOTH, name, "", path, line, column, where, message, rule(id_).fix, old.label
    )  # fmt: skip
