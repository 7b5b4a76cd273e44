"""The options of `lightbus dead-letters`."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import click

from lightbus.cli.terminal.shared_options import Command, Text, decorated, server_options
from lightbus.cli.terminal.times import Time

if TYPE_CHECKING:
    from lightbus.cli.dead_letters.query import Query


_NUMBER = re.compile("[0-9]{1,18}")  # of a dead letter; longer ones are ids


def _filters(command: Command) -> Command:
    """Add the options that select dead letters. Several of them must all hold."""
    return decorated(
        command,
        click.argument("which", nargs=-1, type=Text(), metavar="[NUMBER|ID]..."),
        click.option(
            "--listener", type=Text(), metavar="NAME", help="Of this listener, such as mailer-welcome."
        ),
        click.option(
            "--event", type=Text(), metavar="NAME", help="Of this event, such as auth.user_created."
        ),
        click.option("--error", type=Text(), metavar="CLASS", help="With this error, such as KeyError."),
        click.option(
            "--id",
            "ids",
            type=Text(),
            multiple=True,
            metavar="ID",
            help="Of the event with this id. Repeatable.",
        ),
        click.option("--since", type=Time(), help="Failed at this time or later: 2026-11-23T09:30, 2h."),
        click.option("--until", type=Time(), help="Failed before this time."),
    )


def _query(
    url: str | None,
    prefix: str,
    format_: str,
    which: tuple[str, ...],
    ids: tuple[str, ...] = (),
    **conditions: Any,
) -> Query:
    from lightbus.cli.dead_letters.query import Query
    from lightbus.event.dead_letter import Filter

    numbers = frozenset(int(word) for word in which if _NUMBER.fullmatch(word))
    event_ids = frozenset(word for word in which if not _NUMBER.fullmatch(word)).union(ids)
    conditions = {name: value for name, value in conditions.items() if value is not None}
    selection = Filter(numbers=numbers, event_ids=event_ids, **conditions)
    return Query(url, prefix, selection, as_json=format_ == "json")


def _require_filter_or_all(query: Query, all_: bool) -> None:
    """Refuse a command without filters unless `--all` is given, and filters beside `--all`."""
    from lightbus.event.dead_letter import Filter

    if (query.filter == Filter()) != all_:
        raise click.UsageError(
            "--all and filters exclude each other."
            if all_
            else "say which dead letters: numbers, ids, filters such as --listener NAME, or --all."
        )


_DRY_RUN = click.option("--dry-run", is_flag=True, help="Only list the selected dead letters.")
_ALL = click.option("--all", "all_", is_flag=True, help="All dead letters.")


@click.group("dead-letters")
def dead_letters() -> None:
    """List, show, replay or discard the events that listeners gave up.

    NAME and CLASS may be patterns with * and ?.
    """


@dead_letters.command("list")
@_filters
@click.option("--limit", type=click.IntRange(1), metavar="N", help="The latest N only.")
@click.option("--summary", is_flag=True, help="Count failures of the same kind.")
@server_options
def list_(limit: int | None, summary: bool, **options: Any) -> None:
    """List dead letters, the latest last."""
    from lightbus.cli.dead_letters.list_and_show import list_dead_letters

    sys.exit(list_dead_letters(_query(**options), limit, summary))


@dead_letters.command()
@click.argument("which", type=Text(), metavar="NUMBER|ID")
@server_options
def show(which: str, **options: Any) -> None:
    """Show a whole dead letter, with its event.

    NUMBER selects one; ID selects those of an event, which may have failed in several listeners.
    """
    from lightbus.cli.dead_letters.list_and_show import show_dead_letters

    sys.exit(show_dead_letters(_query(which=(which,), **options)))


@dead_letters.command()
@_filters
@_ALL
@_DRY_RUN
@click.option("--no-wait", is_flag=True, help="Do not wait for the listeners.")
@server_options
def replay(all_: bool, dry_run: bool, no_wait: bool, **options: Any) -> None:
    """Send dead letters to their listeners again.

    A replay reaches the listener that failed, and no other. Event and id stay the same, attempts start
    again, and the dead letter is removed when its event has been handled. Exits with 1 when any failed again or
    is not handled yet. Ctrl-C stops the waiting, not the replays.
    """
    query = _query(**options)
    _require_filter_or_all(query, all_)
    from lightbus.cli.dead_letters.list_and_show import list_dead_letters
    from lightbus.cli.dead_letters.replay_and_discard import replay_dead_letters

    sys.exit(
        list_dead_letters(query, dry_run="replay")
        if dry_run
        else replay_dead_letters(query, wait=not no_wait)
    )


@dead_letters.command()
@_filters
@_ALL
@_DRY_RUN
@click.option("--yes", is_flag=True, help="Do not ask.")
@server_options
def discard(all_: bool, dry_run: bool, yes: bool, **options: Any) -> None:
    """Remove dead letters for good."""
    query = _query(**options)
    _require_filter_or_all(query, all_)
    if not (dry_run or yes or sys.stdin.isatty()):
        raise click.UsageError("there is no terminal to ask for confirmation; pass --yes.")
    from lightbus.cli.dead_letters.list_and_show import list_dead_letters
    from lightbus.cli.dead_letters.replay_and_discard import discard_dead_letters

    sys.exit(
        list_dead_letters(query, dry_run="discard") if dry_run else discard_dead_letters(query, ask=not yes)
    )
