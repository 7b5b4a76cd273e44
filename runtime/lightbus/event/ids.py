"""Ids of events: random UUIDs that never repeat, even in processes that fork."""

from __future__ import annotations

import os

_BATCH = 256  # ids generated together: one request for random digits costs as much as all the rest

_stock: list[str] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_stock.clear)  # otherwise parent and child would use the same ids


def event_id() -> str:
    """Return a new random UUID (version 4 of RFC 9562) as text."""
    while True:
        try:
            return _stock.pop()
        except IndexError:
            digits = os.urandom(16 * _BATCH).hex()
            _stock.extend(_uuid(digits[start : start + 32]) for start in range(0, len(digits), 32))


def _uuid(digits: str) -> str:
    """Write 32 random hexadecimal digits as a UUID of version 4."""
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"
