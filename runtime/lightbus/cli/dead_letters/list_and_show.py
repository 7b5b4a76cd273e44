"""`lightbus dead-letters list` and `show`.

Dead letters are printed on standard output, everything else on standard error.
"""

from __future__ import annotations

import asyncio

from lightbus.cli.dead_letters import display
from lightbus.cli.dead_letters.query import OK, Query, Search, counted
from lightbus.cli.terminal.console import print_json, print_message, print_output
from lightbus.cli.terminal.tables import PagedTable, latest, print_table
from lightbus.errors import UsageError
from lightbus.foreign import escaped


def list_dead_letters(
    query: Query, limit: int | None = None, summary: bool = False, *, dry_run: str = ""
) -> int:
    """List dead letters.

    Args:
        query: selects them.
        limit: how many of the latest; None for all.
        summary: whether to count failures of the same kind instead.
        dry_run: the command that would be carried out on them, `replay` or `discard`.

    Returns:
        The exit code: 1 when a number or id is missing.
    """
    return asyncio.run(_list(query, limit, summary, dry_run))


async def _list(query: Query, limit: int | None, summary: bool, dry_run: str) -> int:
    search, kinds, table = Search(query), display.Summary(), PagedTable(display.COLUMNS)
    unreadable = 0
    async with query.connected() as store:
        listed = (dead_letter.without_event() async for dead_letter in search.run(store))
        async for dead_letter in latest(listed, limit):
            is_skipped = dry_run == "replay" and dead_letter.problem != ""
            unreadable += is_skipped
            if summary:
                kinds.add(dead_letter)
            elif query.as_json:
                outcome = "unreadable" if is_skipped else f"would {dry_run}"
                print_json(display.facts(dead_letter) | ({"outcome": outcome} if dry_run else {}))
            else:
                table.add(display.row(dead_letter))
    table.flush()
    if summary and query.as_json:
        for facts in kinds.facts():
            print_json(facts)
    elif summary and search.count:
        print_table([display.SUMMARY_COLUMNS, *kinds.rows()])
    if dry_run:
        rest = f"; {unreadable:,} unreadable, see: lightbus dead-letters show NUMBER" if unreadable else ""
        result = counted(search.count - unreadable) if unreadable else search.result
        print_message(f"{result} would be {dry_run}ed{rest}")
    else:
        part = f"the latest {limit:,} of " if limit is not None and search.count > limit else ""
        print_message(f"{part}{search.result} in {query.stream}")
    return search.report_missing()


def show_dead_letters(query: Query) -> int:
    """Show the dead letter of a number, or all of an event's id; returns the exit code.

    Raises:
        UsageError: there is none.
    """
    return asyncio.run(_show(query))


async def _show(query: Query) -> int:
    count = 0
    async with query.connected() as store:
        replaying = await store.replaying()
        async for dead_letter in store.find(query.filter):
            is_replayed = dead_letter.key in replaying
            if query.as_json:
                print_json(display.full_facts(dead_letter) | {"is_replayed": is_replayed})
            else:
                print_output(("\n" if count else "") + display.full(dead_letter))
                if is_replayed:
                    print_message("a replay of it waits for its listener or is being handled")
            count += 1
    if not count:
        (name,) = query.filter.numbers or query.filter.event_ids
        raise UsageError(
            f"there is no dead letter {escaped(str(name))} in {query.stream}.\n"
            "It has been handled or discarded, or its event failed again and has a new number."
            " See: lightbus dead-letters list"
        )
    return OK
