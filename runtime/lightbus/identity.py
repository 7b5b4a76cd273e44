"""Ids of events: random UUIDs, of which none comes twice, also in processes that fork."""

from __future__ import annotations

import os

_AT_ONCE = (
    256  # ids whose digits the system is asked for together, since asking it takes as long as all the rest
)

_stock: list[str] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_stock.clear)  # or parent and child would use the same ones


def event_id() -> str:
    """Return a new random UUID (version 4 of RFC 9562) as text."""
    while True:
        try:
            digits = _stock.pop()
        except IndexError:
            random = os.urandom(16 * _AT_ONCE).hex()
            _stock.extend([random[start : start + 32] for start in range(0, len(random), 32)])
        else:
            return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"
