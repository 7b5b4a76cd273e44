"""Breaks that are intended: recorded in the schema or in pyproject.toml, with a reason, and shown in every report.

In a schema, at the place of the finding or around it:

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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lightbus_gen.compat.rules.catalogue import rule
from lightbus_gen.compat.rules.findings import Finding
from lightbus_gen.read.files import Report, SchemaFile
from lightbus_gen.read.input_problems import input_error

KEYWORD = "x-lightbus-allow-breaking"
_KEYS = ("rule", "event", "reason", "until")


@dataclass(frozen=True, slots=True)
class Allowance:
    """A break that pyproject.toml allows.

    Attributes:
        rule: the id of the rule.
        event: the event, or API, that it is allowed for.
        reason: why.
        until: the last day it is allowed on.
    """

    rule: str
    event: str
    reason: str
    until: datetime.date


def read_allowances(given: Iterable[Mapping[str, Any]], path: str) -> list[Allowance]:
    """Read `[[tool.lightbus-gen.breaking]]`.

    Raises:
        InputError: an entry cannot be used.
    """
    fix = "write [[tool.lightbus-gen.breaking]] with rule, event, reason and until = 2027-01-31"
    found = []
    for entry in given:
        if set(entry) != set(_KEYS):
            message = f"an entry of breaking has not the keys {', '.join(_KEYS)}, but {entry!r}"
            raise input_error("INVALID_CONFIG", message, fix, path=path)
        if not isinstance(entry["until"], datetime.date):
            message = f"until = {entry['until']!r} is no date"
            raise input_error(
                "INVALID_CONFIG", message, "write a date without quotes: until = 2027-01-31", path=path
            )
        if not str(entry["reason"]).strip():
            raise input_error(
                "INVALID_CONFIG", "a break is allowed without a reason", "write the reason", path=path
            )
        rule(str(entry["rule"]))
        found.append(Allowance(entry["rule"], entry["event"], entry["reason"], entry["until"]))
    return found


def apply_allowances(
    findings: Iterable[Finding],
    files: Mapping[str, SchemaFile],
    allowances: Iterable[Allowance],
    today: datetime.date,
    report: Report,
) -> list[Finding]:
    """Mark the findings that are intended.

    Args:
        findings: what was found.
        files: the current schema files, as findings call them.
        allowances: those of pyproject.toml.
        today: the date that allowances must not be past.
        report: takes what is wrong with allowances in schemas.
    """
    listed = list(allowances)
    return [_judge(one, files.get(one.path), listed, today, report) for one in findings]


def _judge(
    one: Finding, file: SchemaFile | None, allowances: list[Allowance], today: datetime.date, report: Report
) -> Finding:
    if file is not None and (reason := _reason_in_schema(one, file, report)):
        return one.with_allowance(reason)
    for allowance in allowances:
        if (allowance.rule, allowance.event) == (one.rule, one.event):
            if today <= allowance.until:
                return one.with_allowance(f"{allowance.reason} (until {allowance.until})")
            return one.with_hint(f"it was allowed until {allowance.until}: {allowance.reason}")
    return one


def _reason_in_schema(one: Finding, file: SchemaFile, report: Report) -> str:
    here: Any = file.value
    reasons = [_reason(here, one, file, (), report)]
    path: tuple[str | int, ...] = ()
    for step in one.place:
        here = _child(here, step)
        path = (*path, step)
        reasons.append(_reason(here, one, file, path, report))
    return next((reason for reason in reversed(reasons) if reason), "")


def _reason(schema: Any, one: Finding, file: SchemaFile, path: tuple[str | int, ...], report: Report) -> str:
    if not isinstance(schema, dict) or KEYWORD not in schema:
        return ""
    given = schema[KEYWORD]
    if not isinstance(given, dict) or not all(
        isinstance(text, str) and text.strip() for text in given.values()
    ):
        fix = f'write "{KEYWORD}": {{"{one.rule}": "the reason"}}'
        report.add(file, (*path, KEYWORD), "INVALID_ALLOWANCE", "does not give a reason for each rule", fix)
        return ""
    return str(given.get(one.rule, ""))


def _child(value: Any, step: str | int) -> Any:
    try:
        return value[step]
    except (KeyError, IndexError, TypeError):  # the keyword of a finding need not be there
        return None
