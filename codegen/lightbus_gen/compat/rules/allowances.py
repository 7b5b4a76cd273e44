"""Intended breaks: recorded with a reason in the schema or in pyproject.toml, and shown in every report.

In a schema, at the place of the finding or in a schema around it:

    "x-lightbus-allow-breaking": {"FIELD_RENAMED": "nobody listens yet"}

In pyproject.toml, until a date:

    [[tool.lightbus-gen.breaking]]
    rule = "EVENT_REMOVED"
    event = "auth.user_created"
    reason = "the service is gone since May"
    until = 2027-01-31
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lightbus.schema.language.keywords import ALLOW_BREAKING
from lightbus_gen.compat.rules.catalogue import rule
from lightbus_gen.compat.rules.findings import Finding
from lightbus_gen.read.files import Report, SchemaFile
from lightbus_gen.read.input_problems import input_error

_KEYS = ("rule", "event", "reason", "until")


@dataclass(frozen=True, slots=True)
class Allowance:
    """A break that pyproject.toml allows.

    Attributes:
        rule: the id of the rule.
        event: the event or API.
        reason: why.
        until: the last day on which it is allowed.
    """

    rule: str
    event: str
    reason: str
    until: datetime.date


def read_allowances(entries: Iterable[Mapping[str, Any]], path: str) -> list[Allowance]:
    """Read `[[tool.lightbus-gen.breaking]]`.

    Raises:
        InputError: an entry cannot be used.
    """
    fix = "write [[tool.lightbus-gen.breaking]] with rule, event, reason and until = 2027-01-31"
    allowances = []
    for entry in entries:
        if set(entry) != set(_KEYS):
            message = f"an entry of breaking needs the keys {', '.join(_KEYS)}: {entry!r}"
            raise input_error("INVALID_CONFIG", message, fix, path=path)
        if not isinstance(entry["until"], datetime.date):
            message = f"until = {entry['until']!r} is not a date"
            raise input_error(
                "INVALID_CONFIG", message, "write a date without quotes: until = 2027-01-31", path=path
            )
        if not str(entry["reason"]).strip():
            raise input_error(
                "INVALID_CONFIG", "a break is allowed without a reason", "write the reason", path=path
            )
        rule(str(entry["rule"]))
        allowances.append(Allowance(**entry))
    return allowances


def apply_allowances(
    findings: Iterable[Finding],
    files: Mapping[str, SchemaFile],
    allowances: Sequence[Allowance],
    today: datetime.date,
    report: Report,
) -> list[Finding]:
    """Mark the findings that are intended.

    Args:
        findings: all findings.
        files: the current schema files, by the path that findings have.
        allowances: those of pyproject.toml.
        today: the date to compare `until` with.
        report: collects the problems of allowances in schemas.
    """
    return [_judged(finding, files.get(finding.path), allowances, today, report) for finding in findings]


def as_classes(
    findings: Iterable[Finding], files: Mapping[str, SchemaFile], apis: Sequence[str]
) -> list[Finding]:
    """Put the advice on documents that are exported from classes in terms of the classes.

    Args:
        findings: all findings.
        files: the current schema files, by the path that findings have.
        apis: the setting `apis`, the modules and classes that are exported.
    """
    return [
        replace(finding, fix=_of_class(finding, ", ".join(apis)))
        if apis
        and (file := files.get(finding.path))
        and isinstance(file.value, dict)
        and "lightbus" in file.value
        else finding
        for finding in findings
    ]


def _of_class(finding: Finding, apis: str) -> str:
    where = f"the Event or Parameter of API {finding.event.rpartition('.')[0]!r} in {apis}"
    pyproject = f'[[tool.lightbus-gen.breaking]] with rule = "{finding.rule}", event = "{finding.event}", reason, until'
    reason = f'allow_breaking={{"{finding.rule}": "the reason"}} at {where}, or {pyproject} in pyproject.toml'
    return finding.fix.replace(ALLOW_BREAKING, reason).replace(
        "deprecated: true", f"deprecated=True at {where}"
    )


def _judged(
    finding: Finding,
    file: SchemaFile | None,
    allowances: Iterable[Allowance],
    today: datetime.date,
    report: Report,
) -> Finding:
    if file is not None and (reason := _reason_in_schema(finding, file, report)):
        return replace(finding, level="note", allowed=reason)
    for allowance in allowances:
        if (allowance.rule, allowance.event) == (finding.rule, finding.event):
            if today <= allowance.until:
                reason = f"{allowance.reason} (until {allowance.until})"
                return replace(finding, level="note", allowed=reason)
            hint = f"it was allowed until {allowance.until}: {allowance.reason}"
            return replace(finding, message=f"{finding.message}; {hint}")
    return finding


def _reason_in_schema(finding: Finding, file: SchemaFile, report: Report) -> str:
    """Return the reason given nearest to the place of a finding; "" without one."""
    schema: Any = file.value
    nearest = _reason(schema, finding, file, (), report)
    for index, step in enumerate(finding.place):
        try:
            schema = schema[step]
        except (KeyError, IndexError, TypeError):  # the schema need not have the keyword of the finding
            break
        nearest = _reason(schema, finding, file, finding.place[: index + 1], report) or nearest
    return nearest


def _reason(
    schema: Any, finding: Finding, file: SchemaFile, path: tuple[str | int, ...], report: Report
) -> str:
    if not isinstance(schema, dict) or ALLOW_BREAKING not in schema:
        return ""
    reasons = schema[ALLOW_BREAKING]
    if not isinstance(reasons, dict) or not all(
        isinstance(text, str) and text.strip() for text in reasons.values()
    ):
        fix = f'write "{ALLOW_BREAKING}": {{"{finding.rule}": "the reason"}}'
        report.add(
            file, (*path, ALLOW_BREAKING), "INVALID_ALLOWANCE", "does not give a reason for each rule", fix
        )
        return ""
    return str(reasons.get(finding.rule, ""))
