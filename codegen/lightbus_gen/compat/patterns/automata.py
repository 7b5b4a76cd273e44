"""Whether every text that matches some regular expressions also matches another one.

Each expression becomes an automaton, and the automata run side by side. A text that all but the last one match is a
counterexample; if there is none, the last one matches every text that the others match.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lightbus_gen.compat.patterns.strings import parse

Ranges = tuple[tuple[int, int], ...]
"""Characters, as ranges of code points, both ends inclusive."""
_LAST = 0x10FFFF
_ANY: Ranges = ((0, _LAST),)
_LINE_END: Ranges = ((0x0A, 0x0A),)  # the only character that `.` does not match in the runtime's validator
_DIGITS: Ranges = ((0x30, 0x39),)
_WORD: Ranges = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_SPACE: Ranges = (
    (0x09, 0x0D), (0x20, 0x20), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029),
    (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF),
)  # fmt: skip
_READ_DIFFERENTLY = re.compile(r"\{,|\(\?(?!:)|\[\[|&&|--|~~|\|\||\\[AZbB]")
"""Syntax that Python reads differently from ECMA 262, or that validators disagree on."""
_MAX_STATES = 3_000
_MAX_STEPS = 20_000
_MAX_VISITED = 50_000
"""States that the automata are in, in all steps together."""
_READABLE = "a0A-_. :/b1B"


class _Unknown(Exception):
    """The expression cannot become an automaton: a look-ahead, a backreference, too many repetitions."""


@functools.cache
def text_outside(sent: tuple[str, ...], accepted: str) -> str | None:
    """Return a text that matches every expression in `sent` but not `accepted`; None if there is none.

    Raises:
        ValueError: the expressions are too complex to decide it.
    """
    try:
        automata = [_automaton(expression) for expression in (*sent, accepted)]
        return _counterexample(automata)
    except _Unknown:
        raise ValueError("too complex") from None


@dataclass(slots=True)
class _Automaton:
    """A nondeterministic automaton. States are numbers, and 0 is the start state.

    Attributes:
        steps: the transitions of each state: (characters, next state).
        jumps: the transitions of each state that need no character. Those of `begin` and `end` are open only at
            the beginning and the end of the text.
        last: the accepting state.
    """

    steps: list[list[tuple[Ranges, int]]] = field(default_factory=list)
    jumps: list[list[int]] = field(default_factory=list)
    begin: list[list[int]] = field(default_factory=list)
    end: list[list[int]] = field(default_factory=list)
    last: int = 0

    def state(self) -> int:
        if len(self.steps) >= _MAX_STATES:
            raise _Unknown
        for table in (self.steps, self.jumps, self.begin, self.end):
            table.append([])
        return len(self.steps) - 1

    def reached(
        self, states: Iterable[int], *, at_begin: bool = False, at_end: bool = False
    ) -> frozenset[int]:
        """Return the states that can be reached from `states` without a character, those included."""
        closure = set(states)
        todo = list(closure)
        while todo:
            state = todo.pop()
            targets = [
                *self.jumps[state],
                *(self.begin[state] if at_begin else ()),
                *(self.end[state] if at_end else ()),
            ]
            todo += [target for target in targets if target not in closure]
            closure.update(targets)
        return frozenset(closure)

    def after(self, states: frozenset[int], code: int) -> frozenset[int]:
        """Return the states after the character with this code point."""
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
    """Return the automaton of an expression, which may match anywhere in a text."""
    if _READ_DIFFERENTLY.search(expression) or (parsed := parse(expression)) is None:
        raise _Unknown
    automaton = _Automaton()
    start = automaton.state()
    automaton.steps[start].append((_ANY, start))
    automaton.last = _read(automaton, parsed, start)
    automaton.steps[automaton.last].append((_ANY, automaton.last))
    return automaton


def _read(automaton: _Automaton, parsed: Any, start: int) -> int:
    """Append part of an expression to the state `start`; return the state it ends in."""
    state = start
    for operation, argument in parsed:
        name = str(operation)
        if name in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            state, previous = automaton.state(), state
            automaton.steps[previous].append((_characters(name, argument), state))
        elif name == "BRANCH":
            state, previous = automaton.state(), state
            for branch in argument[1]:
                automaton.jumps[_read(automaton, branch, _branch_from(automaton, previous))].append(state)
        elif name == "SUBPATTERN":
            state = _read(automaton, argument[-1], state)
        elif name in ("MAX_REPEAT", "MIN_REPEAT"):
            state = _repeat(automaton, state, *argument)
        elif name == "AT" and str(argument) in ("AT_BEGINNING", "AT_END"):
            state, previous = automaton.state(), state
            (automaton.begin if str(argument) == "AT_BEGINNING" else automaton.end)[previous].append(state)
        else:
            raise _Unknown
    return state


def _branch_from(automaton: _Automaton, source: int) -> int:
    state = automaton.state()
    automaton.jumps[source].append(state)
    return state


def _repeat(automaton: _Automaton, start: int, least: int, most: Any, inner: Any) -> int:
    state = start
    for _ in range(least):
        previous, state = state, _read(automaton, inner, state)
        if state == previous:
            break  # an empty part
    end = automaton.state()
    automaton.jumps[state].append(end)
    if str(most) == "MAXREPEAT":
        again = _branch_from(automaton, state)
        loop_end = _read(automaton, inner, again)
        automaton.jumps[loop_end] += [again, end]
        return end
    for _ in range(int(most) - least):
        previous, state = state, _read(automaton, inner, state)
        if state == previous:
            break
        automaton.jumps[state].append(end)
    return end


def _characters(name: str, argument: Any) -> Ranges:
    if name == "LITERAL":
        return ((argument, argument),)
    if name == "NOT_LITERAL":
        return _complement(((argument, argument),))
    if name == "ANY":
        return _complement(_LINE_END)
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
    return _complement(ranges) if negated else tuple(ranges)


def _complement(ranges: Iterable[tuple[int, int]]) -> Ranges:
    gaps, start = [], 0
    for low, high in sorted(ranges):
        if low > start:
            gaps.append((start, low - 1))
        start = max(start, high + 1)
    return (*gaps, (start, _LAST)) if start <= _LAST else tuple(gaps)


_CATEGORIES: dict[str, Ranges] = {
    "CATEGORY_DIGIT": _DIGITS,
    "CATEGORY_WORD": _WORD,
    "CATEGORY_SPACE": _SPACE,
    "CATEGORY_NOT_DIGIT": _complement(_DIGITS),
    "CATEGORY_NOT_WORD": _complement(_WORD),
    "CATEGORY_NOT_SPACE": _complement(_SPACE),
}


def _counterexample(automata: Sequence[_Automaton]) -> str | None:
    """Return the shortest text that all automata but the last match; None if there is none."""
    codes = _representatives(automata)
    start = tuple(automaton.reached((0,), at_begin=True) for automaton in automata)
    if _is_outside(automata, start, at_begin=True):
        return ""
    todo = [(start, "")]
    seen: set[tuple[frozenset[int], ...]] = set()  # excludes the start, where "^" still matches
    visited = 0
    for states, text in todo:
        visited += len(codes) * sum(map(len, states))
        if visited > _MAX_VISITED:
            raise _Unknown
        for code in codes:
            after = tuple(automaton.after(now, code) for automaton, now in zip(automata, states, strict=True))
            if after in seen or not all(after[:-1]):
                continue
            if len(seen) * len(codes) > _MAX_STEPS:
                raise _Unknown
            seen.add(after)
            if _is_outside(automata, after, at_begin=False):
                return text + chr(code)
            todo.append((after, text + chr(code)))
    return None


def _is_outside(
    automata: Sequence[_Automaton], states: tuple[frozenset[int], ...], *, at_begin: bool
) -> bool:
    *sent, accepted = (
        automaton.matches(now, at_begin=at_begin) for automaton, now in zip(automata, states, strict=True)
    )
    return all(sent) and not accepted


def _representatives(automata: Iterable[_Automaton]) -> list[int]:
    """Return one character of each class that the automata do not distinguish, readable ones first."""
    edges = {0, 0xD800, 0xE000, _LAST + 1}
    distinct = {ranges for each in automata for ranges, _ in itertools.chain.from_iterable(each.steps)}
    for ranges in distinct:
        edges |= {edge for low, high in ranges for edge in (low, high + 1)}
    samples: list[int] = []
    bounds = sorted(edges)
    within: list[set[int]] = [set() for _ in bounds]  # the ranges that each class is part of
    for number, ranges in enumerate(distinct):
        for low, high in ranges:
            for at in range(bisect.bisect_left(bounds, low), bisect.bisect_left(bounds, high + 1)):
                within[at].add(number)
    seen = set[frozenset[int]]()
    for part, (low, high) in zip(within, itertools.pairwise(bounds), strict=False):
        if low > 0x7F and not 0xD800 <= low < 0xE000:
            if frozenset(part) in seen:
                continue
            seen.add(frozenset(part))
        if not 0xD800 <= low < 0xE000:
            readable = (ord(char) for char in _READABLE if low <= ord(char) < high)
            samples.append(
                next(readable, next((code for code in range(low, high) if chr(code).isprintable()), low))
            )
    return sorted(samples, key=lambda code: (chr(code) not in _READABLE, not chr(code).isprintable(), code))
