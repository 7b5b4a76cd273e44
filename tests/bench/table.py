"""The table: rows with their targets, for a terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from tests.bench.measure import Bound, Spread


@dataclass(frozen=True)
class Row:
    """One line.

    Attributes:
        work: what was measured.
        ours: the figure of Lightbus, with its unit.
        against: the other contender, and its figure.
        found: the value that the target applies to; None if it was not measured.
        bound: the target; None for a comparison without one.
        reason: why it was not measured.
    """

    work: str
    ours: str = ""
    against: str = ""
    found: Spread | None = None
    bound: Bound | None = None
    unit: str = "x"
    reason: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the target is met; None without a target."""
        if self.found is None or self.bound is None:
            return None
        return self.bound.holds(self.found.median)

    @property
    def value(self) -> str:
        """The value with its spread."""
        if self.found is None:
            return "not measured"
        gap = "" if self.unit in ("x", "%") else " "
        text = f"{number(self.found.median)}{gap}{self.unit}"
        if self.found.low == self.found.high:
            return text
        return f"{text} ({number(self.found.low)} to {number(self.found.high)})"

    @property
    def verdict(self) -> str:
        """One word."""
        if self.found is None:
            return "skipped"
        return {True: "holds", False: "misses", None: ""}[self.holds]

    def facts(self) -> dict[str, Any]:
        """Return the row for programs."""
        found = self.found and {"median": self.found.median, "low": self.found.low, "high": self.found.high}
        return {
            "work": self.work,
            "ours": self.ours,
            "against": self.against,
            "value": found,
            "unit": self.unit,
            "target": str(self.bound or ""),
            "verdict": self.verdict,
            "reason": self.reason,
        }


def number(value: float) -> str:
    """Format a number with three significant digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def show(rows: Sequence[Row]) -> Table:
    """Render the table for a terminal."""
    table = Table("work", "Lightbus", "against", "found", "target", "", title="lightbus", show_lines=False)
    colours = {"holds": "green", "misses": "red", "skipped": "yellow", "": "white"}
    for row in rows:
        verdict = f"[{colours[row.verdict]}]{row.verdict}[/]"
        against = row.against + (f" [yellow]{row.reason}[/]" if row.reason else "")
        table.add_row(row.work.replace("`", ""), row.ours, against, row.value, str(row.bound or ""), verdict)
    return table


def markdown(rows: Sequence[Row]) -> list[str]:
    """Render the table as lines of Markdown."""
    lines = ["| work | Lightbus | against | found | target | |", "|---|---|---|---|---|---|"]
    for row in rows:
        verdict = f"**{row.verdict}**" if row.verdict == "misses" else row.verdict
        against = row.against + (f" ({row.reason})" if row.reason else "")
        lines.append(f"| {row.work} | {row.ours} | {against} | {row.value} | {row.bound or ''} | {verdict} |")
    return lines
