"""The commands `lightbus-gen breaking`, `rules`, `explain` and `changelog`."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightbus_gen.compat.findings import Finding
from lightbus_gen.compat.output import Comparison, Format, show
from lightbus_gen.compat.rules import Mode, rule, rules
from lightbus_gen.config import Settings, read_settings
from lightbus_gen.dialects import parse_dialects
from lightbus_gen.problems import InputError, Problem, input_error

if TYPE_CHECKING:
    from lightbus_gen.compat.versions import Version

AgainstOption = Annotated[
    list[str] | None,
    typer.Option(
        "--against",
        metavar="REF|DIR|FILE",
        help="The earlier schemas: a git branch, tag or commit, a folder, or a file. Repeatable."
        " Default: where this branch left the remote's default branch.",
    ),
]
AgainstPathOption = Annotated[
    str | None,
    typer.Option("--against-path", metavar="PATH", help="Where the schemas were in the repository then."),
]
SchemasOption = Annotated[
    Path | None, typer.Option("--schemas", metavar="DIR|FILE", help="The current schemas. Default: schemas")
]
SharedOption = Annotated[
    list[str] | None,
    typer.Option("--shared", metavar="GLOB", help="Schema files that make no event. Repeatable."),
]


class Scope(StrEnum):
    """Which findings are wanted."""

    WIRE = "wire"
    CODE = "code"
    ALL = "all"


def breaking(
    against: AgainstOption = None,
    mode: Annotated[Mode, typer.Option("--mode", help="Which directions must hold.")] = Mode.FULL,
    except_: Annotated[
        list[str] | None, typer.Option("--except", metavar="RULE_ID", help="Leave a rule out. Repeatable.")
    ] = None,
    schemas: SchemasOption = None,
    shared: SharedOption = None,
    against_path: AgainstPathOption = None,
    category: Annotated[
        Scope, typer.Option("--category", help="Events on the wire, code that uses the package, or both.")
    ] = Scope.ALL,
    strict: Annotated[bool, typer.Option("--strict", help="Findings about code count, too.")] = False,
    allow_undecided: Annotated[
        bool, typer.Option("--allow-undecided", help="What could not be decided does not count.")
    ] = False,
    format_: Annotated[Format, typer.Option("--format", help="How to write the findings.")] = Format.TEXT,
) -> None:
    """Say whether services with the earlier and with the current schemas can live together.

    Exits with 0 if they can, 1 if not, 2 on wrong usage or schemas.
    """
    from lightbus_gen.compat.allowances import apply_allowances, read_allowances
    from lightbus_gen.compat.compare import compare
    from lightbus_gen.compat.versions import read_version
    from lightbus_gen.files import Report

    began = time.perf_counter()
    findings: list[Finding] = []
    problems: tuple[Problem, ...] = ()
    labels: list[str] = []
    events = 0
    try:
        left_out = {rule(id_).id for id_ in except_ or ()}
        settings = _settings(schemas, shared)
        report = Report()
        new = read_version(settings.schemas, settings.shared, report, parse_dialects(settings.dialects))
        report.check()
        events = len(new.events)
        for old in _earlier(against, settings, against_path):
            labels.append(old.label)
            findings += compare(*_comparable(old, new), mode)
        findings = [
            _undecided(one, allow_undecided)
            for one in findings
            if one.rule not in left_out and category in (Scope.ALL, one.category)
        ]
        files = {file.shown: file for file in new.sources.files}
        findings = apply_allowances(
            findings,
            files,
            read_allowances(settings.breaking, "pyproject.toml"),
            datetime.date.today(),
            report,
        )
        report.check()
    except InputError as error:
        findings, problems = [], error.problems
    outcome = Comparison(findings, problems, labels, events, strict, time.perf_counter() - began)
    show(outcome, format_)
    raise typer.Exit(outcome.exit_code)


def changelog(
    against: AgainstOption = None,
    schemas: SchemasOption = None,
    shared: SharedOption = None,
    against_path: AgainstPathOption = None,
) -> None:
    """Write what has changed since earlier schemas as a Markdown list."""
    from lightbus_gen.compat.changelog import changelog as write_changelog
    from lightbus_gen.compat.versions import read_version
    from lightbus_gen.files import Report

    try:
        settings = _settings(schemas, shared)
        report = Report()
        new = read_version(settings.schemas, settings.shared, report, parse_dialects(settings.dialects))
        report.check()
        parts = [write_changelog(*_comparable(old, new)) for old in _earlier(against, settings, against_path)]
    except InputError as error:
        show(Comparison([], error.problems, [], 0, False, 0), Format.TEXT)
        raise typer.Exit(2) from None
    print("\n".join(parts), end="")


def list_rules() -> None:
    """List the rules of `breaking`."""
    for one in rules():
        print(f"{one.id:<26}{one.category:<6}{one.direction:<10}{one.title}")


def explain(rule_id: Annotated[str, typer.Argument(metavar="RULE_ID", help="The rule.")]) -> None:
    """Say why a rule matters, with an example and the safe way to make the change."""
    try:
        one = rule(rule_id)
    except InputError as error:
        show(Comparison([], error.problems, [], 0, False, 0), Format.TEXT)
        raise typer.Exit(2) from None
    print(f"{one.id}: {one.title}\n\n{one.why}")
    print(f"So {one.direction.words}.")
    if one.before:
        print(f"\nbefore: {one.before}\nafter:  {one.after}")
    print(f"\nThe safe way: {one.fix}.")


def _settings(schemas: Path | None, shared: list[str] | None) -> Settings:
    settings = read_settings(Path.cwd())
    return replace(settings, schemas=schemas or settings.schemas, shared=tuple(shared or settings.shared))


def _earlier(
    against: Iterable[str] | None, settings: Settings, against_path: str | None
) -> Iterable[Version]:
    """Read what to compare with."""
    from lightbus_gen.compat.git import Repository
    from lightbus_gen.compat.versions import read_commit, read_version
    from lightbus_gen.files import Report

    dialects = parse_dialects(settings.dialects)
    for given in against or [Repository.around(settings.schemas).merge_base()]:
        report = Report()
        where = Path(given)
        if where.exists():
            version = read_version(where, settings.shared, report, dialects)
        else:
            version = read_commit(
                given, settings.schemas, settings.shared, report, dialects, against_path=against_path
            )
        report.check()
        yield version


def _comparable(old: Version, new: Version) -> tuple[Version, Version]:
    """Check that the versions are of a kind; a single document is compared with what the other has of its API."""
    if old.is_one_schema != new.is_one_schema:
        one, other = (old, new) if old.is_one_schema else (new, old)
        message = f"{one.label} is the schema of one event, and {other.label} is not"
        raise input_error("NOT_COMPARABLE", message, "compare a file with a file, or a folder with a folder")
    return old.of_apis(new) if new.is_file else old, new


def _undecided(one: Finding, allow: bool) -> Finding:
    return replace(one, level="note") if allow and one.rule == "UNDECIDED" else one
