"""The `lightbus` command."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lightbus.cli.console import print_error
from lightbus.errors import LightbusError

app = typer.Typer(
    help="Run services on the bus.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

BusModule = Annotated[
    str,
    typer.Option("--bus", metavar="MODULE", envvar="LIGHTBUS_MODULE", help="Module that holds the bus."),
]
ServiceName = Annotated[
    str | None, typer.Option(metavar="NAME", help="Override the service name the module gives.")
]
Port = Annotated[int, typer.Option(metavar="PORT", help="TCP port on 127.0.0.1.", min=1, max=65535)]


@app.command()
def run(bus: BusModule = "bus", service_name: ServiceName = None) -> None:
    """Run the listeners of a bus module until SIGTERM or Ctrl-C."""
    from lightbus.cli.run import run_service

    raise typer.Exit(run_service(bus, service_name))


@app.command()
def dev(bus: BusModule = "bus", service_name: ServiceName = None, port: Port = 4222) -> None:
    """Run a bus module with an embedded server, and again whenever the code changes."""
    from lightbus.cli.dev import develop

    raise typer.Exit(develop(bus, service_name, port))


@app.command()
def server(port: Port = 4222) -> None:
    """Run the embedded nats-server with JetStream; events are kept in .lightbus/nats."""
    from lightbus.cli.server import serve

    raise typer.Exit(serve(port))


def main() -> None:
    """Run the command line; a mistake of the user ends in one message and exit code 1, never a traceback."""
    try:
        app()
    except LightbusError as error:
        print_error(error)
        sys.exit(1)
