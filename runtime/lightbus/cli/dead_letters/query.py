"""Which dead letters a command selects, and the search for them on the server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from lightbus import naming
from lightbus.cli.terminal.console import print_message
from lightbus.event.dead_letter import DeadLetter, Filter
from lightbus.foreign import escaped
from lightbus.jetstream import JetStreamTransport
from lightbus.transport import DeadLetters

OK, FAILED = 0, 1


@dataclass(frozen=True, slots=True)
class Query:
    """Which dead letters a command selects, on which server, and how it answers.

    Attributes:
        url: the server's address; None looks it up.
        prefix: first token of the bus's streams.
        filter: which dead letters.
        as_json: whether to write one JSON object a line.
    """

    url: str | None = field(repr=False)  # it may hold a password
    prefix: str
    filter: Filter
    as_json: bool

    @property
    def stream(self) -> str:
        """Name of the stream of dead letters."""
        return naming.dead_letter_stream(self.prefix)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[DeadLetters]:
        """Connect to the server for a while."""
        transport = JetStreamTransport(self.url, service_name="", prefix=self.prefix, origin="--url")
        await transport.connect()
        try:
            yield transport.dead_letters
        finally:
            await transport.close()


class Search:
    """Reads the selected dead letters, counts them, and remembers which numbers and ids are missing."""

    def __init__(self, query: Query) -> None:
        self.count = 0
        self._query = query
        self._total = 0  # of the stream, when none is selected
        self._missing: set[str | int] = {*query.filter.numbers, *query.filter.event_ids}

    async def run(self, store: DeadLetters) -> AsyncIterator[DeadLetter]:
        """Yield the selected dead letters, oldest first."""
        async for dead_letter in store.find(self._query.filter):
            self.count += 1
            self._missing -= {dead_letter.number, dead_letter.event_id}
            yield dead_letter
        if not self.count:
            self._total = await store.count()

    @property
    def result(self) -> str:
        """`3 dead letters`; `0 of 3 dead letters` when none of those on the server is selected."""
        return f"0 of {counted(self._total)}" if self._total else counted(self.count)

    def report_missing(self) -> int:
        """Print the numbers and ids that were not found, and return the exit code."""
        for name in sorted(self._missing, key=str):
            print_message(f"there is no such dead letter {escaped(str(name))} in {self._query.stream}")
        return FAILED if self._missing else OK


def counted(count: int) -> str:
    """Return `1 dead letter`, `2 dead letters`."""
    return f"{count:,} dead letter{'' if count == 1 else 's'}"
