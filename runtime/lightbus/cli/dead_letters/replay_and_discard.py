"""`lightbus dead-letters replay` and `discard`.

The outcome of each dead letter is printed on standard output, everything else on standard error.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import click

from lightbus import replay
from lightbus.cli.dead_letters import display
from lightbus.cli.dead_letters.query import FAILED, Query, Search, counted
from lightbus.cli.terminal.console import print_json, print_message, print_output, progress_bar
from lightbus.cli.terminal.signals import run_until_signal
from lightbus.event.dead_letter import DeadLetter
from lightbus.foreign import escaped
from lightbus.replay import Replayed, ReplayOutcome

INTERRUPTED = 130


def replay_dead_letters(query: Query, *, wait: bool) -> int:
    """Replay dead letters, and with `wait` wait for the outcomes.

    Returns:
        The exit code: 0 when all were handled or, without waiting, sent; otherwise 1.
    """
    outcomes: Counter[ReplayOutcome] = Counter()
    search = Search(query)
    sent = 0

    async def work() -> None:
        async with query.connected() as store:
            with progress_bar("replaying", visible=wait) as (enlarge, advance):

                def count_sent(count: int) -> None:
                    nonlocal sent
                    sent += count
                    enlarge(count)

                async for replayed in replay.replay(store, search.run(store), count_sent, wait=wait):
                    outcomes[replayed.outcome] += 1
                    advance(1)
                    _print_replayed(replayed, as_json=query.as_json)

    if not run_until_signal(work()):
        print_message(_interrupted(sent, outcomes))
        return INTERRUPTED
    print_message(_counts(outcomes) or f"{search.result} replayed")
    code = search.report_missing()
    succeeded = outcomes[ReplayOutcome.HANDLED] + outcomes[ReplayOutcome.SENT]
    return code if outcomes.total() == succeeded else FAILED


def discard_dead_letters(query: Query, *, ask: bool) -> int:
    """Remove dead letters for good.

    Returns:
        The exit code: 1 when the user says no, or when a number or id is missing.
    """
    search = Search(query)

    async def find() -> list[DeadLetter]:
        async with query.connected() as store:
            return [dead_letter.without_event() async for dead_letter in search.run(store)]

    async def discard() -> list[DeadLetter]:
        async with query.connected() as store:
            with progress_bar("discarding") as (enlarge, advance):
                enlarge(len(dead_letters))
                return await replay.discard(store, dead_letters, advance)

    dead_letters = asyncio.run(find())
    if (
        dead_letters
        and ask
        and not click.confirm(f"Discard {counted(len(dead_letters))} for good?", err=True)
    ):
        print_message("nothing was discarded")
        return FAILED
    discarded = asyncio.run(discard()) if dead_letters else []
    if query.as_json:
        for dead_letter in discarded:
            print_json(display.facts(dead_letter) | {"outcome": "discarded"})
    print_message(f"{counted(len(discarded)) if dead_letters else search.result} discarded")
    return search.report_missing()


def _print_replayed(replayed: Replayed, *, as_json: bool) -> None:
    """Print the outcome of one replay. Successes are printed as JSON only; people get their count."""
    dead_letter, outcome = replayed.dead_letter, replayed.outcome
    if as_json:
        facts = {"outcome": outcome.value, "new_number": replayed.new_number or None}
        print_json(display.facts(dead_letter) | facts)
        return
    text = {
        ReplayOutcome.FAILED: f"failed again; now dead letter {replayed.new_number}",
        ReplayOutcome.WAITING: f"waits: nobody is listening as {dead_letter.place.listener}",
        ReplayOutcome.STAYS: "stays, although its replay has ended: is the service allowed to delete it? See its log",
        ReplayOutcome.UNREADABLE: f"not replayed: {dead_letter.problem}",
    }.get(outcome)
    if text is not None:
        event, event_id = dead_letter.event or "?", dead_letter.event_id or "?"
        print_output(escaped(f"{dead_letter.number}  {event}  {event_id}  {text}"))


def _counts(outcomes: Counter[ReplayOutcome]) -> str:
    words = {
        ReplayOutcome.SENT: "sent",
        ReplayOutcome.HANDLED: "handled",
        ReplayOutcome.FAILED: "failed again",
        ReplayOutcome.WAITING: "waiting for a listener",
        ReplayOutcome.STAYS: "staying",
        ReplayOutcome.UNREADABLE: "unreadable",
    }
    return ", ".join(f"{outcomes[outcome]:,} {word}" for outcome, word in words.items() if outcomes[outcome])


def _interrupted(sent: int, outcomes: Counter[ReplayOutcome]) -> str:
    """Describe an unfinished command. `sent` includes the replays whose outcome is known."""
    settled = Counter(outcomes)
    del settled[ReplayOutcome.SENT]
    so_far = f", {_counts(settled)} so far" if settled else ""
    return f"interrupted; {sent:,} sent{so_far}. What was sent still reaches its listeners."
