"""The results of the benchmarks: a section of docs/benchmarks.md, and its figures as JSON."""

from __future__ import annotations

import json
import os
import platform
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"


def machine() -> str:
    """Describe the machine of the measurement."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def packages(*names: str) -> dict[str, str]:
    """Return the versions of the measured packages."""
    return {name: version(name) for name in names}


def write_section(name: str, text: str, facts: dict[str, Any]) -> None:
    """Replace the text between the markers of a section in docs/benchmarks.md, and write the JSON file.

    Args:
        name: of the section, `<!-- NAME -->` to `<!-- end of NAME -->`.
        text: Markdown.
        facts: the same figures, for programs.
    """
    page = DOCS / "benchmarks.md"
    marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    page.write_text(marked.sub(lambda found: f"{found[1]}{text}\n{found[2]}", page.read_text()))
    folder = DOCS / "benchmarks"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(facts, indent=2) + "\n")
