"""The command `lightbus-gen`.

Exit codes: 0 clean, 1 not current (`--check`), 2 wrong usage or input, 3 a bug.
"""

from __future__ import annotations

import functools
import gc
import importlib.metadata
import io
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import click

from lightbus.foreign import escaped_lines
from lightbus_gen.compat import commands
from lightbus_gen.project.printing import Format
from lightbus_gen.project.report import RunOutcome, show
from lightbus_gen.project.run import plan_project, plan_schemas, run
from lightbus_gen.project.settings import dialect_option, shared_option
from lightbus_gen.read.input_problems import InputError
from lightbus_gen.write.plan import Plan

_schemas = click.option("--schemas", metavar="DIR", type=Path, help="The schemas folder. Default: schemas")


def _outcome_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for checking and for printing the outcome."""
    check = click.option(
        "--check", is_flag=True, help="Write nothing; exit 1 with a diff if anything would change."
    )
    format_ = click.option(
        "--format",
        "format_",
        type=click.Choice([each.value for each in Format if each is not Format.JUNIT]),
        default=Format.TEXT.value,
        show_default=True,
        help="How to write the outcome.",
    )
    quiet = click.option("--quiet", "-q", is_flag=True, help="Print problems and drift only.")
    return check(format_(quiet(command)))


_ASKED = "?"


def _answer(_context: click.Context, _option: click.Parameter, version: str | None) -> str | None:
    """Show the version of lightbus-gen if `--version` has no value."""
    if version != _ASKED:
        return version
    click.echo(f"lightbus-nats, version {importlib.metadata.version('lightbus-nats')}")
    sys.exit(0)


def _enter(_context: click.Context, _option: click.Parameter, folder: Path | None) -> None:
    """Enter the folder of `--project`."""
    if folder is not None:
        os.chdir(folder)


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--project",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=_enter,
    help="Run as if in this folder: its pyproject.toml, and paths relative to it.",
)
@click.option(
    "--apis", metavar="MODULE[:CLASS]", multiple=True, help="Export these Api classes first. Repeatable."
)
@_schemas
@click.option("--out", metavar="DIR", type=Path, help="Where the package goes. Default: generated")
@click.option("--package", metavar="NAME", help="Import name of the package.")
@shared_option
@dialect_option
@click.option("--only", metavar="API", multiple=True, help="Leave the files of other APIs alone. Repeatable.")
@click.option("--distribution", metavar="NAME", help="Make the output an installable distribution.")
@click.option(
    "--version",
    metavar="X.Y.Z",
    is_flag=False,
    flag_value=_ASKED,
    callback=_answer,
    help="Version of that distribution; without a value, show that of lightbus-gen.",
)
@click.option(
    "--watch", is_flag=True, help="Keep running, and run again whenever schemas or Api classes change."
)
@_outcome_options
@click.pass_context
def app(
    context: click.Context,
    /,
    only: tuple[str, ...],
    watch: bool,
    check: bool,
    format_: str,
    quiet: bool,
    **settings: Any,
) -> None:
    """Export Api classes to schemas, and generate the typed client package from them.

    Each setting can also be in pyproject.toml under [tool.lightbus-gen]: apis, schemas, out, package, shared,
    dialects, distribution, version.
    """
    if context.invoked_subcommand is not None:
        return
    work = functools.partial(plan_project, only=only, is_check=check)
    if not watch:
        _end(run(work, settings, check=check), Format(format_), quiet)
    if check:
        raise click.UsageError("--watch writes, and --check writes nothing: choose one of them")
    _watch(work, settings, Format(format_), quiet)


@app.command()
@click.argument("modules", metavar="MODULE[:CLASS]...", nargs=-1, required=True)
@_schemas
@_outcome_options
def export(modules: tuple[str, ...], schemas: Path | None, check: bool, format_: str, quiet: bool) -> None:
    """Write the schema document of Api classes to schemas/<api>.json."""
    work = functools.partial(plan_schemas, modules=modules)
    _end(run(work, {"schemas": schemas}, check=check), Format(format_), quiet)


for command in commands.COMMANDS:
    app.add_command(command)


def _watch(work: functools.partial[Plan], flags: Mapping[str, Any], format_: Format, quiet: bool) -> None:
    from lightbus_gen.project.watch import watch

    try:
        watch(work, flags, functools.partial(show, format_=format_, quiet=quiet))
    except InputError as error:
        _end(RunOutcome(error.problems, (), Plan(), is_check=False, seconds=0), format_, quiet)


def _end(outcome: RunOutcome, format_: Format, quiet: bool) -> NoReturn:
    show(outcome, format_, quiet=quiet)
    sys.exit(outcome.exit_code)


_EXTRAS = {"jinja2": "gen", "jsonschema": "gen", "packaging": "gen", "watchfiles": "dev"}


def main() -> None:
    """Run the command."""
    gc.freeze()  # imported modules stay, and the processes of a large run share them
    gc.set_threshold(100_000, 50, 50)  # a run makes much data but few cycles to collect
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
        import traceback  # slow to import

        print(
            "lightbus-gen has met a bug of its own; nothing is wrong with what you did.\n"
            "Please report it with the lines below and, if you can, the schema that led to it.\n",
            file=sys.stderr,
        )
        print(escaped_lines(traceback.format_exc()), file=sys.stderr, end="")
        sys.exit(3)
