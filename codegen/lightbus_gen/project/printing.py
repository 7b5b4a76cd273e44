"""Problems and notices as text, JSON and GitHub's annotations, for every command.

Texts may quote a schema or a file name; control characters in them are escaped.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Any

import click

from lightbus.foreign import escaped, escaped_lines
from lightbus_gen.read.input_problems import InputProblem


class Format(StrEnum):
    """The format of a command's outcome."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    JUNIT = "junit"


def print_problems(problems: Iterable[InputProblem]) -> None:
    """Print problems for people, to standard error."""
    for problem in problems:
        _print(problem, click.style(problem.rule, fg="red", bold=True))


def print_notices(notices: Iterable[InputProblem]) -> None:
    """Print notices for people, to standard error."""
    for notice in notices:
        _print(notice, f"{click.style(notice.rule, fg='cyan', bold=True)} note")


def _print(problem: InputProblem, rule: str) -> None:
    where = f"{bold(escaped(problem.location))}: " if problem.path else ""
    echo(f"{where}{rule} {escaped_lines(problem.message, '    ')}\n  fix: {escaped(problem.fix)}", err=True)


def problem_facts(problems: Iterable[InputProblem], notices: Iterable[InputProblem]) -> dict[str, Any]:
    """Return problems and notices as JSON values."""
    return {
        "problems": [asdict(problem) for problem in problems],
        "notices": [asdict(notice) for notice in notices],
    }


def problem_annotations(problems: Sequence[InputProblem], notices: Sequence[InputProblem]) -> Iterator[str]:
    """Yield an annotation for GitHub for each problem and notice."""
    for level, listed in (("error", problems), ("notice", notices)):
        for problem in listed:
            place = problem.path, problem.line, problem.column
            yield annotation(level, problem.rule, f"{problem.message}\nfix: {problem.fix}", *place)


def annotation(level: str, title: str, message: str, path: str, line: int = 0, column: int = 0) -> str:
    """Return an annotation for GitHub.

    Args:
        level: `error`, `warning` or `notice`.
        title, message: the texts.
        path, line, column: the place, its path from the current folder; "" and 0 are left out.
    """
    place = {"file": _from_top(path), "line": line, "col": column, "title": title}

    def encoded(value: object, more: str = "") -> str:
        text = escaped_lines(str(value))
        return "".join(f"%{ord(char):02X}" if char in f"%\n{more}" else char for char in text)

    listed = ",".join(f"{key}={encoded(value, ':,')}" for key, value in place.items() if value)
    return f"::{level} {listed}::{encoded(message)}"


def _from_top(path: str) -> str:
    """Return a path relative to the top of the repository, as GitHub expects it; one outside of it as it is."""
    folder = Path.cwd()
    top = next((each for each in (folder, *folder.parents) if (each / ".git").exists()), None)
    if top is None or not path:
        return path
    absolute = Path(os.path.abspath(folder / path))  # noqa: PTH100  Path.absolute() keeps `..`
    is_inside = (
        absolute.is_relative_to(top) and absolute.exists()
    )  # paths of an earlier commit are from its top
    return absolute.relative_to(top).as_posix() if is_inside else path


def bold(text: str) -> str:
    """Return text in bold for terminals."""
    return click.style(text, bold=True)


def echo(text: str, *, err: bool = False) -> None:
    """Print a line, in colour on terminals, unless NO_COLOR or FORCE_COLOR says otherwise (no-color.org, force-color.org)."""
    stream = sys.stderr if err else sys.stdout
    if not os.environ.get("FORCE_COLOR") and (os.environ.get("NO_COLOR") or not stream.isatty()):
        text = click.unstyle(text)
    print(text, file=stream)
