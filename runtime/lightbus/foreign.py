"""Text that came from outside, made safe to show: events, exceptions, schemas, file names, servers, addresses.

A terminal obeys control characters, a reader is misled by invisible ones, and a line feed can forge a line of a log.
Everything that is not printable (C0, C1, DEL, bidirectional and zero-width characters, line separators, lone
surrogates) is shown as an escape; other Unicode stays as it is.
"""

from __future__ import annotations

import json
import re
from typing import Any

_LOGIN = re.compile(r"(?<=://)[^\s\"'`]*@")


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
    """Return text without the user, password or token of any URL in it."""
    return _LOGIN.sub("", text)
