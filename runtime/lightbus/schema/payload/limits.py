"""How large the values of a payload may be, so that every reader in any language can take them apart.

The same on both sides: `fire()` refuses what goes beyond, and a listener sends it to the dead letters. Without limits
of our own it would depend on a Python's version, and on the stack, what is read and what is not.
"""

from __future__ import annotations

from typing import Any

MAX_DEPTH = 100
"""Levels of objects and arrays, the payload itself the first; readers in other languages stop at 128, or earlier."""

MAX_DIGITS = 4_300
"""Digits of an integer; Python reads no more, as longer ones take too long."""

_MAX_BITS = int(MAX_DIGITS * 3.3219)  # the largest number of so many digits has one more

_HOLDERS = (dict, list, tuple)

_MANY = 5_000  # values; a validator takes about 30 µs for each that is wrong, even if nobody looks at it


def is_too_deep(value: object) -> bool:
    """Whether a tree of builtins has more levels than a payload may have; it may also contain itself."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [part for holder in level for part in _parts(holder) if isinstance(part, _HOLDERS)]
        if not level:
            return False
    return True


def is_too_long(number: int) -> bool:
    """Whether an integer has more digits than a payload may hold."""
    return number.bit_length() > _MAX_BITS


def has_many(value: object) -> bool:
    """Whether a tree of builtins is so large that to explain everything wrong with it would stop a service."""
    holders, count = [value], 0
    while holders and count <= _MANY:
        parts = _parts(holders.pop())
        count += len(parts)
        holders += [part for part in parts if isinstance(part, _HOLDERS)]
    return count > _MANY


def _parts(value: Any) -> Any:
    """Return the values an object or array holds."""
    return value.values() if isinstance(value, dict) else value
