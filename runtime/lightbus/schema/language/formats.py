"""String formats that Python has a type for, and the conversion of their text to that type.

The runtime converts and the code generator annotates by the same table, so a handler gets what its
generated signature says.
"""

from __future__ import annotations

import datetime
import decimal
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

_DURATION = re.compile(  # RFC 3339, appendix A, extended by a sign and fractions of a second
    r"(?P<sign>-?)P(?=\w)"
    r"(?:(?P<weeks>\d+)W$)?"
    r"(?P<calendar>(?:\d+Y(?!\d+D))?(?:\d+M)?)"
    r"(?:(?P<days>\d+)D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d+)H(?![\d.]+S))?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?",
    re.ASCII,
)
_DECIMAL = re.compile(
    r"[+-]?(?=\.?\d)(?P<whole>\d*)(?:\.(?P<fraction>\d*))?(?:[eE](?P<exponent>[+-]?\d+))?", re.ASCII
)
_UNITS = ("weeks", "days", "hours", "minutes", "seconds")

MAX_PLACES = 4_300
"""Digits of a decimal number before its point, and after it, when written without an exponent, as integers have.

`1e999999999` is a valid Decimal, but `int()` of it does not end.
"""

PYTHON_NAMES = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
    "array": "list",
    "object": "dict",
}
"""The names of JSON types in messages."""


@dataclass(frozen=True, slots=True)
class FormatType:
    """The Python type of a string format.

    Attributes:
        python: the type.
        decode: converts a JSON string to the type; raises ValueError for a text that the type cannot hold.
    """

    python: type
    decode: Callable[[str], Any] = field(repr=False)

    @property
    def module(self) -> str:
        """The module to import the type from: `datetime`."""
        return self.python.__module__

    @property
    def name(self) -> str:
        """The name of the type in its module: `timedelta`."""
        return self.python.__name__


def format_type(schema: object) -> FormatType | None:
    """Return the Python type of the strings that a schema accepts, or None if they stay `str`.

    Only the schema's own keywords count: its `type` must allow strings, and it must not list its values.

    Args:
        schema: a JSON Schema, a dict or boolean.
    """
    if not isinstance(schema, Mapping) or "enum" in schema or "const" in schema:
        return None
    kind = schema.get("type")
    if kind != "string" and not (isinstance(kind, list) and "string" in kind):
        return None
    if schema.get("contentEncoding") == "base64":
        return _BASE64
    name = schema.get("format")
    return _FORMATS.get(name) if isinstance(name, str) else None


def is_duration(text: str) -> bool:
    """Whether text is an RFC 3339 duration; a sign and fractions of a second, as timedeltas have, are allowed."""
    return _DURATION.fullmatch(text) is not None


def is_decimal(text: str) -> bool:
    """Whether text is a finite decimal number: `12.50`, `-1e3`, of at most `MAX_PLACES` digits on each side of the point."""
    match = _DECIMAL.fullmatch(text)
    return match is not None and not _has_many_places(match)


def is_long_decimal(text: str) -> bool:
    """Whether text is a decimal number of too many digits, when written without an exponent."""
    match = _DECIMAL.fullmatch(text)
    return match is not None and _has_many_places(match)


def _has_many_places(match: re.Match[str]) -> bool:
    try:
        exponent = int(match["exponent"] or 0)
    except ValueError:  # more digits than Python reads
        return True
    return max(len(match["whole"]) + exponent, len(match["fraction"] or "") - exponent) > MAX_PLACES


def is_base64(text: str) -> bool:
    """Whether text is standard base64 with padding (RFC 4648, section 4)."""
    try:
        msgspec.convert(text, bytes)
    except msgspec.ValidationError:
        return False
    return True


def parse_duration(text: str) -> datetime.timedelta:
    """Return the timedelta of an RFC 3339 duration.

    Raises:
        ValueError: text is not a duration, counts months or years (which have no fixed length), or is
            longer than a timedelta can hold.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("is not an RFC 3339 duration")
    if match["calendar"]:
        raise ValueError("counts months or years, which have no fixed length: no timedelta can hold it")
    try:
        length = datetime.timedelta(**{unit: float(match[unit] or 0) for unit in _UNITS})
        return -length if match["sign"] == "-" else length
    except OverflowError:
        raise ValueError("is longer than a timedelta can hold") from None


def _by_msgspec(python: type) -> FormatType:
    def decode(text: str) -> Any:
        try:
            return msgspec.convert(text, python)
        except msgspec.ValidationError:  # a leap second, the year 0
            raise ValueError(f"cannot be held by a Python {python.__name__}") from None

    return FormatType(python, decode)


_BASE64 = _by_msgspec(bytes)
_FORMATS = {
    "date-time": _by_msgspec(datetime.datetime),
    "date": _by_msgspec(datetime.date),
    "time": _by_msgspec(datetime.time),
    "duration": FormatType(datetime.timedelta, parse_duration),
    "uuid": _by_msgspec(uuid.UUID),
    "decimal": _by_msgspec(decimal.Decimal),
}
