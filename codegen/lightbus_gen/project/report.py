"""The outcome of a run as text, JSON or GitHub's annotations."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from lightbus.foreign import escaped
from lightbus_gen.project.printing import (
    Format,
    annotation,
    bold,
    echo,
    print_problems,
    problem_annotations,
    problem_facts,
)
from lightbus_gen.read.input_problems import InputProblem
from lightbus_gen.write.plan import FileChange, Plan


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """The outcome of a run.

    Attributes:
        problems: the problems of the input; nothing was written if there are any.
        notices: what was left out and need not be fixed.
        plan: the changes.
        is_check: whether nothing was to be written.
        seconds: how long the run took.
    """

    problems: Sequence[InputProblem]
    notices: Sequence[InputProblem]
    plan: Plan
    is_check: bool
    seconds: float

    @property
    def exit_code(self) -> int:
        """0 for clean, 1 for drift, 2 for input that cannot be used."""
        if self.problems:
            return 2
        return 1 if self.is_check and self.plan.changes else 0


def show(outcome: RunOutcome, format_: Format, *, quiet: bool) -> None:
    """Print an outcome.

    In the text format, problems and notices go to standard error, everything else to standard output.
    """
    if format_ is Format.JSON:
        print(json.dumps(_facts(outcome), indent=2))
    elif format_ is Format.GITHUB:
        for line in _annotations(outcome):
            print(line)
    else:
        _print(outcome, quiet)


# -- text ----------------------------------------------------------------------------------------

_COLOURS = {"written": "green", "changed": "yellow", "removed": "red"}
_DONE = {kind: kind for kind in _COLOURS}
_DRIFT = {"written": "missing", "changed": "changed", "removed": "stale"}


def _print(outcome: RunOutcome, quiet: bool) -> None:
    if not quiet:
        for notice in outcome.notices:
            where = f"{bold(escaped(notice.location))}: " if notice.path else ""
            echo(f"{where}{notice.rule} {escaped(notice.message)}\n  fix: {escaped(notice.fix)}", err=True)
    print_problems(outcome.problems)
    if outcome.problems:
        count = len(outcome.problems)
        echo(f"{count} problem{'s' if count > 1 else ''}; nothing was written", err=True)
    changes = outcome.plan.changes
    if outcome.is_check and changes:
        for change in changes:
            _print_diff(change)
        _list(changes, _DRIFT)
        counts = bold(f"{_counts(changes, _DRIFT)}, {outcome.plan.unchanged} current")
        echo(f"{counts}; to update: lightbus-gen")
        return
    if quiet or outcome.problems:
        return
    _list(changes, _DONE)
    did = f"{_counts(changes, _DONE)}, " if changes else ""
    echo(f"{did}{outcome.plan.unchanged} unchanged in {outcome.seconds:.2f} s")


def _list(changes: Sequence[FileChange], words: Mapping[str, str]) -> None:
    for change in changes:
        echo(
            f"{click.style(f'{words[change.kind]:>8}', fg=_COLOURS[change.kind])}  {escaped(shown(change.path))}"
        )


def _counts(changes: Sequence[FileChange], words: Mapping[str, str]) -> str:
    """Return how many changes there are of each kind, as in "2 written, 1 removed"."""
    counts = Counter(change.kind for change in changes)
    return ", ".join(f"{counts[kind]} {word}" for kind, word in words.items() if counts[kind])


def _print_diff(change: FileChange) -> None:
    colours = {"+": "green", "-": "red", "@": "cyan"}
    for line in change.diff().removesuffix("\n").split("\n"):
        echo(click.style(escaped(line), fg=colours.get(line[:1])))


# -- programs ------------------------------------------------------------------------------------


def _facts(outcome: RunOutcome) -> dict[str, Any]:
    by_kind: dict[str, list[str]] = {kind: [] for kind in _COLOURS}
    for change in outcome.plan.changes:
        by_kind[change.kind].append(shown(change.path))
    drift = [
        {"path": shown(change.path), "kind": _DRIFT[change.kind], "diff": change.diff()}
        for change in outcome.plan.changes
    ]
    facts: dict[str, Any] = {"exit_code": outcome.exit_code}
    facts |= problem_facts(outcome.problems, outcome.notices)
    facts |= {"drift": drift} if outcome.is_check else by_kind
    return facts | {"unchanged": outcome.plan.unchanged, "seconds": round(outcome.seconds, 3)}


def _annotations(outcome: RunOutcome) -> Iterator[str]:
    yield from problem_annotations(outcome.problems, outcome.notices)
    for change in outcome.plan.changes:
        path = shown(change.path)
        if outcome.is_check:
            message = f"{path} is {_DRIFT[change.kind]}; to update: lightbus-gen\n{change.diff()}"
            yield annotation("error", "DRIFT", message, path)
        else:
            yield escaped(f"{change.kind} {path}")


def shown(path: Path) -> str:
    """Return a path relative to the working folder if it is below it, with `/`."""
    relative = Path(os.path.relpath(path))
    return (path if relative.parts[:1] == ("..",) else relative).as_posix()
