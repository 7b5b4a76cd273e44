"""`lightbus dead-letters`: look at events that were given up, replay them, discard them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from lightbus.cli.dead_letters.target import Target
from lightbus.cli.terminal.moments import Moment
from lightbus.cli.terminal.options import Command, decorated, where_and_how

if TYPE_CHECKING:
    pass


def _filters(command: Command) -> Command:
    """Add the options that say which dead letters are meant; several must all hold."""
    return decorated(
        command,
        click.argument("which", nargs=-1, metavar="[NUMBER|ID]..."),
        click.option("--listener", default="", metavar="NAME", help="Of this listener, as mailer-welcome."),
        click.option("--event", default="", metavar="NAME", help="Of this event, as auth.user_created."),
        click.option("--error", default="", metavar="CLASS", help="With this error, as KeyError."),
        click.option(
            "--id", "ids", multiple=True, metavar="ID", help="Of the event with this id. Repeatable."
        ),
        click.option("--since", type=Moment(), help="Failed at this time or later: 2026-11-23T09:30, 2h."),
        click.option("--until", type=Moment(), help="Failed before this time."),
    )


def _target(
    url: str | None,
    prefix: str,
    format_: str,
    which: tuple[str, ...],
    ids: tuple[str, ...] = (),
    **conditions: Any,
) -> Target:
    from lightbus.event.dead_letter import Filter

    numbers = frozenset(int(word) for word in which if word.isdecimal())
    event_ids = frozenset(word for word in which if not word.isdecimal()).union(ids)
    wanted = Filter(numbers=numbers, event_ids=event_ids, **conditions)
    return Target(url, prefix, wanted, format_ == "json")


def _some_or_all(target: Target, everything: bool) -> None:
    """Make sure that all dead letters are meant only when the user says so."""
    from lightbus.event.dead_letter import Filter

    if (target.wanted == Filter()) != everything:
        raise click.UsageError(
            "--all and filters exclude each other."
            if everything
            else "say which dead letters: numbers, ids, filters such as --listener NAME, or --all."
        )


_DRY_RUN = click.option("--dry-run", is_flag=True, help="Only list what it would be done to.")
_ALL = click.option("--all", "everything", is_flag=True, help="All dead letters.")


@click.group("dead-letters")
def dead_letters() -> None:
    """Look at the events that listeners gave up, replay them, discard them.

    NAME and CLASS may be patterns with * and ?.
    """


@dead_letters.command("list")
@_filters
@click.option("--limit", type=click.IntRange(1), metavar="N", help="The latest N only.")
@click.option("--summary", is_flag=True, help="Count failures of the same kind.")
@where_and_how
def list_(limit: int | None, summary: bool, **options: Any) -> None:
    """List dead letters, the latest last."""
    from lightbus.cli.dead_letters.actions import list_letters

    sys.exit(list_letters(_target(**options), limit, summary))


@dead_letters.command()
@click.argument("which", metavar="NUMBER|ID")
@where_and_how
def show(which: str, **options: Any) -> None:
    """Show a dead letter whole, with its event.

    Its number finds it, or the id of its event, which may have failed in several listeners.
    """
    from lightbus.cli.dead_letters.actions import show_letters

    sys.exit(show_letters(_target(which=(which,), **options)))


@dead_letters.command()
@_filters
@_ALL
@_DRY_RUN
@click.option("--no-wait", is_flag=True, help="Do not wait for the listeners.")
@where_and_how
def replay(everything: bool, dry_run: bool, no_wait: bool, **options: Any) -> None:
    """Send dead letters to their listeners again.

    A replay reaches the listener that failed, and no other. Event and id stay the same, attempts start
    again, and the dead letter goes when its event has been handled. Exits with 1 when any failed again or
    is not handled yet. Ctrl-C stops the waiting, not the replays.
    """
    target = _target(**options)
    _some_or_all(target, everything)
    from lightbus.cli.dead_letters.actions import list_letters, replay_letters

    sys.exit(list_letters(target, doing="replay") if dry_run else replay_letters(target, wait=not no_wait))


@dead_letters.command()
@_filters
@_ALL
@_DRY_RUN
@click.option("--yes", is_flag=True, help="Do not ask.")
@where_and_how
def discard(everything: bool, dry_run: bool, yes: bool, **options: Any) -> None:
    """Remove dead letters for good."""
    target = _target(**options)
    _some_or_all(target, everything)
    if not (dry_run or yes or sys.stdin.isatty()):
        raise click.UsageError("nobody can be asked whether to discard them; say --yes.")
    from lightbus.cli.dead_letters.actions import discard_letters, list_letters

    sys.exit(list_letters(target, doing="discard") if dry_run else discard_letters(target, ask=not yes))
