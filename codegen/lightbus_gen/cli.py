"""The command `lightbus-gen`.

Exit codes: 0 clean, 1 not current (`--check`), 2 wrong usage or input, 3 a bug.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from lightbus_gen.compat import commands
from lightbus_gen.config import Settings, read_settings
from lightbus_gen.dialects import parse_dialects
from lightbus_gen.files import Report
from lightbus_gen.problems import InputError, Problem, input_error
from lightbus_gen.report import Format, Outcome, show
from lightbus_gen.write import Plan, apply, plan

app = typer.Typer(add_completion=False, no_args_is_help=False, pretty_exceptions_enable=False)

CheckOption = Annotated[
    bool, typer.Option("--check", help="Write nothing; exit 1 with a diff if anything would change.")
]
FormatOption = Annotated[Format, typer.Option("--format", help="How to write the outcome.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print problems and drift only.")]
SchemasOption = Annotated[
    Path | None, typer.Option("--schemas", metavar="DIR", help="The schemas folder. Default: schemas")
]


@app.callback(invoke_without_command=True)
def generate(
    context: typer.Context,
    apis: Annotated[
        list[str] | None,
        typer.Option("--apis", metavar="MODULE[:CLASS]", help="Export these Api classes first. Repeatable."),
    ] = None,
    schemas: SchemasOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where the package goes. Default: generated"),
    ] = None,
    package: Annotated[
        str | None, typer.Option("--package", metavar="NAME", help="Import name of the package.")
    ] = None,
    shared: Annotated[
        list[str] | None,
        typer.Option("--shared", metavar="GLOB", help="Schema files that make no event. Repeatable."),
    ] = None,
    dialects: Annotated[
        list[str] | None,
        typer.Option(
            "--dialect",
            metavar="[URI]=DRAFT",
            help="Read files with this $schema (or none) by a draft: draft-04, draft-06, draft-07, 2019-09, 2020-12."
            " Repeatable.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="API", help="Leave the files of other APIs alone. Repeatable."),
    ] = None,
    check: CheckOption = False,
    format_: FormatOption = Format.TEXT,
    quiet: QuietOption = False,
) -> None:
    """Export Api classes to schemas, and generate the typed client package from them.

    Each setting can stand in pyproject.toml under \\[tool.lightbus-gen]: apis, schemas, out, package,
    shared, dialects.
    """
    if context.invoked_subcommand is not None:
        return

    def work(report: Report) -> Plan:
        settings = read_settings(Path.cwd())
        settings = Settings(
            apis=tuple(apis or settings.apis),
            schemas=schemas or settings.schemas,
            out=out or settings.out,
            package=settings.package if package is None else package,
            shared=tuple(shared or settings.shared),
            dialects=tuple(dialects or settings.dialects),
            root=settings.root,
        )
        return _plan(settings, only or [], report)

    _run(work, check, format_, quiet)


@app.command()
def export(
    modules: Annotated[list[str], typer.Argument(metavar="MODULE[:CLASS]...", help="What to export.")],
    schemas: SchemasOption = None,
    check: CheckOption = False,
    format_: FormatOption = Format.TEXT,
    quiet: QuietOption = False,
) -> None:
    """Write the schema document of Api classes to schemas/<api>.json."""

    def work(_: Report) -> Plan:
        from lightbus_gen.export import export as export_apis

        settings = read_settings(Path.cwd())
        return plan(schemas or settings.schemas, export_apis(modules, settings.root))

    _run(work, check, format_, quiet)


app.command()(commands.breaking)
app.command("rules")(commands.list_rules)
app.command()(commands.explain)
app.command()(commands.changelog)


def _plan(settings: Settings, only: list[str], report: Report) -> Plan:
    """Work out everything a bare `lightbus-gen` would change."""
    from lightbus_gen.export import export as export_apis
    from lightbus_gen.generate import generate as generate_files

    package = settings.checked_package()
    if (settings.out / package).resolve().is_relative_to(settings.schemas.resolve()):
        message = (
            f"the package would be in the schemas folder, {settings.schemas}, and its files read as schemas"
        )
        raise input_error("INVALID_CONFIG", message, "choose another out folder")
    documents = export_apis(settings.apis, settings.root) if settings.apis else {}
    files = generate_files(
        settings.schemas,
        package,
        shared=settings.shared,
        dialects=parse_dialects(settings.dialects),
        overlay=documents,
        report=report,
    )
    if only:
        documents = {name: text for name, text in documents.items() if name.removesuffix(".json") in only}
        files = _restrict(files, package, only)
    exported = plan(settings.schemas, documents)
    return exported + plan(settings.out, files, within=package, remove_stale=not only)


def _restrict(files: dict[str, str], package: str, only: list[str]) -> dict[str, str]:
    """Keep the files of some APIs, and those of the package as a whole."""
    from lightbus.errors import did_you_mean
    from lightbus_gen.tree import module_name

    start = f"{package}/schemas/"
    known = [name[len(start) : -len(".json")] for name in files if name.startswith(start)]
    for api in only:
        if api not in known:
            fix = f"name one of: {', '.join(known)}"
            raise input_error("NO_API", f"there is no API {api!r}{did_you_mean(api, known)}", fix)
    kept = {f"{package}/__init__.py", f"{package}/py.typed"}
    kept |= {f"{package}/{module_name(api)}.py" for api in only} | {f"{start}{api}.json" for api in only}
    return {name: text for name, text in files.items() if name in kept}


def _run(work: Callable[[Report], Plan], check: bool, format_: Format, quiet: bool) -> None:
    """Do the work of a command, print what came of it, and exit."""
    began = time.perf_counter()
    planned, problems, report = Plan(), tuple[Problem, ...](), Report()
    try:
        planned = work(report)
        if not check:
            apply(planned)
    except InputError as error:
        planned, problems = Plan(), error.problems
    outcome = Outcome(problems, report.notices, planned, check, time.perf_counter() - began)
    show(outcome, format_, quiet=quiet)
    raise typer.Exit(outcome.exit_code)


def main() -> None:
    """Run the command."""
    try:
        app(prog_name="lightbus-gen")
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name in ("jinja2", "referencing"):
            print(f"lightbus-gen needs {error.name}: pip install 'lightbus-nats[gen]'", file=sys.stderr)
            sys.exit(2)
        print(
            "lightbus-gen has met a bug of its own; nothing is wrong with what you did.\n"
            "Please report it with the lines below and, if you can, the schema that led to it.\n",
            file=sys.stderr,
        )
        traceback.print_exc()
        sys.exit(3)
