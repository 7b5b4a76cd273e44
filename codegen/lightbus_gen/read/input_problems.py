"""Problems of the input, as data: collected over all files and reported in one run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lightbus.schema.language.keywords import pointer
from lightbus_gen.read.positions import JsonPath


@dataclass(frozen=True, slots=True, order=True)
class InputProblem:
    """One thing to fix.

    Attributes:
        path: the file, as named from the working directory; "" if it is about no file, or that is not known yet.
        line, column: from 1, in characters; 0 if it is about the whole file.
        rule: stable identifier, such as `UNRESOLVED_REF`.
        message: what is wrong, one sentence without a full stop.
        fix: what to do, in the imperative.
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
        """The place as `path:line:col`, which editors and terminals turn into a link."""
        return f"{self.path}:{self.line}:{self.column}" if self.line else self.path

    def __str__(self) -> str:
        where = f"{self.location}: " if self.path else ""
        return f"{where}{self.rule} {self.message}\n  fix: {self.fix}"


class UnreadableText(Exception):
    """A text cannot be read as a JSON value.

    Attributes:
        problems: the reasons, without the path of the file.
    """

    def __init__(self, problems: Iterable[InputProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.message for problem in self.problems))


class Repeated(UnreadableText):
    """A text has duplicate keys.

    Attributes:
        value: its value with the last of each key, as most readers take it.
        places: (line, column) by path, if the text is not JSON.
    """

    def __init__(
        self,
        problems: Iterable[InputProblem],
        value: object,
        places: Mapping[JsonPath, tuple[int, int]] | None = None,
    ) -> None:
        super().__init__(problems)
        self.value, self.places = value, places


class InputError(Exception):
    """The input cannot be used.

    Attributes:
        problems: all problems, in order of place.
    """

    def __init__(self, problems: Iterable[InputProblem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def input_error(rule: str, message: str, fix: str, *, path: str = "") -> InputError:
    """Return the error for one problem that has no position in a file."""
    return InputError([InputProblem(path, 0, 0, rule, message, fix)])


def repeated_key(path: JsonPath, line: int, column: int) -> InputProblem:
    """Return the problem of a key that its object already has."""
    message = f"the key {path[-1]!r} is given twice in this object"
    return InputProblem("", line, column, "DUPLICATE_KEY", message, "keep one of them", pointer(path))


def unreadable(line: int, column: int, rule: str, message: str, fix: str) -> UnreadableText:
    """Return the error for one problem at a position in a text."""
    return UnreadableText([InputProblem("", line, column, rule, message, fix)])
