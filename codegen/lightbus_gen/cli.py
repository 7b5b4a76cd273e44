"""The command `lightbus-gen`.

Exit codes: 0 clean, 1 not current (`--check`), 2 wrong usage or input, 3 a bug.
"""

from __future__ import annotations

import functools
import io
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from lightbus_gen.problems import InputError
from lightbus_gen.project import plan_project, plan_schemas, run
from lightbus_gen.report import Format, Outcome, show
from lightbus_gen.write import Plan

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
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="API", help="Leave the files of other APIs alone. Repeatable."),
    ] = None,
    distribution: Annotated[
        str | None,
        typer.Option("--distribution", metavar="NAME", help="Make the output an installable distribution."),
    ] = None,
    version: Annotated[
        str | None, typer.Option("--version", metavar="VERSION", help="Version of that distribution.")
    ] = None,
    check: CheckOption = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on, and run again whenever schemas or Api classes change.")
    ] = False,
    format_: FormatOption = Format.TEXT,
    quiet: QuietOption = False,
) -> None:
    """Export Api classes to schemas, and generate the typed client package from them.

    Each setting can stand in pyproject.toml under \\[tool.lightbus-gen]: apis, schemas, out, package, shared,
    distribution, version.
    """
    if context.invoked_subcommand is not None:
        return
    given = {
        "apis": tuple(apis or ()) or None,
        "schemas": schemas,
        "out": out,
        "package": package,
        "shared": tuple(shared or ()) or None,
        "distribution": distribution,
        "version": version,
    }
    flags = {name: value for name, value in given.items() if value is not None}
    work = functools.partial(plan_project, only=tuple(only or ()))
    if not watch:
        _end(run(work, flags, check=check), format_, quiet)
    if check:
        raise typer.BadParameter("goes with writing; --check writes nothing", param_hint="--watch")
    _watch(work, flags, format_, quiet)


@app.command()
def export(
    modules: Annotated[list[str], typer.Argument(metavar="MODULE[:CLASS]...", help="What to export.")],
    schemas: SchemasOption = None,
    check: CheckOption = False,
    format_: FormatOption = Format.TEXT,
    quiet: QuietOption = False,
) -> None:
    """Write the schema document of Api classes to schemas/<api>.json."""
    flags = {} if schemas is None else {"schemas": schemas}
    _end(run(functools.partial(plan_schemas, modules=modules), flags, check=check), format_, quiet)


def _watch(work: functools.partial[Plan], flags: Mapping[str, Any], format_: Format, quiet: bool) -> None:
    from lightbus_gen.watch import watch

    try:
        watch(work, flags, functools.partial(show, format_=format_, quiet=quiet))
    except InputError as error:
        _end(Outcome(error.problems, Plan(), is_check=False, seconds=0), format_, quiet)


def _end(outcome: Outcome, format_: Format, quiet: bool) -> NoReturn:
    show(outcome, format_, quiet=quiet)
    raise typer.Exit(outcome.exit_code)


_EXTRAS = {"jinja2": "gen", "referencing": "gen", "packaging": "gen", "watchfiles": "dev"}


def main() -> None:
    """Run the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # an ASCII terminal still gets every word
            stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="lightbus-gen")
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name in _EXTRAS:
            extra = _EXTRAS[error.name]
            print(f"lightbus-gen needs {error.name}: pip install 'lightbus-nats[{extra}]'", file=sys.stderr)
            sys.exit(2)
        print(
            "lightbus-gen has met a bug of its own; nothing is wrong with what you did.\n"
            "Please report it with the lines below and, if you can, the schema that led to it.\n",
            file=sys.stderr,
        )
        traceback.print_exc()
        sys.exit(3)
