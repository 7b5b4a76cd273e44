"""The options of `lightbus plan`, `apply`, `status` and `inspect`."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

import click

from lightbus.cli.terminal.shared_options import (
    Command,
    Text,
    buses_option,
    decorated,
    errors_exit_with_2,
    server_options,
    service_name_option,
    url_option,
)
from lightbus.cli.terminal.times import Time


def _bus_options(command: Command) -> Command:
    """Add the options that select bus modules and their server."""
    return decorated(command, buses_option, service_name_option, url_option("as the module says"))


@click.command()
@_bus_options
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "nats"]),
    default="text",
    show_default=True,
    help="json writes one object a line; nats writes the services' permissions for nats-server's configuration.",
)
@click.option(
    "--fires",
    type=Text(),
    metavar="SERVICE:API",
    multiple=True,
    help="With --format nats: the service also fires events of this API. Repeatable.",
)
def plan(format_: str, fires: tuple[str, ...], **options: Any) -> None:
    """Show which of a bus's streams and durables the server lacks, and which differ.

    The module's before_server_start() is run to learn its listeners; none of them gets an event, and nothing
    is fired. Exits with 0 when there is nothing to do, with 1 when there is, with 2 on errors.
    """
    if fires and format_ != "nats":
        raise click.UsageError("--fires goes with --format nats.")
    from lightbus.cli.streams.nats_config import show_configuration
    from lightbus.cli.streams.provision import BusModules, show_plan

    with errors_exit_with_2():
        modules = BusModules(**options)
        if format_ == "nats":
            show_configuration(modules.setups(), fires)
        else:
            sys.exit(show_plan(modules, as_json=format_ == "json"))


@click.command()
@_bus_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--destroy", is_flag=True, help="Also make changes that remove messages.")
def apply(yes: bool, destroy: bool, **options: Any) -> None:
    """Make the changes that the plan shows.

    Exits with 0 when the server has everything as the code needs it, with 1 when something is left to do,
    with 2 on errors.
    """
    if not (yes or sys.stdin.isatty()):
        raise click.UsageError("there is no terminal to ask for confirmation; pass --yes.")
    from lightbus.cli.streams.provision import BusModules, apply_plan

    with errors_exit_with_2():
        sys.exit(apply_plan(BusModules(**options), ask=not yes, destroying=destroy))


@click.command()
@server_options
def status(url: str | None, prefix: str, format_: str) -> None:
    """Show streams and listeners as the server has them.

    Exits with 0 when all is well, with 1 when a listener has lost events or gets no more, with 2 on errors.
    """
    from lightbus.cli.streams.overview import show_status

    with errors_exit_with_2():
        sys.exit(show_status(url, prefix, as_json=format_ == "json"))


@click.command()
@click.argument("events", nargs=-1, type=Text(), metavar="[EVENT]...")
@click.option(
    "--id", "ids", type=Text(), multiple=True, metavar="ID", help="The latest event with this id. Repeatable."
)
@click.option("--since", type=Time(), help="Stored at this time or later: 2026-11-23T09:30, 2h.")
@click.option("--until", type=Time(), help="Stored before this time.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="The latest N only.")
@click.option("--follow", is_flag=True, help="Continue with new events, until Ctrl-C.")
@server_options
def inspect(
    events: tuple[str, ...],
    ids: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    limit: int | None,
    follow: bool,
    url: str | None,
    prefix: str,
    format_: str,
) -> None:
    """Show stored events, the latest last.

    EVENT is a name such as auth.user_created, or a pattern with * and ?. Listeners are not affected. Exits
    with 1 when an event of --id is not there or a stream cannot be read, with 2 on errors.
    """
    if follow and until is not None:
        raise click.UsageError("--follow has no end, so it does not go with --until.")
    from lightbus.cli.streams.inspect import show_events
    from lightbus.jetstream.stored.history import EventFilter

    selection = EventFilter(events, frozenset(ids), since, until)
    with errors_exit_with_2():
        sys.exit(show_events(url, prefix, selection, limit, follow=follow, as_json=format_ == "json"))
