"""Strings that match a regular expression of a schema, for the example payloads of findings."""

from __future__ import annotations

import functools
import importlib
import itertools
import math
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

_CATEGORIES = {
    "CATEGORY_DIGIT": "0123456789",
    "CATEGORY_WORD": "a0_bcdefghijk",
    "CATEGORY_SPACE": " \t",
    "CATEGORY_NOT_DIGIT": "a -",
    "CATEGORY_NOT_WORD": "- .",
    "CATEGORY_NOT_SPACE": "a0-",
}
_LONGEST = 10_000
"""Characters that a repeated part may become."""
_PRINTABLE = "a0 -A_.,:;/!?#@$%&*+=~<>()[]{}|^'\"bcdefghijklmnopqrstuvwxyz123456789BCDEFGHIJKLMNOPQRSTUVWXYZ"


def parse(pattern: str) -> Any | None:
    """Return the syntax tree of an expression; None if `re` cannot parse it."""
    try:
        return importlib.import_module("re._parser").parse(_with_ranges(pattern))
    except (re.error, RecursionError, OverflowError):
        return None


def _with_ranges(pattern: str) -> str:
    """Write the characters of `\\p{L}` and other general categories as ranges, since `re` does not know them."""
    if r"\p{" not in pattern:
        return pattern
    is_class, parts = False, []
    for part in re.findall(r"\\p\{[A-Z][a-z]?\}|\\?.", pattern, re.DOTALL):
        if part.startswith(r"\p{"):
            ranges = _ranges_of(part[3:-1])
            parts.append(ranges if is_class else f"[{ranges}]")
            continue
        is_class = part == "[" or (is_class and part != "]")
        parts.append(part)
    return "".join(parts)


@functools.cache
def _ranges_of(category: str) -> str:
    """Return the characters of a general category, `L` or `Lu`, as ranges of a character class."""
    codes = [
        code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)).startswith(category)
    ]
    starts = [code for code, before in zip(codes, [-2, *codes], strict=False) if code != before + 1]
    ends = [code for code, after in zip(codes, [*codes[1:], -2], strict=True) if code != after - 1]
    return "".join(f"\\U{start:08x}-\\U{end:08x}" for start, end in zip(starts, ends, strict=True))


def strings_of(pattern: str, lengths: Iterable[int] = ()) -> Iterator[str]:
    """Yield a few strings that should match; none when the expression is too complex.

    Args:
        pattern: the expression, in the syntax of `re`.
        lengths: repetition counts to try for each quantifier, in addition to 0, 1 and 2.
    """
    if (parsed := parse(pattern)) is None:
        return
    seen: set[str] = set()
    for repeat, choice in itertools.product(dict.fromkeys([0, 1, 2, *sorted(lengths)]), range(4)):
        try:
            text = "".join(_generate(parsed, max(repeat, 0), choice))
        except (_TooComplex, RecursionError):
            return
        if text not in seen:
            seen.add(text)
            yield text


@functools.cache
def lengths_of(pattern: str) -> tuple[int, float]:
    """Return the (shortest, longest) length of strings that match an expression; (0, infinity) if unknown."""
    if "{," in pattern or "(?" in pattern.replace("(?:", ""):  # Python reads these differently
        return 0, math.inf
    if (parsed := parse(pattern)) is None:
        return 0, math.inf
    least, most = parsed.getwidth()
    is_whole = _is_anchored(list(parsed), 0, "AT_BEGINNING") and _is_anchored(list(parsed), -1, "AT_END")
    return least, most if is_whole else math.inf


def _is_anchored(parts: list[Any], at: int, end: str) -> bool:
    """Whether every branch of an expression is anchored at its beginning (`at` 0) or its end (-1)."""
    if not parts:
        return False
    name, argument = str(parts[at][0]), parts[at][1]
    if name == "BRANCH":
        return all(_is_anchored(list(branch), at, end) for branch in argument[1])
    if name == "SUBPATTERN":
        return _is_anchored(list(argument[-1]), at, end)
    return name == "AT" and str(argument) == end


class _TooComplex(Exception):
    """The expression has a part that is not supported: a look-ahead, a backreference, too many repetitions."""


def _generate(parsed: Any, repeat: int, choice: int) -> Iterator[str]:
    for operation, argument in parsed:
        name = str(operation)
        if name == "LITERAL":
            yield chr(argument)
        elif name == "NOT_LITERAL":
            yield next(char for char in _PRINTABLE if ord(char) != argument)
        elif name == "ANY":
            yield _PRINTABLE[choice]
        elif name == "IN":
            options = _options(argument)
            yield options[choice % len(options)]
        elif name == "BRANCH":
            branches = argument[1]
            yield from _generate(branches[choice % len(branches)], repeat, choice)
        elif name == "SUBPATTERN":
            yield from _generate(argument[-1], repeat, choice)
        elif name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            least, most, inner = argument
            count, text = min(max(least, repeat), int(most)), "".join(_generate(inner, repeat, choice))
            if count * len(text) > _LONGEST:
                raise _TooComplex
            yield text * count
        elif name == "ATOMIC_GROUP":
            yield from _generate(argument, repeat, choice)
        elif name != "AT":
            raise _TooComplex


def _options(items: Any) -> str:
    negated = str(items[0][0]) == "NEGATE"
    characters = ""
    for operation, argument in items[negated:]:
        name = str(operation)
        if name == "LITERAL":
            characters += chr(argument)
        elif name == "RANGE":
            characters += "".join(
                chr(code) for code in range(argument[0], min(argument[1], argument[0] + 200) + 1)
            )
        elif name == "CATEGORY" and str(argument) in _CATEGORIES:
            characters += _CATEGORIES[str(argument)]
        else:
            raise _TooComplex
    if negated:
        characters = "".join(char for char in _PRINTABLE if char not in characters)
    if not characters:
        raise _TooComplex
    return characters
