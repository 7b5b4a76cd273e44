"""What is wrong with the input, as data: collected over all files, reported in one run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing to fix.

    Attributes:
        path: the file, as the user would name it from where the command runs; "" when none is at fault.
        line, column: from 1, in characters; 0 when the whole file is meant.
        rule: stable identifier, such as `UNRESOLVED_REF`.
        message: what is wrong, one sentence without full stop.
        fix: what to do, imperative.
        pointer: JSON Pointer of the place in the file.
    """

    path: str
    line: int
    column: int
    rule: str
    message: str
    fix: str
    pointer: str = ""

    @property
    def location(self) -> str:
        """The place as `path:line:col`, the form editors and terminals link."""
        return f"{self.path}:{self.line}:{self.column}" if self.line else self.path

    def __str__(self) -> str:
        where = f"{self.location}: " if self.path else ""
        return f"{where}{self.rule} {self.message}\n  fix: {self.fix}"


class InputError(Exception):
    """The input cannot be used.

    Attributes:
        problems: everything found, in order of place.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def input_error(rule: str, message: str, fix: str, *, path: str = "") -> InputError:
    """Make the error for one problem that has no position inside a file."""
    return InputError([Problem(path, 0, 0, rule, message, fix)])
