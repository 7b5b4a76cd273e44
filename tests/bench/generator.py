"""Measure the generator and its output: `make bench-generator`.

Every figure is measured from outside: a whole process, including its start. CPU time is the operating
system's account of the finished process, since a busy machine disturbs it less than wall time; the smallest
of several runs counts. The table in docs/benchmarks.md, the plot and a JSON file are rewritten.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.bench.report import machine, write_section

BIN = Path(sys.executable).parent
SIZES = (1, 100, 300, 1_000, 3_000, 10_000)
PER_API = 20
CACHE = "cache"  # beside the projects, as the generator uses none inside


@dataclass(frozen=True)
class Row:
    """One line of the table: the work, its wall and CPU time in seconds, and their target."""

    work: str
    wall: float
    cpu: float
    target: float | None
    base: float = 0.0
    """Wall time of a command whose cost does not count, such as `import nats`."""

    @property
    def counted(self) -> float:
        return self.wall - self.base


@dataclass(frozen=True)
class Timed:
    wall: float
    cpu: float


def project(folder: Path, events: int) -> Path:
    """Write a project with schemas like those of a shop: nested objects, formats, enums, options."""
    schemas = folder / "schemas"
    schemas.mkdir(parents=True)
    apis = max(1, events // PER_API)
    for number in range(apis):
        document = api(f"api{number}", events // apis)
        (schemas / f"api{number}.json").write_text(json.dumps(document, indent=2) + "\n")
    (folder / "pyproject.toml").write_text('[tool.lightbus-gen]\npackage = "shop_bus"\n')
    return folder


def earlier(folder: Path, changed: int) -> Path:
    """Write the schemas as they were before some events each lost an enum value and gained a field."""
    before = folder / f"before-{changed}"
    before.mkdir()
    for number, path in enumerate(sorted((folder / "schemas").iterdir())):
        document = json.loads(path.read_text())
        for index, event in enumerate(document["events"].values(), start=number * PER_API):
            if index < changed:
                event["parameters"]["properties"]["state"]["enum"].append("lost")
                del event["parameters"]["properties"]["note"]
        (before / path.name).write_text(json.dumps(document, indent=2) + "\n")
    return before


def api(name: str, events: int) -> dict[str, Any]:
    """Return the document of one API."""
    address = {
        "type": "object",
        "properties": {"street": {"type": "string"}, "city": {"type": "string"}, "zip": {"type": "string"}},
        "required": ["street", "city"],
        "additionalProperties": False,
    }
    properties = {
        "id": {"type": "string", "format": "uuid"},
        "customer": {"type": "string", "minLength": 1, "description": "Who ordered."},
        "created_at": {"type": "string", "format": "date-time"},
        "state": {"enum": ["open", "paid", "sent"]},
        "amount": {"type": "integer", "minimum": 0, "description": "In cents."},
        "tags": {"type": "array", "items": {"type": "string"}},
        "address": {"$ref": "#/$defs/Address"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
    }
    parameters = {
        "type": "object",
        "properties": properties,
        "required": [key for key in properties if key != "note"],
        "additionalProperties": False,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "lightbus": 1,
        "api": name,
        "description": "One of many.",
        "events": {
            f"event_{number}": {"description": f"Step {number} was taken.", "parameters": parameters}
            for number in range(events)
        },
        "$defs": {"Address": address},
    }


def timed(command: Sequence[str], folder: Path, runs: int, forgets: Sequence[str] = ()) -> Timed:
    """Run a command several times, removing some folders before each; return its smallest wall and CPU time."""
    walls, cpus = [], []
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["XDG_CACHE_HOME"] = str(folder.parent / CACHE)
    for _ in range(runs):
        for name in forgets:
            shutil.rmtree(folder / name, ignore_errors=True)
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, capture_output=True, env=environment)
        walls.append(time.perf_counter() - began)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return Timed(min(walls), min(cpus))


def python(code: str) -> list[str]:
    return [sys.executable, "-c", f"import sys; sys.path.insert(0, 'generated')\n{code}"]


def measure(runs: int) -> tuple[list[Row], dict[int, Timed]]:
    """Measure all work; return the table and the time to generate by number of events."""
    rows: list[Row] = []
    curve: dict[int, Timed] = {}
    generate, check = [str(BIN / "lightbus-gen"), "--quiet"], [str(BIN / "lightbus-gen"), "--check"]
    with tempfile.TemporaryDirectory() as name, Progress(transient=True) as progress:
        task = progress.add_task("measuring", total=len(SIZES) + 10)

        def row(work: str, found: Timed, target: float | None, base: Timed | None = None) -> None:
            rows.append(Row(work, found.wall, found.cpu, target, base.wall if base else 0.0))
            progress.advance(task)

        folders = {size: project(Path(name) / str(size), size) for size in SIZES}
        for size, folder in folders.items():
            curve[size] = timed(generate, folder, runs if size <= 1_000 else 1, ("generated", f"../{CACHE}"))
            progress.advance(task)
        one, many = folders[1], folders[1_000]
        row("generate 1 event", curve[1], 0.4)
        row("generate 1,000 events over 50 APIs", curve[1_000], 2.0)
        row("generate them again, with nothing changed", timed(generate, many, runs), 1.0)
        row("`--check` of 1,000 events", timed(check, many, runs), 1.0)
        for changed in (0, 100, 1_000):
            before = earlier(many, changed)
            compare = [str(BIN / "lightbus-gen"), "breaking", "--against", before.name]
            found = timed([*compare, "--except", "ENUM_VALUE_REMOVED"], many, runs)
            row(f"`breaking`: 1,000 events, {changed:,} changed", found, 3.0)
        mypy = [str(BIN / "mypy"), "--strict", f"--cache-dir={os.devnull}", "generated"]
        row("`mypy --strict` over 1,000 events, cold", timed(mypy, many, 1), 20.0)
        nats = timed(python("import nats"), one, runs)
        bus = "import nats, shop_bus, lightbus\nbus = lightbus.create(shop_bus.Bus, url='memory://')"
        row(
            "import a client of 1,000 events, beyond `import nats`",
            timed(python(bus), many, runs),
            0.15,
            nats,
        )
        row(
            "the same, and use one API of 20 events",
            timed(python(f"{bus}\nbus.api0"), many, runs),
            None,
            nats,
        )
    return rows, curve


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    table = Table("work", "wall s", "CPU s", "target s", "", title="lightbus-gen")
    for row in rows:
        holds = row.target is None or row.counted < row.target
        mark = "" if row.target is None else "[green]holds[/]" if holds else "[red]misses[/]"
        target = "" if row.target is None else f"{row.target:g}"
        table.add_row(row.work, f"{row.counted:.2f}", f"{row.cpu:.2f}", target, mark)
    Console().print(table)


def markdown(rows: Sequence[Row], curve: dict[int, Timed]) -> str:
    """Render the table for docs/benchmarks.md."""
    lines = [f"Measured on {machine()}.", "", "| work | wall | CPU | target |", "|---|---|---|---|"]
    for row in rows:
        target = "" if row.target is None else f"< {row.target:g} s"
        lines.append(f"| {row.work} | {row.counted:.2f} s | {row.cpu:.2f} s | {target} |")
    lines += ["", "| events | wall | per event |", "|---|---|---|"]
    for size, found in curve.items():
        lines.append(f"| {size:,} | {found.wall:.2f} s | {found.wall / size * 1000:.2f} ms |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print the table, and write it to the documentation."""
    rows, curve = measure(runs=5)
    show(rows)
    facts = {
        "machine": machine(),
        "rows": [asdict(row) for row in rows],
        "curve": {size: asdict(found) for size, found in curve.items()},
    }
    write_section("generator", markdown(rows, curve), facts)


if __name__ == "__main__":
    main()
