"""What the commands of `lightbus dead-letters` do, from the connection to the last line.

Facts about dead letters go to standard output, everything else to standard error.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import click

from lightbus import naming
from lightbus.cli.dead_letters import replay as replaying
from lightbus.cli.dead_letters import written
from lightbus.cli.dead_letters.replay import Outcome, Replayed
from lightbus.cli.dead_letters.target import Target
from lightbus.cli.terminal.signals import first_signal, unless
from lightbus.cli.terminal.tables import shown, terminal_width
from lightbus.errors import UsageError
from lightbus.event.dead_letter import DeadLetter
from lightbus.jetstream import JetStreamTransport
from lightbus.transport import DeadLetters

OK, FAILED, INTERRUPTED = 0, 1, 130
_PAGE = 1000  # lines of a table that are lined up with each other, so that any length takes the same memory


def list_letters(target: Target, limit: int | None = None, summary: bool = False, *, doing: str = "") -> int:
    """List dead letters; with `doing`, as those that something would be done to.

    Returns:
        The exit code: 1 when one that was named is not there.
    """
    return asyncio.run(_list(target, limit, summary, doing))


async def _list(target: Target, limit: int | None, summary: bool, doing: str) -> int:
    found, counts, page = _Found(target), written.Summary(), list[DeadLetter]()
    async with _opened(target) as store:
        async for letter in _latest(found.search(store), limit):
            if summary:
                counts.add(letter)
            elif target.as_json:
                _json(written.facts(letter) | ({"outcome": f"would {doing}"} if doing else {}))
            else:
                page.append(letter)
                if len(page) == _PAGE:
                    _table(written.table(page, terminal_width()))
                    page.clear()
    if summary and target.as_json:
        for facts in counts.facts():
            _json(facts)
    elif summary and found.count:
        _table(counts.table(terminal_width()))
    elif page:
        _table(written.table(page, terminal_width()))
    if doing:
        _say(f"{found.told} would be {doing}ed")
    else:
        latest = f"the latest {limit:,} of " if limit is not None and found.count > limit else ""
        _say(f"{latest}{found.told} in {naming.dead_letter_stream(target.prefix)}")
    return found.report_missing()


async def _latest(letters: AsyncIterator[DeadLetter], limit: int | None) -> AsyncIterator[DeadLetter]:
    """Pass on the last ones, or all of them as they come, without what takes memory."""
    last: deque[DeadLetter] = deque(maxlen=limit)
    async for letter in letters:
        if limit is None:
            yield replaying.light(letter)
        else:
            last.append(replaying.light(letter))
    for letter in last:
        yield letter


def show_letters(target: Target) -> int:
    """Show the one dead letter of a number, or all of an event's id; returns the exit code.

    Raises:
        UsageError: there is none.
    """
    return asyncio.run(_show(target))


async def _show(target: Target) -> int:
    found = False
    async with _opened(target) as store:
        replayed = await store.replaying()
        async for letter in store.find(target.wanted):
            if target.as_json:
                _json(written.full_facts(letter) | {"is_replayed": letter.number in replayed})
            else:
                click.echo(("\n" if found else "") + written.full(letter))
                if letter.number in replayed:
                    _say("a replay of it waits for its listener or is in its hands")
            found = True
    if not found:
        (name,) = target.wanted.numbers or target.wanted.event_ids
        raise UsageError(
            f"there is no dead letter {name} in {naming.dead_letter_stream(target.prefix)}.\n"
            "It has been handled or discarded, or its event failed again and has a new number."
            " See: lightbus dead-letters list"
        )
    return OK


def replay_letters(target: Target, *, wait: bool) -> int:
    """Replay dead letters, and unless told otherwise wait for what becomes of them.

    Returns:
        The exit code: 0 when all were handled or, without waiting, sent; 1 when not.
    """
    outcomes: Counter[Outcome] = Counter()
    found = _Found(target)
    sent = 0

    async def work() -> None:
        async with _opened(target) as store:
            letters = found.search(store)
            with _progress("replaying", wait) as (enlarge, advance):

                def note(count: int) -> None:
                    nonlocal sent
                    sent += count
                    enlarge(count)

                replays = (
                    replaying.send_and_watch(store, letters, note) if wait else replaying.send(store, letters)
                )
                async for replayed in replays:
                    outcomes[replayed.outcome] += 1
                    advance(1)
                    _tell(replayed, target)

    async def work_unless_interrupted() -> bool:
        return await unless(first_signal(), work())

    if not asyncio.run(work_unless_interrupted()):
        _say(_interrupted(sent, outcomes))
        return INTERRUPTED
    _say(_counts(outcomes) or f"{found.told} replayed")
    code = found.report_missing()
    return code if outcomes.total() == outcomes[Outcome.HANDLED] + outcomes[Outcome.SENT] else FAILED


def discard_letters(target: Target, *, ask: bool) -> int:
    """Remove dead letters for good.

    Returns:
        The exit code: 1 when the user says no, or one that was named is not there.
    """
    found = _Found(target)

    async def find() -> list[DeadLetter]:
        async with _opened(target) as store:
            return [letter async for letter in _latest(found.search(store), None)]

    async def work() -> list[DeadLetter]:
        async with _opened(target) as store:
            with _progress("discarding", True) as (enlarge, advance):
                enlarge(len(letters))
                return await replaying.discard(store, letters, advance)

    letters = asyncio.run(find())
    if letters and ask and not click.confirm(f"Discard {_number(len(letters))} for good?", err=True):
        _say("nothing was discarded")
        return FAILED
    gone = asyncio.run(work()) if letters else []
    if target.as_json:
        for letter in gone:
            _json(written.facts(letter) | {"outcome": "discarded"})
    _say(f"{_number(len(gone)) if letters else found.told} discarded")
    return found.report_missing()


# -- the server --------------------------------------------------------------------------------------


@asynccontextmanager
async def _opened(target: Target) -> AsyncIterator[DeadLetters]:
    transport = JetStreamTransport(target.url, service_name="", prefix=target.prefix, given="--url")
    await transport.connect()
    try:
        yield transport.dead_letters
    finally:
        await transport.close()


class _Found:
    """Counts the dead letters that are found, and notices which of those that were named are not there."""

    def __init__(self, target: Target) -> None:
        self.count = 0
        self._others = 0  # when none is found
        self._prefix, self._wanted = target.prefix, target.wanted
        self._named: set[str | int] = {*target.wanted.numbers, *target.wanted.event_ids}

    async def search(self, store: DeadLetters) -> AsyncIterator[DeadLetter]:
        """Go through those that are meant."""
        async for letter in store.find(self._wanted):
            self.count += 1
            self._named -= {letter.number, letter.event_id}
            yield letter
        if not self.count:
            self._others = await store.count()

    @property
    def told(self) -> str:
        """How many were found; when none, of how many."""
        return f"0 of {_number(self._others)}" if self._others else _number(self.count)

    def report_missing(self) -> int:
        """Tell of those that did not come, and return the exit code."""
        for name in sorted(self._named, key=str):
            _say(f"there is no such dead letter {name} in {naming.dead_letter_stream(self._prefix)}")
        return FAILED if self._named else OK


# -- the terminal ------------------------------------------------------------------------------------


def _tell(replayed: Replayed, target: Target) -> None:
    """Report one replay; those that went well are only counted, for people."""
    letter, outcome = replayed.letter, replayed.outcome
    if target.as_json:
        _json(written.facts(letter) | {"outcome": outcome.value, "new_number": replayed.number or None})
        return
    became = {
        Outcome.FAILED: f"failed again, and has the number {replayed.number} now",
        Outcome.WAITING: f"waits: nobody is listening as {letter.place.listener}",
        Outcome.STAYS: "stays, though its replay has ended: may the service remove it? See its log",
    }.get(outcome)
    if became is not None:
        click.echo(f"{letter.number}  {letter.event or '?'}  {shown(letter.event_id) or '?'}  {became}")


def _counts(outcomes: Counter[Outcome]) -> str:
    words = {
        Outcome.SENT: "sent",
        Outcome.HANDLED: "handled",
        Outcome.FAILED: "failed again",
        Outcome.WAITING: "waiting for a listener",
        Outcome.STAYS: "staying",
    }
    told = [f"{outcomes[outcome]:,} {word}" for outcome, word in words.items() if outcomes[outcome]]
    return ", ".join(told)


def _interrupted(sent: int, outcomes: Counter[Outcome]) -> str:
    """Say what is known of replays: of those that are waited for, the number that was sent counts them all."""
    settled = Counter(outcomes)
    sent += settled.pop(Outcome.SENT, 0)
    so_far = f", {_counts(settled)} so far" if settled else ""
    return f"interrupted; {sent:,} sent{so_far}. What was sent goes to its listeners all the same."


@contextmanager
def _progress(doing: str, shown: bool) -> Iterator[tuple[Callable[[int], None], Callable[[int], None]]]:
    """Show a bar on a terminal; yields what enlarges the work, and what reports some of it done."""
    if not (shown and sys.stderr.isatty()):
        yield (lambda _: None), (lambda _: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty()
    ) as progress:
        task = progress.add_task(doing, total=0)

        def enlarge(count: int) -> None:
            progress.update(task, total=(progress.tasks[0].total or 0) + count)

        yield enlarge, lambda count: progress.advance(task, count)


def _table(lines: list[str]) -> None:
    click.echo("\n".join(lines))


def _json(facts: dict[str, Any]) -> None:
    click.echo(json.dumps(facts, ensure_ascii=False))


def _say(text: str) -> None:
    click.echo(text, err=True)


def _number(count: int) -> str:
    return f"{count:,} dead letter{'' if count == 1 else 's'}"
