"""The options of `lightbus inspect`."""

from __future__ import annotations

import sys
from datetime import datetime

import click

from lightbus.cli.terminal.moments import Moment
from lightbus.cli.terminal.options import answering, where_and_how


@click.command()
@click.argument("events", nargs=-1, metavar="[EVENT]...")
@click.option("--id", "ids", multiple=True, metavar="ID", help="The event with this id. Repeatable.")
@click.option("--since", type=Moment(), help="Stored at this time or later: 2026-11-23T09:30, 2h.")
@click.option("--until", type=Moment(), help="Stored before this time.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="The latest N only.")
@click.option("--follow", is_flag=True, help="Go on with new events, until Ctrl-C.")
@where_and_how
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

    EVENT is a name such as auth.user_created, or a pattern with * and ?. Listeners take no notice. Exits
    with 1 when an event of --id is not there, with 2 on errors.
    """
    if follow and until is not None:
        raise click.UsageError("--follow has no end, so it does not go with --until.")
    from lightbus.cli.streams.inspect import show_events
    from lightbus.jetstream.stored.history import Wanted

    wanted = Wanted(events, frozenset(ids), since, until)
    with answering():
        sys.exit(show_events(url, prefix, wanted, limit, follow=follow, as_json=format_ == "json"))
