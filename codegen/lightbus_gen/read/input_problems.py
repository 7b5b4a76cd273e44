"""What is wrong with the input, as data: collected over all files, reported in one run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lightbus_gen.read.positions import JsonPath


@dataclass(frozen=True, slots=True, order=True)
class InputProblem:
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


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a text: an `InputProblem` that does not know its file yet."""

    line: int
    column: int
    rule: str
    message: str
    fix: str
    pointer: str = ""

    def of(self, path: str) -> InputProblem:
        """Return the problem it is in a file."""
        return InputProblem(path, self.line, self.column, self.rule, self.message, self.fix, self.pointer)


class UnreadableText(Exception):
    """A text cannot be read as the JSON value it should stand for.

    Attributes:
        faults: why not.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(fault.message for fault in self.faults))


class Repeated(UnreadableText):
    """A text gives keys twice.

    Attributes:
        value: its value by the last of each, as most readers take it.
        places: (line, column) by path, where the text is no JSON.
    """

    def __init__(
        self,
        faults: Iterable[Fault],
        value: object,
        places: Mapping[JsonPath, tuple[int, int]] | None = None,
    ) -> None:
        super().__init__(faults)
        self.value, self.places = value, places


class InputError(Exception):
    """The input cannot be used.

    Attributes:
        problems: everything found, in order of place.
    """

    def __init__(self, problems: Iterable[InputProblem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def input_error(rule: str, message: str, fix: str, *, path: str = "") -> InputError:
    """Make the error for one problem that has no position inside a file."""
    return InputError([InputProblem(path, 0, 0, rule, message, fix)])
