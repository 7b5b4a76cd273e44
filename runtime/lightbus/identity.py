"""Ids of events: random UUIDs, of which none comes twice, also in processes that fork."""

from __future__ import annotations

import os
import re

_AT_ONCE = 256  # ids that are made together: asking the system for each takes as long as all the rest
_UUID = re.compile(r"(.{8})(.{4}).(.{3}).(.{3})(.{12})")

_stock: list[str] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_stock.clear)  # or parent and child would use the same ones


def event_id() -> str:
    """Return a new random UUID (version 4 of RFC 9562) as text."""
    while True:
        try:
            return _stock.pop()
        except IndexError:
            _stock.extend(_UUID.sub(r"\1-\2-4\3-8\4-\5 ", os.urandom(16 * _AT_ONCE).hex()).split())
