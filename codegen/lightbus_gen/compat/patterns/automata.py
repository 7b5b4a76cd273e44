"""Whether all texts that match some regular expressions match another one.

An expression is read into an automaton, and the automata are walked side by side: a text on which the others end
well and the last one does not is the answer, and where there is none, the last one takes them all.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

Ranges = tuple[tuple[int, int], ...]
"""Characters, as ranges of code points, both ends included."""
_LAST = 0x10FFFF
_ANY: Ranges = ((0, _LAST),)
_LINE_END: Ranges = ((0x0A, 0x0A),)  # the only one that the run time's validator does not take for `.`
_DIGITS: Ranges = ((0x30, 0x39),)
_WORD: Ranges = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_SPACE: Ranges = (
    (0x09, 0x0D), (0x20, 0x20), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029),
    (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF),
)  # fmt: skip
_READ_DIFFERENTLY = re.compile(r"\{,|\(\?(?!:)|\[\[|&&|--|~~|\|\||\\[AZbB]")
"""What Python reads in another way than ECMA 262, or validators among themselves."""
_MOST_STATES = 3_000
_MOST_STEPS = 20_000
_SHOWN = "a0A-_. :/b1B"


class _Unknown(Exception):
    """Something that no automaton is made of: a look-ahead, a reference to a group, too many repetitions."""


@functools.cache
def text_outside(sent: tuple[str, ...], taken: str) -> str | None:
    """Return a text that matches all of some expressions and not another one; None if there is none.

    Raises:
        ValueError: it cannot be found out.
    """
    try:
        automata = [_automaton(expression) for expression in (*sent, taken)]
        return _walk(automata)
    except _Unknown:
        raise ValueError("too intricate") from None


@dataclass(slots=True)
class _Automaton:
    """States are numbers; the first is 0. The steps of a state, and where it goes on without a character.

    Attributes:
        steps: (characters, next state) by state.
        jumps: next states by state; `begin` and `end` only at the beginning and the end of the text.
        last: the state in which the text matches.
    """

    steps: list[list[tuple[Ranges, int]]] = field(default_factory=list)
    jumps: list[list[int]] = field(default_factory=list)
    begin: list[list[int]] = field(default_factory=list)
    end: list[list[int]] = field(default_factory=list)
    last: int = 0

    def state(self) -> int:
        if len(self.steps) >= _MOST_STATES:
            raise _Unknown
        for table in (self.steps, self.jumps, self.begin, self.end):
            table.append([])
        return len(self.steps) - 1

    def reached(
        self, states: Iterable[int], *, at_begin: bool = False, at_end: bool = False
    ) -> frozenset[int]:
        """Return the states that are reached from some without a character."""
        found = set(states)
        todo = list(found)
        while todo:
            here = todo.pop()
            more = [
                *self.jumps[here],
                *(self.begin[here] if at_begin else ()),
                *(self.end[here] if at_end else ()),
            ]
            todo += [state for state in more if state not in found]
            found.update(more)
        return frozenset(found)

    def after(self, states: frozenset[int], code: int) -> frozenset[int]:
        """Return the states after a character."""
        return self.reached(
            target
            for state in states
            for ranges, target in self.steps[state]
            if any(low <= code <= high for low, high in ranges)
        )

    def matches(self, states: frozenset[int], *, at_begin: bool) -> bool:
        """Whether a text that ends in these states matches."""
        return self.last in self.reached(states, at_begin=at_begin, at_end=True)


@functools.cache
def _automaton(expression: str) -> _Automaton:
    """Read an expression, which may match anywhere in a text."""
    if _READ_DIFFERENTLY.search(expression):
        raise _Unknown
    try:
        parsed = importlib.import_module("re._parser").parse(expression)
    except (re.error, RecursionError, OverflowError):
        raise _Unknown from None
    made = _Automaton()
    first = made.state()
    made.steps[first].append((_ANY, first))
    made.last = _read(made, parsed, first)
    made.steps[made.last].append((_ANY, made.last))
    return made


def _read(made: _Automaton, parsed: Any, start: int) -> int:
    """Add a part of an expression behind a state; return the state behind it."""
    here = start
    for operation, argument in parsed:
        name = str(operation)
        if name in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            here, before = made.state(), here
            made.steps[before].append((_characters(name, argument), here))
        elif name == "BRANCH":
            here, before = made.state(), here
            for branch in argument[1]:
                made.jumps[_read(made, branch, _beside(made, before))].append(here)
        elif name == "SUBPATTERN":
            here = _read(made, argument[-1], here)
        elif name in ("MAX_REPEAT", "MIN_REPEAT"):
            here = _repeat(made, here, *argument)
        elif name == "AT" and str(argument) in ("AT_BEGINNING", "AT_END"):
            here, before = made.state(), here
            (made.begin if str(argument) == "AT_BEGINNING" else made.end)[before].append(here)
        else:
            raise _Unknown
    return here


def _beside(made: _Automaton, before: int) -> int:
    state = made.state()
    made.jumps[before].append(state)
    return state


def _repeat(made: _Automaton, start: int, least: int, most: Any, inner: Any) -> int:
    here = start
    for _ in range(least):
        here = _read(made, inner, here)
    behind = made.state()
    made.jumps[here].append(behind)
    if str(most) == "MAXREPEAT":
        again = _beside(made, here)
        end = _read(made, inner, again)
        made.jumps[end] += [again, behind]
        return behind
    for _ in range(int(most) - least):
        here = _read(made, inner, here)
        made.jumps[here].append(behind)
    return behind


def _characters(name: str, argument: Any) -> Ranges:
    if name == "LITERAL":
        return ((argument, argument),)
    if name == "NOT_LITERAL":
        return _others(((argument, argument),))
    if name == "ANY":
        return _others(_LINE_END)
    negated = str(argument[0][0]) == "NEGATE"
    ranges: list[tuple[int, int]] = []
    for operation, value in argument[negated:]:
        name = str(operation)
        if name == "LITERAL":
            ranges.append((value, value))
        elif name == "RANGE":
            ranges.append(value)
        elif name == "CATEGORY" and str(value) in _CATEGORIES:
            ranges += _CATEGORIES[str(value)]
        else:
            raise _Unknown
    return _others(ranges) if negated else tuple(ranges)


def _others(ranges: Iterable[tuple[int, int]]) -> Ranges:
    found, start = [], 0
    for low, high in sorted(ranges):
        if low > start:
            found.append((start, low - 1))
        start = max(start, high + 1)
    return (*found, (start, _LAST)) if start <= _LAST else tuple(found)


_CATEGORIES: dict[str, Ranges] = {
    "CATEGORY_DIGIT": _DIGITS,
    "CATEGORY_WORD": _WORD,
    "CATEGORY_SPACE": _SPACE,
    "CATEGORY_NOT_DIGIT": _others(_DIGITS),
    "CATEGORY_NOT_WORD": _others(_WORD),
    "CATEGORY_NOT_SPACE": _others(_SPACE),
}


def _walk(automata: Sequence[_Automaton]) -> str | None:
    """Return the shortest text that all but the last one match."""
    codes = _one_of_each(automata)
    start = tuple(one.reached((0,), at_begin=True) for one in automata)
    if _is_outside(automata, start, at_begin=True):
        return ""
    todo = [(start, "")]
    met: set[tuple[frozenset[int], ...]] = set()  # at the beginning the same states mean something else
    for states, text in todo:
        for code in codes:
            after = tuple(one.after(now, code) for one, now in zip(automata, states, strict=True))
            if after in met or not all(after[:-1]):
                continue
            if len(met) * len(codes) > _MOST_STEPS:
                raise _Unknown
            met.add(after)
            if _is_outside(automata, after, at_begin=False):
                return text + chr(code)
            todo.append((after, text + chr(code)))
    return None


def _is_outside(
    automata: Sequence[_Automaton], states: tuple[frozenset[int], ...], *, at_begin: bool
) -> bool:
    *sent, taken = (one.matches(now, at_begin=at_begin) for one, now in zip(automata, states, strict=True))
    return all(sent) and not taken


def _one_of_each(automata: Iterable[_Automaton]) -> list[int]:
    """Return one character of each group that the automata do not tell apart, readable ones first."""
    edges = {0, 0xD800, 0xE000, _LAST + 1}
    for one in automata:
        for ranges, _ in itertools.chain.from_iterable(one.steps):
            edges |= {edge for low, high in ranges for edge in (low, high + 1)}
    found: list[int] = []
    for low, high in itertools.pairwise(sorted(edges)):
        if not 0xD800 <= low < 0xE000:
            shown = (ord(char) for char in _SHOWN if low <= ord(char) < high)
            found.append(
                next(shown, next((code for code in range(low, high) if chr(code).isprintable()), low))
            )
    return sorted(found, key=lambda code: (chr(code) not in _SHOWN, not chr(code).isprintable(), code))
