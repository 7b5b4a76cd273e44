"""Options of the commands that look at a server, whatever the code says."""

from __future__ import annotations

from collections.abc import Callable

import click

from lightbus import naming

Command = Callable[..., None]


def decorated(command: Command, *decorators: Callable[[Command], Command]) -> Command:
    """Decorate a command, the first decorator outermost, so that its options are listed in this order."""
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


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
