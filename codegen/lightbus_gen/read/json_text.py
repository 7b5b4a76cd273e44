"""Strict JSON. What Python's reader accepts beyond the standard is refused, with its place."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from lightbus_gen.read.input_problems import Repeated, UnreadableText, repeated_key, unreadable
from lightbus_gen.read.positions import line_and_column, places, repeated_keys, tokens
from lightbus_gen.read.size_limits import MAX_DEPTH, MAX_DIGITS, MAX_KEY, MAX_VALUES


def read_json(text: str) -> Any:
    """Read a JSON text.

    Raises:
        UnreadableText: it is not valid JSON, passes a limit, or has a key twice in an object.
    """
    has_repeats = False

    def to_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal has_repeats
        result = dict(pairs)
        has_repeats = has_repeats or len(result) < len(pairs)
        return result

    try:
        value = json.loads(
            text,
            object_pairs_hook=to_dict,
            parse_constant=_refuse_constant,
            parse_float=_float,
            parse_int=_int,
        )
    except json.JSONDecodeError as error:
        message, fix = f"is not valid JSON: {error.msg}", "correct the JSON here"
        character = text[error.pos : error.pos + 1]
        if character and character < " " and character != "\n":
            message = f"is not valid JSON: the character U+{ord(character):04X} may not stand in it"
            fix = "remove the character, or write it as an escape in a string"
        raise unreadable(error.lineno, error.colno, "INVALID_JSON", message, fix) from None
    except _BadNumber as error:
        offset = next(start for start, token in tokens(text) if token.startswith(error.token))
        raise _unreadable(text, offset, error.rule, error.message, error.fix) from None
    except RecursionError:
        raise _past_limit(text) from None
    if not _is_within_limits(value):
        raise _past_limit(text)
    if "\\ud" in text or "\\uD" in text:
        _refuse_surrogates(text)
    if has_repeats:
        raise Repeated((repeated_key(*each) for each in repeated_keys(text)), value)
    return value


class _BadNumber(Exception):
    def __init__(self, token: str, rule: str, message: str, fix: str) -> None:
        self.token, self.rule, self.message, self.fix = token, rule, message, fix


def _refuse_constant(token: str) -> NoReturn:
    message = f"is not valid JSON: {token} is no JSON number"
    raise _BadNumber(token, "INVALID_JSON", message, "write a number, a string or null")


def _float(token: str) -> float:
    value = float(token)
    if not math.isfinite(value):
        raise _BadNumber(token, "TOO_LARGE", f"{token[:20]} is beyond every float", "write a smaller number")
    return value


def _int(token: str) -> int:
    if len(token) > MAX_DIGITS:
        message = f"a number has {len(token):,} digits; at most {MAX_DIGITS:,} are read"
        raise _BadNumber(token, "TOO_LARGE", message, "write a shorter number")
    return int(token)


def _is_within_limits(value: Any) -> bool:
    count = 0
    level = [value]
    for _ in range(MAX_DEPTH):
        children: list[Any] = []
        for parent in level:
            if isinstance(parent, dict):
                children += parent.values()
                if any(len(key) > MAX_KEY for key in parent):
                    return False
            elif isinstance(parent, list):
                children += parent
        count += len(children)
        if not children or count > MAX_VALUES:
            return count <= MAX_VALUES
        level = children
    return False


def _past_limit(text: str) -> UnreadableText:
    """Return the error for the first place that exceeds a limit; the text must have one."""
    for index, (path, offset) in enumerate(places(text)):
        if len(path) >= MAX_DEPTH:
            message = f"nests more than {MAX_DEPTH} levels"
            return _unreadable(text, offset, "TOO_DEEP", message, "use $ref for inner types")
        if index > MAX_VALUES:
            message = f"holds more than {MAX_VALUES:,} values"
            return _unreadable(text, offset, "TOO_LARGE", message, "split it into several files")
        if path and isinstance(path[-1], str) and len(path[-1]) > MAX_KEY:
            message = f"a key has {len(path[-1]):,} characters; at most {MAX_KEY:,} are read"
            return _unreadable(text, offset, "TOO_LARGE", message, "shorten it")
    raise AssertionError("no place exceeds a limit")


def _refuse_surrogates(text: str) -> None:
    for start, token in tokens(text):
        if token[0] != '"' or "\\u" not in token:
            continue
        lone = next((char for char in json.loads(token) if "\ud800" <= char <= "\udfff"), None)
        if lone is not None:
            message = f"holds \\u{ord(lone):04x}, half of a surrogate pair, which is no character by itself"
            raise _unreadable(
                text, start, "INVALID_JSON", message, "write both halves, or the character itself"
            )


def _unreadable(text: str, offset: int, rule: str, message: str, fix: str) -> UnreadableText:
    return unreadable(*line_and_column(text, offset), rule, message, fix)
