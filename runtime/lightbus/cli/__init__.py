"""The `lightbus` command."""

from __future__ import annotations

import io
import sys

import click

from lightbus.cli.dead_letters.commands import dead_letters
from lightbus.cli.lightbus1 import Group
from lightbus.cli.running.commands import dev, run, server
from lightbus.cli.streams.commands import apply, inspect, plan, status
from lightbus.cli.terminal.console import OutputFailed, print_error
from lightbus.errors import LightbusError


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="lightbus-nats", prog_name="lightbus-nats")
def app() -> None:
    """Run services on the bus, and operate it."""


for command in (apply, dead_letters, dev, inspect, plan, run, server, status):
    app.add_command(command)


def main() -> None:
    """Run the command line; a user's mistake ends in one message and exit code 1, lost output in 2, nothing in a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without UTF-8 shows "?" for what it lacks
    try:
        app(prog_name="lightbus")
    except OutputFailed as error:
        print_error(error)
        sys.exit(2)
    except LightbusError as error:
        print_error(error)
        sys.exit(1)
