"""The options of `lightbus plan`, `lightbus apply` and `lightbus status`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from lightbus.cli.terminal.options import answering, where_and_how


def _targets(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which buses are meant, and on which server."""
    bus = click.option(
        "--bus",
        "modules",
        metavar="MODULE",
        multiple=True,
        envvar="LIGHTBUS_MODULE",
        default=["bus"],
        show_default=True,
        show_envvar=True,
        help="Module that holds the bus. Repeatable.",
    )
    name = click.option("--service-name", metavar="NAME", help="Override the service name the module gives.")
    url = click.option("--url", help="Address of the NATS server.  [default: as the module says]")
    return bus(name(url(command)))


@click.command()
@_targets
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "nats"]),
    default="text",
    show_default=True,
    help="json writes one object a line; nats the permissions of the services, as nats-server configuration.",
)
@click.option(
    "--fires",
    metavar="SERVICE:API",
    multiple=True,
    help="With --format nats: the service also fires events of this API. Repeatable.",
)
def plan(format_: str, fires: tuple[str, ...], **options: Any) -> None:
    """Show what the server lacks of a bus's streams and durables.

    The module's before_server_start() is run to learn its listeners; none of them gets an event, and nothing
    is fired. Exits with 0 when there is nothing to do, with 1 when there is, with 2 on errors.
    """
    if fires and format_ != "nats":
        raise click.UsageError("--fires goes with --format nats.")
    from lightbus.cli.streams.plan import Target, show_permissions, show_plan

    with answering():
        target = Target(**options)
        sys.exit(
            show_permissions(target, fires)
            if format_ == "nats"
            else show_plan(target, as_json=format_ == "json")
        )


@click.command()
@_targets
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--destroy", is_flag=True, help="Make changes, too, that remove messages.")
def apply(yes: bool, destroy: bool, **options: Any) -> None:
    """Make what the plan shows.

    Exits with 0 when all is as the code needs it, with 1 when something is left to do, with 2 on errors.
    """
    if not (yes or sys.stdin.isatty()):
        raise click.UsageError("nobody can be asked whether to make the changes; say --yes.")
    from lightbus.cli.streams.plan import Target, apply_plan

    with answering():
        sys.exit(apply_plan(Target(**options), ask=not yes, destroying=destroy))


@click.command()
@where_and_how
def status(url: str | None, prefix: str, format_: str) -> None:
    """Show streams and listeners as the server has them.

    Exits with 0 when all is well, with 1 when a listener has lost events or gets no more, with 2 on errors.
    """
    from lightbus.cli.streams.status import show_status

    with answering():
        sys.exit(show_status(url, prefix, as_json=format_ == "json"))
