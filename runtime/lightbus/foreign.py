"""Text that came from outside, made safe to show: events, exceptions, schemas, file names, servers, addresses.

A terminal obeys control characters, a reader is misled by invisible ones, and a line feed can forge a line of a log.
Everything that is not printable (C0, C1, DEL, bidirectional and zero-width characters, line separators, lone
surrogates) is shown as an escape; other Unicode stays as it is.
"""

from __future__ import annotations

import json
import re
import traceback
from collections import deque
from types import TracebackType
from typing import Any

_URL = re.compile(  # also in JSON and percent-encoded
    r"""(:(?:\\{0,4}/){2}|%3a%2f%2f)"""
    r"""(?:[^\s/@:"'`[]{1,100}:(?!\d{1,5}\b)[^\s@"'`]{0,100}[^\s@"'`,;.:)](?:[^\S\r\n][^\s@"'`]{0,100}){1,2}@(?=[\w[]))?"""
    r"""((?:[^\s"'`]|["'`](?=\w|[^\w\s"'`]{1,8}@))*)""",  # a quote before a letter is part of a password
    re.IGNORECASE,
)
_NO_SCHEME = re.compile(r"""(?<![\w:/\\])//[^\s/@:"'`]{1,100}:[^\s/@"'`]{1,100}@""")
_QUERY = re.compile(
    r"""([?&][\w.-]{0,30}(?:token|password|passwd|pwd|secret|api_?key|jwt)=)[^\s&#"'`]+""", re.IGNORECASE
)
_LONG = 10_000  # characters; a longer text is cut, and a login is shorter
_LOGINS: deque[str] = deque(maxlen=32)  # of this process's addresses, as they are written


def escaped(text: str) -> str:
    """Return text as one line: characters that are not printable are shown as in a Python literal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def escaped_lines(text: str, indent: str = "") -> str:
    """Return text whose only control characters are line feeds, with an indent after each."""
    return f"\n{indent}".join(map(escaped, text.split("\n")))


def escaped_json(value: Any) -> str:
    """Return one line of JSON in which other characters than printable ones are `\\uXXXX`."""
    text = json.dumps(value, ensure_ascii=False)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def without_logins(text: str) -> str:
    """Return text without the user, password or token of any URL in it, and without those of `keep_hidden`."""
    for login in _LOGINS:
        text = text.replace(login, "")
    text = _NO_SCHEME.sub("//", _URL.sub(_without_login, text))
    return _QUERY.sub(r"\1…", text)


def _without_login(url: re.Match[str]) -> str:
    separator, rest = url.groups()
    last = rest.rpartition("@")[2]
    return separator + (re.split("(?i)%40", last)[-1] if separator[0] == "%" else last)


def keep_hidden(address: str) -> None:
    """Have `without_logins` leave out the logins of an address of this process, even where there is no scheme."""
    for server in address.split(","):
        login = server.strip().rpartition("://")[2].rpartition("@")[0]
        if (":" in login or len(login) > 7) and f"{login}@" not in _LOGINS:  # shorter ones may be words
            _LOGINS.append(f"{login}@")


def excerpt(text: str) -> str:
    """Return text without logins, and only the beginning of a long one."""
    if len(text) <= 2 * _LONG:
        return without_logins(text)
    shown = without_logins(text[: 2 * _LONG])
    return f"{shown[: max(0, len(shown) - _LONG)]}…" + "\n" * text.endswith("\n")  # it cuts no login in two


def text_of(value: object) -> str:
    """Return the beginning of a value's text without logins, even if its `__str__` raises, or exits."""
    try:
        return excerpt("".join(str(value)))  # a subclass of `str` may have methods of its own
    except BaseException:
        return f"(no text: {type(value).__name__}.__str__ raises)"


def trace_of(error: BaseException) -> TracebackType | None:
    """Return an exception's traceback, even if its class has an attribute of that name."""
    trace: TracebackType | None = vars(BaseException)["__traceback__"].__get__(error)
    return trace


def traceback_of(error: BaseException, trace: TracebackType | None) -> str:
    """Format a traceback, without logins and with excerpts of long texts."""
    try:
        lines = traceback.format_exception(type(error), error, trace)
    except BaseException:  # an attribute of the exception raises
        lines = ["Traceback (most recent call last):\n", *traceback.format_tb(trace)]
        lines.append(f"{type(error).__name__}: {text_of(error)}")
    return "".join(map(excerpt, lines)).rstrip()
