"""Options that several commands share, and the exit code of their errors."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from lightbus import naming
from lightbus.cli.terminal.console import print_error
from lightbus.errors import LightbusError

Command = Callable[..., None]

_ERROR = 2  # exit code of an error; 1 is an answer, such as "something is left to do"


class Text(click.ParamType[str]):
    """A text that is not empty, as that of an unset variable would be: an empty selector would select anything.

    Python passes bytes that are not UTF-8 on as surrogates, which nothing on a server can be called.
    """

    name = "TEXT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text as it is."""
        text = str(value)
        if not text.strip():
            self.fail("it is empty; give a value, or leave it out", param, ctx)
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail("it is not UTF-8", param, ctx)
        return text


_BUS: dict[str, Any] = {
    "type": Text(),
    "metavar": "MODULE",
    "envvar": "LIGHTBUS_MODULE",
    "show_default": True,
    "show_envvar": True,
}


def _only(_context: click.Context, _option: click.Parameter, modules: tuple[str, ...]) -> str:
    """Return the only module of a command that runs one."""
    module, *others = modules
    if others:
        words = f"it runs one module, not {len(modules)}: {', '.join(modules)}. Start a process for each"
        raise click.BadParameter(words)
    return module


bus_option = click.option(
    "--bus", **_BUS, default=["bus"], multiple=True, callback=_only, help="Module that holds the bus."
)
buses_option = click.option(
    "--bus", "modules", **_BUS, default=["bus"], multiple=True, help="Module that holds the bus. Repeatable."
)
service_name_option = click.option(
    "--service-name", type=Text(), metavar="NAME", help="Override the module's service name."
)


def url_option(default: str) -> Callable[[Command], Command]:
    """Return the option `--url`; `default` says where the address comes from without it."""
    return click.option(
        "--url",
        type=Text(),
        help="Address of the NATS server. The list of processes shows it: keep a password in NATS_URL or a NATS"
        f" context.  [default: {default}]",
    )


def decorated(command: Command, *decorators: Callable[[Command], Command]) -> Command:
    """Decorate a command, the first decorator outermost, so that its options are listed in this order."""
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


def _checked_prefix(_context: click.Context, _option: click.Parameter, prefix: str) -> str:
    if problem := naming.prefix_problem(prefix):
        raise click.BadParameter(problem, param_hint="--prefix")
    return prefix


def server_options(command: Command) -> Command:
    """Add `--url` and `--prefix`, which say where the streams are, and `--format`."""
    return decorated(
        command,
        url_option("NATS_URL, else the NATS context in use"),
        click.option(
            "--prefix",
            default=naming.DEFAULT_PREFIX,
            show_default=True,
            metavar="NAME",
            callback=_checked_prefix,
            help="Prefix of the bus's streams.",
        ),
        click.option(
            "--format",
            "format_",
            type=click.Choice(["text", "json"]),
            default="text",
            show_default=True,
            help="json writes one object a line.",
        ),
    )


@contextmanager
def errors_exit_with_2() -> Iterator[None]:
    """Print a `LightbusError` and exit with 2, as 0 and 1 are answers of the command."""
    try:
        yield
    except LightbusError as error:
        print_error(error)
        sys.exit(_ERROR)
