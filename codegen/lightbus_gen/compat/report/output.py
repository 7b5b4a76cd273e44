"""Findings as text, JSON, GitHub annotations and JUnit, with the same facts in each format."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import click

from lightbus.foreign import escaped, escaped_lines
from lightbus.schema.language.keywords import pointer
from lightbus_gen.compat.rules.findings import Finding
from lightbus_gen.project.printing import (
    Format,
    annotation,
    bold,
    echo,
    print_notices,
    print_problems,
    problem_annotations,
    problem_facts,
)
from lightbus_gen.read.input_problems import InputProblem


@dataclass(slots=True)
class Comparison:
    """The outcome of a comparison.

    Attributes:
        findings: the findings.
        problems: why nothing could be compared.
        notices: problems in the schemas that were tolerated.
        against: labels of the earlier versions.
        events: number of events compared.
        is_strict: whether warnings count.
        seconds: duration.
    """

    findings: list[Finding] = field(default_factory=list)
    problems: Sequence[InputProblem] = ()
    notices: Sequence[InputProblem] = ()
    against: list[str] = field(default_factory=list)
    events: int = 0
    is_strict: bool = False
    seconds: float = 0

    @property
    def exit_code(self) -> int:
        """0 if compatible, 1 with findings, 2 for wrong usage or invalid schemas."""
        if self.problems:
            return 2
        return int(any(self.counts(finding) for finding in self.findings))

    def counts(self, finding: Finding) -> bool:
        """Whether a finding fails the comparison."""
        return finding.level == "error" or (self.is_strict and finding.level == "warning")


def show(outcome: Comparison, format_: Format) -> None:
    """Print an outcome: problems and notices in the text format to standard error, all else to standard output."""
    if format_ is Format.JSON:
        click.echo(json.dumps(_facts(outcome), indent=2))
    elif format_ is Format.GITHUB:
        for line in problem_annotations(outcome.problems, outcome.notices):
            click.echo(line)
        for finding in outcome.findings:
            path = finding.path.removeprefix(f"{finding.against}:")  # a removed event is at an earlier commit
            level = "error" if outcome.counts(finding) else _GITHUB_LEVELS[finding.level]
            click.echo(
                annotation(
                    level, finding.rule, "\n".join(_lines(finding)), path, finding.line, finding.column
                )
            )
    elif format_ is Format.JUNIT:
        click.echo(_junit(outcome))
    else:
        _print(outcome)


def _lines(finding: Finding) -> list[str]:
    """Return the lines of a finding, without its location and rule."""
    lines = [f"{finding.subject}: {finding.message}", *([finding.effect] if finding.effect else [])]
    if finding.also:
        lines.append(f"also: {_names(finding.also)}")
    if finding.payload is not None:
        lines.append(f"payload: {_short(json.dumps(finding.payload, ensure_ascii=False))}")
        lines.append(f"refused: {_short(finding.refusal)}")
    if finding.allowed:
        return [*lines, f"allowed: {finding.allowed}"]
    return [*lines, f"fix: {finding.fix}"] if finding.fix else lines


def _names(events: Sequence[str]) -> str:
    more = len(events) - _MAX_NAMES
    return ", ".join(events) if more < 2 else f"{', '.join(events[:_MAX_NAMES])} and {more} more events"


def _short(text: str) -> str:
    """Cut the middle out of a long text; the JSON format has all of it."""
    return text if len(text) <= 400 else f"{text[:300]} ... {text[-60:]} ({len(text)} characters)"


_MAX_NAMES = 3
_GITHUB_LEVELS = {"error": "error", "warning": "warning", "note": "notice"}
_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


def _print(outcome: Comparison) -> None:
    print_problems(outcome.problems)
    print_notices(outcome.notices)
    if outcome.problems:
        return
    lines: list[str] = []
    for finding in outcome.findings:
        first, *more = map(escaped, _lines(finding))
        rule = click.style(finding.rule, fg=_COLOURS[finding.level], bold=True)
        level = "" if finding.level == "error" else f" {finding.level}"
        lines.append(f"{bold(escaped(finding.location))}: {rule}{level} {first}")
        lines += [f"  {line}" for line in more]
    echo("\n".join([*lines, _summary(outcome)]))


def _summary(outcome: Comparison) -> str:
    counted = sum(outcome.counts(finding) for finding in outcome.findings)
    uncounted = len(outcome.findings) - counted
    verdict = f"{counted} finding{'' if counted == 1 else 's'}" if counted else "compatible"
    noted = f", {uncounted} to note" if uncounted else ""
    with_ = escaped(" and ".join(outcome.against))
    events = f"{outcome.events} event{'' if outcome.events == 1 else 's'}"
    return f"{verdict}{noted}: {events} compared with {with_} in {outcome.seconds:.2f} s"


def _facts(outcome: Comparison) -> dict[str, Any]:
    return {
        "exit_code": outcome.exit_code,
        "against": outcome.against,
        "events": outcome.events,
        **problem_facts(outcome.problems, outcome.notices),
        "findings": [
            asdict(finding) | {"place": pointer(finding.place), "effect": finding.effect}
            for finding in outcome.findings
        ],
        "seconds": round(outcome.seconds, 3),
    }


def _junit(outcome: Comparison) -> str:
    from xml.etree import ElementTree

    suite = ElementTree.Element("testsuite", name="lightbus-gen breaking", time=f"{outcome.seconds:.3f}")
    for problem in outcome.problems:
        case = ElementTree.SubElement(suite, "testcase", classname=escaped(problem.path), name=problem.rule)
        error = ElementTree.SubElement(case, "error", message=escaped(problem.message))
        error.text = escaped_lines(str(problem), "  ")
    for finding in outcome.findings:
        case = ElementTree.SubElement(
            suite, "testcase", classname=escaped(finding.event), name=escaped(f"{finding.rule} {finding.field}".strip()),
            file=escaped(finding.path), line=str(finding.line),
        )  # fmt: skip
        if outcome.counts(finding):
            message = escaped(finding.message)
            details = ElementTree.SubElement(case, "failure", type=finding.rule, message=message)
        else:
            details = ElementTree.SubElement(case, "system-out")
        details.text = "\n".join(map(escaped, [finding.location, *_lines(finding)]))
    if not len(suite):
        ElementTree.SubElement(suite, "testcase", classname="lightbus-gen", name="compatible")
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(sum(outcome.counts(finding) for finding in outcome.findings)))
    suite.set("errors", str(len(outcome.problems)))
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)
