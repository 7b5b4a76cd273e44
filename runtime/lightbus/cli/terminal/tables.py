"""Tables for people: columns lined up, control characters escaped, lines cut at a terminal's edge."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

import click


def aligned(
    rows: Sequence[Sequence[str]], width: int | None, colours: Sequence[str | None] = ()
) -> list[str]:
    """Write rows as lines, the first one as a heading.

    Args:
        rows: cells, as many in each row.
        width: columns of the terminal, at which lines are cut; None for whole lines.
        colours: of the lines below the heading, by name; none when left out.
    """
    from rich.cells import cell_len, set_cell_size

    cells = [[shown(cell) for cell in row] for row in rows]
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
    """Return the columns of the terminal, None when the output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def shown(text: str) -> str:
    """Escape what is not printable."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
