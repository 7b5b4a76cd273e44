"""The plots of docs/benchmarks.md, drawn from the figures of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib  # pyright: ignore[reportMissingImports] - the environment of `make bench` has it

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # pyright: ignore[reportMissingImports]

_OURS, _OTHER = "#2b6cb0", "#a0aec0"
plt.rcParams |= {
    "figure.dpi": 100,
    "savefig.bbox": "tight",
    "svg.hashsalt": "lightbus",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 10,
}


def _save(folder: Path, name: str) -> None:
    plt.savefig(folder / f"{name}.svg", metadata={"Date": None})
    plt.close()


def bars(folder: Path, name: str, title: str, rates: Mapping[str, tuple[float, float, float]]) -> None:
    """Draw events per second by contender, with the smallest and largest round."""
    names = list(rates)[::-1]
    middle = [rates[each][0] for each in names]
    spread = [
        [rates[each][0] - rates[each][1] for each in names],
        [rates[each][2] - rates[each][0] for each in names],
    ]
    colours = [_OURS if each.startswith("Lightbus") and "Redis" not in each else _OTHER for each in names]
    plt.figure(figsize=(7, 0.45 * len(names) + 0.9))
    plt.barh(names, middle, xerr=spread, color=colours, error_kw={"lw": 1, "ecolor": "#4a5568"})
    for place, value in enumerate(middle):
        plt.text(value, place + 0.28, f" {value:,.0f}", fontsize=8)
    plt.title(title)
    plt.xlabel("events a second")
    _save(folder, name)


def curve(
    folder: Path,
    name: str,
    title: str,
    axes: tuple[str, str],
    lines: Mapping[str, Mapping[str, float]],
    *,
    log: bool,
) -> None:
    """Draw curves over a size."""
    plt.figure(figsize=(7, 3.4))
    for label, points in lines.items():
        sizes = [float(size) for size in points]
        style = "-" if label.startswith("Lightbus") else "--"
        plt.plot(sizes, list(points.values()), style, marker="o", markersize=4, label=label)
    if log:
        plt.xscale("log")
        plt.yscale("log")
    else:
        plt.ylim(bottom=0)
    plt.title(title)
    plt.xlabel(axes[0])
    plt.ylabel(axes[1])
    if len(lines) > 1:
        plt.legend(frameon=False)
    plt.grid(alpha=0.3)
    _save(folder, name)


def distribution(folder: Path, name: str, title: str, times: Mapping[str, Sequence[float]]) -> None:
    """Draw which share of events was handled within which time."""
    plt.figure(figsize=(7, 3.4))
    for label, values in times.items():
        ordered = sorted(values)
        shares = [(place + 1) / len(ordered) * 100 for place in range(len(ordered))]
        plt.plot(ordered, shares, "-" if label.startswith("Lightbus") else "--", label=label)
    plt.xscale("log")
    plt.title(title)
    plt.xlabel("µs")
    plt.ylabel("% of events")
    plt.legend(frameon=False)
    plt.grid(alpha=0.3, which="both")
    _save(folder, name)


def catching_up(folder: Path, name: str, facts: Mapping[str, Any]) -> None:
    """Draw the events handled, and the memory, over time."""
    _, left = plt.subplots(figsize=(7, 3.4))
    left.plot(facts["seconds"], facts["handled"], color=_OURS)
    left.set_xlabel("s")
    left.set_ylabel("events handled", color=_OURS)
    right = left.twinx()
    right.plot(facts["seconds"], facts["rss"], color="#c05621")
    right.set_ylim(bottom=0)
    right.set_ylabel("resident memory, MiB", color="#c05621")
    left.set_title("A new listener catches up")
    _save(folder, name)
