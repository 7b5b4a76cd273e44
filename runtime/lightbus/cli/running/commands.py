"""The options of `lightbus run`, `lightbus dev` and `lightbus server`."""

from __future__ import annotations

import re
import sys
from typing import Any

import click
from click.core import ParameterSource

from lightbus.cli.terminal.shared_options import bus_option, service_name_option

_port = click.option(
    "--port",
    metavar="PORT",
    type=click.IntRange(1, 65535),
    default=4222,
    show_default=True,
    help="TCP port on 127.0.0.1.",
)


class BusCommand(click.Command):
    """A command that runs a bus module, and says how to name it to users who name it without `--bus`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; see `click.Command`."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            extra = re.fullmatch(r"Got unexpected extra argument \((.+)\)", error.message)
            if extra is None:
                raise
            raise click.UsageError(f"{error.message}. Write: --bus {extra[1]}", ctx) from None


@click.command(cls=BusCommand)
@bus_option
@service_name_option
@click.option(
    "--provision",
    type=click.Choice(["create", "verify"]),
    help="Create missing streams and durables, or require them.  [default: as the module says]",
)
def run(bus: str, service_name: str | None, provision: Any) -> None:
    """Run the listeners of a bus module until SIGTERM or Ctrl-C."""
    from lightbus.cli.running.service import run_service

    sys.exit(run_service(bus, service_name, provision))


@click.command(cls=BusCommand)
@bus_option
@service_name_option
@_port
@click.pass_context
def dev(context: click.Context, bus: str, service_name: str | None, port: int) -> None:
    """Run a bus module with an embedded server, and restart it whenever the code changes."""
    from lightbus.cli.running.dev import develop

    port_is_given = context.get_parameter_source("port") is ParameterSource.COMMANDLINE
    sys.exit(develop(bus, service_name, port, port_is_given=port_is_given))


@click.command()
@_port
def server(port: int) -> None:
    """Run the embedded nats-server with JetStream; events are kept in .lightbus/nats."""
    from lightbus.cli.running.dev import serve

    sys.exit(serve(port))
