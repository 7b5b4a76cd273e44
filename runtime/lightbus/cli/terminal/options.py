"""What the commands that look at a server have in common: where to look, how to answer, how to fail."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from lightbus import naming
from lightbus.cli.terminal.console import print_error
from lightbus.errors import LightbusError

Command = Callable[..., None]

_ERROR = 2  # exit code when there is no answer, as 1 is one of the answers


def decorated(command: Command, *decorators: Callable[[Command], Command]) -> Command:
    """Decorate a command, the first decorator outermost, so that its options are listed in this order."""
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


def _checked_prefix(_context: click.Context, _option: click.Parameter, prefix: str) -> str:
    if problem := naming.prefix_problem(prefix):
        raise click.BadParameter(problem, param_hint="--prefix")
    return prefix


def where_and_how(command: Command) -> Command:
    """Add the options that say which bus's streams are meant, on which server, and how to answer."""
    return decorated(
        command,
        click.option(
            "--url", help="Address of the NATS server.  [default: NATS_URL, else the NATS context in use]"
        ),
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
def answering() -> Iterator[None]:
    """Let an error end the command with an exit code that is none of its answers."""
    try:
        yield
    except LightbusError as error:
        print_error(error)
        sys.exit(_ERROR)
