"""Tables for people: aligned columns, control characters escaped, lines cut at the terminal's edge."""

from __future__ import annotations

import shutil
import sys
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

import click

from lightbus.cli.terminal.console import print_output
from lightbus.foreign import escaped

_T = TypeVar("_T")
_PAGE = 1000  # rows that are aligned with each other, so that any number of rows takes the same memory


class PagedTable:
    """Prints rows on standard output in aligned pages, below one heading.

    Args:
        columns: the heading.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns, self._width = columns, terminal_width()
        self._rows: list[Sequence[str]] = []
        self._has_heading = False

    def add(self, row: Sequence[str]) -> None:
        """Add a row, and print the page when it is full."""
        self._rows.append(row)
        if len(self._rows) == _PAGE:
            self.flush()

    def flush(self) -> None:
        """Print the rows that have not been printed yet."""
        if self._rows:
            lines = aligned([self._columns, *self._rows], self._width)
            print_output("\n".join(lines[1:] if self._has_heading else lines))
            self._rows, self._has_heading = [], True


def print_table(rows: Sequence[Sequence[str]], colours: Sequence[str | None] = ()) -> None:
    """Print a table on standard output; see `aligned`."""
    print_output("\n".join(aligned(rows, terminal_width(), colours)))


def aligned(
    rows: Sequence[Sequence[str]], width: int | None, colours: Sequence[str | None] = ()
) -> list[str]:
    """Return one line for each row, the first one as a heading.

    Args:
        rows: cells, the same number in each row.
        width: columns of the terminal, at which lines are cut; None for whole lines.
        colours: names of the colours of the lines below the heading.
    """
    from rich.cells import cell_len, set_cell_size

    cells = [[escaped(cell) for cell in row] for row in rows]
    widths = [max(cell_len(row[column]) for row in cells) for column in range(len(cells[0]) - 1)]
    lines = []
    for row in cells:
        padded = [set_cell_size(cell, size) for cell, size in zip(row[:-1], widths, strict=True)]
        line = "  ".join([*padded, row[-1]]).rstrip()
        if width is not None and cell_len(line) > width:
            line = set_cell_size(line, width - 1).rstrip() + "…"
        lines.append(line)
    coloured = [click.style(line, fg=colour) for line, colour in zip(lines[1:], colours, strict=False)]
    return [click.style(lines[0], bold=True), *coloured, *lines[1 + len(coloured) :]]


def terminal_width() -> int | None:
    """Return the columns of the terminal, None when standard output is not one."""
    return shutil.get_terminal_size().columns if sys.stdout is not None and sys.stdout.isatty() else None


async def latest(items: AsyncIterator[_T], limit: int | None) -> AsyncIterator[_T]:
    """Yield the last `limit` items; all of them, as they come, when it is None."""
    last: deque[_T] = deque(maxlen=limit)
    async for item in items:
        if limit is None:
            yield item
        else:
            last.append(item)
    for item in last:
        yield item
