"""mypy --strict and pyright strict over one folder, one process each: their messages, by file and line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

Findings = dict[str, dict[int, str]]
_MYPY_LINE = re.compile(r"(?P<path>[^:]+):(?P<line>\d+): error: (?P<message>.*)")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What both checkers report about a folder, as messages by line by file."""

    mypy: Findings
    pyright: Findings


def check(folder: Path, *, deprecated: bool = False) -> Verdict:
    """Run both checkers over all Python files of a folder, at the same time; with `deprecated`, they report
    deprecations.
    """
    settings = {"include": ["."], "typeCheckingMode": "strict"} | (
        {"reportDeprecated": "error"} if deprecated else {}
    )
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    more = ["--enable-error-code", "deprecated"] if deprecated else []
    python = sys.executable
    commands = [
        [
            python,
            "-m",
            "mypy",
            "--strict",
            "--no-pretty",
            "--no-error-summary",
            "--hide-error-context",
            *more,
            ".",
        ],
        [python, "-m", "pyright", "--outputjson", "--pythonpath", python],
    ]
    running = [
        subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for command in commands
    ]
    (mypy, mypy_errors), (pyright, pyright_errors) = (process.communicate() for process in running)
    assert running[0].returncode in (0, 1), mypy + mypy_errors
    assert running[1].returncode in (0, 1), pyright + pyright_errors
    return Verdict(_of_mypy(mypy), _of_pyright(pyright, folder))


def _of_mypy(output: str) -> Findings:
    found: Findings = {}
    for line in output.splitlines():
        if match := _MYPY_LINE.fullmatch(line):
            _add(found, match["path"], int(match["line"]), match["message"])
    return found


def _of_pyright(output: str, folder: Path) -> Findings:
    found: Findings = {}
    for diagnostic in json.loads(output)["generalDiagnostics"]:
        path = Path(diagnostic["file"]).relative_to(folder.resolve()).as_posix()
        _add(found, path, diagnostic["range"]["start"]["line"] + 1, diagnostic["message"])
    return found


def _add(found: Findings, path: str, line: int, message: str) -> None:
    lines = found.setdefault(path, {})
    lines[line] = f"{lines[line]}\n{message}" if line in lines else message
