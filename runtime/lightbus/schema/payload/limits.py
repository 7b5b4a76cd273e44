"""The values that a payload may hold: those of JSON, and not too large for a reader in any language.

The limits are the same on both sides: `fire()` refuses what exceeds them, and a listener dead-letters it. Without
limits of our own, what can be read would depend on the Python version and on the stack.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any, cast

import msgspec
from msgspec import UNSET

from lightbus.schema.language.keywords import Path
from lightbus.schema.payload.problems import short

MAX_DEPTH = 100
"""Levels of objects and arrays, including the payload itself; readers in other languages stop at 128, or earlier."""

MAX_DIGITS = 4_300
"""Digits of an integer; Python reads no more, because longer ones take too long."""

JSON_SCALARS = frozenset((str, int, bool, type(None)))
"""Types whose values are JSON, apart from integers that are too long and strings that are not Unicode text."""

_MAX_BITS = int(MAX_DIGITS * 3.3219)  # the largest number with that many digits has one more bit

_HOLDERS = (dict, list, tuple)


def is_too_deep(value: object) -> bool:
    """Whether a tree of builtins, which may contain itself, has more levels than a payload may have."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [part for holder in level for part in _parts(holder) if isinstance(part, _HOLDERS)]
        if not level:
            return False
    return True


def _parts(value: Any) -> Any:
    """Return the values in an object or array."""
    return value.values() if isinstance(value, dict) else value


class Oversized(Exception):
    """A payload has more bytes than it may have.

    Attributes:
        size: its bytes, at least.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__(size)


def least_size(value: object) -> int:
    """Return how many bytes of JSON a Python value becomes at least.

    Takes time in proportion to the memory of the value: a list that is in many places is read once for each level.

    Raises:
        RecursionError: the value has more levels than a payload may have; it may contain itself.
    """
    size = 0
    level: dict[int, tuple[Any, int]] = {id(value): (value, 1)}  # each part, and in how many places it is
    for _ in range(MAX_DEPTH):
        inner: dict[int, tuple[Any, int]] = {}
        for holder, places in level.values():
            parts = _contents(holder)
            is_container = isinstance(holder, _CONTAINERS)
            size += places * (_SEPARATED * len(parts) if is_container else bool(parts))
            for part in parts:
                if isinstance(part, _TEXTS):
                    size += places * len(part)
                elif not (part is None or isinstance(part, (int, float))):
                    inner[id(part)] = part, places + (inner[id(part)][1] if id(part) in inner else 0)
        if not inner:
            return size
        level = inner
    raise RecursionError


_SEPARATED = 2  # bytes of the shortest value in an object or array, with its comma
_TEXTS = (str, bytes, bytearray)
_CONTAINERS = (*_HOLDERS, set, frozenset)


def _contents(value: Any) -> Collection[Any]:
    """Return the values that are written for a container, or for a msgspec, dataclasses or attrs object."""
    if isinstance(value, dict):
        return [*value, *value.values()]
    if isinstance(value, (datetime.datetime, datetime.time)):
        return _exact(value)
    if isinstance(value, _CONTAINERS):
        return cast(Collection[Any], value)
    if isinstance(value, msgspec.Struct):
        parts = [getattr(value, name, UNSET) for name in value.__struct_fields__]
        omits = value.__struct_config__.omit_defaults
        return [part for part in parts if part is not UNSET and not (omits and isinstance(part, _TEXTS))]
    fields = getattr(type(value), "__dataclass_fields__", None)
    names = fields or (field.name for field in getattr(type(value), "__attrs_attrs__", ()))
    parts = [getattr(value, name, UNSET) for name in names if not name.startswith("_")]
    return [part for part in parts if part is not UNSET]


def _exact(value: datetime.datetime | datetime.time) -> tuple[()]:
    """Refuse a time whose offset has seconds, as those of before 1900 do: written without them it would be another."""
    if (offset := value.utcoffset()) and offset % _MINUTE:
        raise ValueError(
            "its offset from UTC is not in whole minutes, as JSON Schema requires; use .astimezone(UTC)"
        )
    return ()


_MINUTE = datetime.timedelta(minutes=1)


def are_json_scalars(arguments: Mapping[str, object]) -> bool:
    """Whether all values are certainly scalars of JSON; quick, and False if a string is not ASCII."""
    values = arguments.values()
    try:
        return JSON_SCALARS.issuperset(map(type, values)) and "".join(map(str, values)).isascii()
    except ValueError:  # an integer too long for Python to write
        return False


def is_json_scalar(value: object) -> bool:
    """Whether a value is certainly a scalar of JSON."""
    if type(value) is str:
        return value.isascii()  # others may contain an unpaired surrogate
    if type(value) is int:
        return not _is_too_long(value)
    return type(value) in JSON_SCALARS or (type(value) is float and math.isfinite(value))


def not_json(value: object, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield (path, what is wrong) of each value in a tree of builtins that JSON cannot hold."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            yield path, f"{short(value)} is not Unicode text: it has an unpaired surrogate"
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield path, f"{value!r} cannot be written as JSON"
    elif isinstance(value, int):
        if _is_too_long(value):
            yield path, f"is an integer of more than {MAX_DIGITS:,} digits"
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from not_json(key, path)
            yield from not_json(item, (*path, key))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from not_json(item, (*path, index))


def _is_too_long(number: int) -> bool:
    return number.bit_length() > _MAX_BITS
