"""The commands `lightbus-gen breaking`, `rules`, `explain` and `changelog`."""

from __future__ import annotations

import datetime
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from lightbus_gen.compat.report.output import Comparison, show
from lightbus_gen.compat.rules.catalogue import RULES, rule
from lightbus_gen.compat.rules.findings import by_place
from lightbus_gen.compat.rules.rule import Mode
from lightbus_gen.load.dialects import parse_dialects
from lightbus_gen.project.printing import Format, print_notices, print_problems
from lightbus_gen.project.run import effective_settings
from lightbus_gen.project.settings import ProjectSettings, dialect_option, shared_option
from lightbus_gen.read.files import Report
from lightbus_gen.read.input_problems import InputError, input_error

if TYPE_CHECKING:
    from lightbus_gen.compat.versions.version import Version


class Scope(StrEnum):
    """Which findings to report."""

    WIRE = "wire"
    CODE = "code"
    ALL = "all"


def _choice(flag: str, kind: type[StrEnum], default: StrEnum, help_: str) -> Callable[[Any], Any]:
    return click.option(
        flag,
        f"{flag.removeprefix('--')}_",
        type=click.Choice([each.value for each in kind]),
        default=default.value,
        show_default=True,
        help=help_,
    )


def _version_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name the versions to compare."""
    against = click.option(
        "--against",
        metavar="REF|DIR|FILE",
        multiple=True,
        help="The earlier schemas: a git branch, tag or commit, a folder, or a file. Repeatable."
        " Default: where this branch left the remote's default branch, or HEAD if there is no remote.",
    )
    against_path = click.option(
        "--against-path", metavar="PATH", help="The path of the schemas in the repository at that time."
    )
    schemas = click.option(
        "--schemas", metavar="DIR|FILE", type=Path, help="The current schemas. Default: schemas"
    )
    return against(against_path(schemas(shared_option(dialect_option(command)))))


@click.command()
@_version_options
@_choice("--mode", Mode, Mode.FULL, "Which directions must be compatible.")
@click.option("--except", "except_", metavar="RULE_ID", multiple=True, help="Ignore a rule. Repeatable.")
@_choice("--category", Scope, Scope.ALL, "Events on the wire, code that uses the package, or both.")
@click.option("--strict", is_flag=True, help="Fail on findings about code, too.")
@click.option("--allow-undecided", is_flag=True, help="Do not fail on what could not be decided.")
@_choice("--format", Format, Format.TEXT, "The format of the findings.")
def breaking(
    against: tuple[str, ...],
    against_path: str | None,
    mode_: str,
    except_: tuple[str, ...],
    category_: str,
    strict: bool,
    allow_undecided: bool,
    format_: str,
    **flags: Any,
) -> None:
    """Check that services with the earlier and with the current schemas can run side by side.

    Exits with 0 if they can, 1 if not, 2 on wrong usage or invalid schemas.
    """
    from lightbus_gen.compat.compare import compare
    from lightbus_gen.compat.rules.allowances import apply_allowances, as_classes, read_allowances

    began = time.perf_counter()
    outcome = Comparison(is_strict=strict)
    try:
        ignored = {rule(id_).id for id_ in except_}
        settings, report = effective_settings(flags), Report(is_lenient=True)
        allowances = read_allowances(settings.breaking, "pyproject.toml")
        new = _current(settings, report)
        outcome.events = len(new.events)
        for old in _earlier(new, against, settings, against_path, report):
            outcome.against.append(old.label)
            outcome.findings += compare(*_comparable(old, new), Mode(mode_))
        findings = (
            replace(finding, level="note") if allow_undecided and finding.rule == "UNDECIDED" else finding
            for finding in outcome.findings
            if finding.rule not in ignored and category_ in (Scope.ALL, finding.category)
        )
        files = {file.shown: file for file in new.sources.files}
        classes = (
            () if flags["schemas"] else settings.apis
        )  # the project's own schemas are those of its classes
        outcome.findings = by_place(
            apply_allowances(
                as_classes(findings, files, classes), files, allowances, datetime.date.today(), report
            )
        )
        report.check()
        outcome.notices = report.notices
    except InputError as error:
        outcome.findings, outcome.problems = [], error.problems
    outcome.seconds = time.perf_counter() - began
    show(outcome, Format(format_))
    sys.exit(outcome.exit_code)


@click.command()
@_version_options
def changelog(against: tuple[str, ...], against_path: str | None, **flags: Any) -> None:
    """Write the changes since earlier schemas as a Markdown list."""
    from lightbus_gen.compat.report.changelog import changelog as write_changelog
    from lightbus_gen.compat.versions.version import NOT_COMPARED

    try:
        settings, report = effective_settings(flags), Report(is_lenient=True)
        new = _current(settings, report)
        earlier = _earlier(new, against, settings, against_path, report)
        parts = [write_changelog(*_comparable(old, new)) for old in earlier]
        print_notices(notice for notice in report.notices if notice.message.endswith(NOT_COMPARED))
    except InputError as error:
        _refuse(error)
    click.echo("\n".join(parts), nl=False)


@click.command("rules")
def list_rules() -> None:
    """List the rules of `breaking`."""
    for about in RULES:
        click.echo(f"{about.id:<26}{about.category:<6}{about.direction:<10}{about.title}")


@click.command()
@click.argument("rule_id", metavar="RULE_ID")
def explain(rule_id: str) -> None:
    """Explain why a rule matters, with an example and the safe way to make the change."""
    try:
        about = rule(rule_id)
    except InputError as error:
        _refuse(error)
    click.echo(f"{about.id}: {about.title}\n\n{about.why}")
    click.echo(f"So {about.direction.words}.")
    if about.before:
        click.echo(f"\nbefore: {about.before}\nafter:  {about.after}")
    click.echo(f"\nThe safe way: {about.fix}.")


COMMANDS = (breaking, list_rules, explain, changelog)


def _refuse(error: InputError) -> NoReturn:
    print_problems(error.problems)
    sys.exit(2)


def _current(settings: ProjectSettings, report: Report) -> Version:
    """Read the current schemas."""
    from lightbus_gen.compat.versions.version import read_version

    version = read_version(settings.schemas, settings.shared, report, parse_dialects(settings.dialects))
    report.check()
    return version


def _earlier(
    new: Version, against: Sequence[str], settings: ProjectSettings, against_path: str | None, report: Report
) -> Iterator[Version]:
    """Read the earlier versions, with the same settings; their invalid events are left out and noted in the report."""
    from lightbus_gen.compat.versions.git import Repository
    from lightbus_gen.compat.versions.version import no_version, read_commit, read_version

    dialects = parse_dialects(settings.dialects)
    versions: Sequence[str | None] = against
    for earlier in versions or [Repository.around(settings.schemas).merge_base()]:
        if earlier is None:
            yield no_version("a repository without commits", report)
            continue
        where, own = Path(earlier), Report(is_lenient=True)
        if where.exists():
            if Repository.knows(earlier, settings.schemas):  # or a branch could bring its own earlier version
                message = f"{earlier!r} is both a folder or file here and a git commit"
                fix = f"write ./{earlier} for the former, or the full name, such as refs/remotes/{earlier}, for the latter"
                raise input_error("NO_BASE", message, fix)
            version = read_version(where, settings.shared, own, dialects)
        else:
            version = read_commit(
                earlier,
                settings.schemas,
                settings.shared,
                own,
                dialects,
                new=new,
                root=settings.root,
                against_path=against_path,
            )
        report.notices += own.notices
        yield version.without_faulty(own, report)


def _comparable(old: Version, new: Version) -> tuple[Version, Version]:
    """Check that two versions can be compared; restrict the old one to the APIs of a single document."""
    if old.events and old.is_one_schema != new.is_one_schema:
        single, other = (old, new) if old.is_one_schema else (new, old)
        message = f"{single.label} is the schema of one event, and {other.label} is not"
        raise input_error("NOT_COMPARABLE", message, "compare a file with a file, or a folder with a folder")
    return old.of_apis(new) if new.is_file else old, new
