"""The `lightbus` command."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

from lightbus.cli.dead_letters.command import dead_letters
from lightbus.cli.lightbus1 import Group
from lightbus.cli.streams.commands import apply, plan, status
from lightbus.cli.streams.inspect_command import inspect
from lightbus.cli.terminal.console import print_error
from lightbus.errors import LightbusError


def _bus_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which service to run."""
    bus = click.option(
        "--bus",
        metavar="MODULE",
        envvar="LIGHTBUS_MODULE",
        default="bus",
        show_default=True,
        show_envvar=True,
        help="Module that holds the bus.",
    )
    name = click.option("--service-name", metavar="NAME", help="Override the service name the module gives.")
    return bus(name(command))


_port = click.option(
    "--port",
    metavar="PORT",
    type=click.IntRange(1, 65535),
    default=4222,
    show_default=True,
    help="TCP port on 127.0.0.1.",
)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="lightbus-nats", prog_name="lightbus-nats")
def app() -> None:
    """Run services on the bus, and look after it."""


for command in (apply, dead_letters, inspect, plan, status):
    app.add_command(command)


@app.command()
@_bus_options
@click.option(
    "--provision",
    type=click.Choice(["create", "verify"]),
    help="What to do about streams and durables that are missing.  [default: what the module says]",
)
def run(bus: str, service_name: str | None, provision: Any) -> None:
    """Run the listeners of a bus module until SIGTERM or Ctrl-C."""
    from lightbus.cli.running.run import run_service

    sys.exit(run_service(bus, service_name, provision))


@app.command()
@_bus_options
@_port
@click.pass_context
def dev(context: click.Context, bus: str, service_name: str | None, port: int) -> None:
    """Run a bus module with an embedded server, and again whenever the code changes."""
    from lightbus.cli.running.dev import develop

    is_given = context.get_parameter_source("port") is ParameterSource.COMMANDLINE
    sys.exit(develop(bus, service_name, port, port_is_given=is_given))


@app.command()
@_port
def server(port: int) -> None:
    """Run the embedded nats-server with JetStream; events are kept in .lightbus/nats."""
    from lightbus.cli.running.server import serve

    sys.exit(serve(port))


def main() -> None:
    """Run the command line; a mistake of the user ends in one message and exit code 1, never a traceback."""
    try:
        app(prog_name="lightbus")
    except LightbusError as error:
        print_error(error)
        sys.exit(1)
