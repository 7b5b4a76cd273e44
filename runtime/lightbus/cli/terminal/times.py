"""Times, as the command line reads and writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

_AGO = re.compile(r"(\d+)([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Time(click.ParamType[datetime]):
    """A time, or how long ago it was."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read `2026-11-23T09:30` (UTC without an offset), or `2h` for two hours ago."""
        if isinstance(value, datetime):
            return value
        try:
            if ago := _AGO.fullmatch(value):
                return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            time = datetime.fromisoformat(value)
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is not a time; write 2026-11-23T09:30 (UTC), or 90m, 2h, 7d for that long ago"
            )
        return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def format_time(time: datetime) -> str:
    """Return a time in UTC, in the form that `Time` reads; with its own offset when its UTC year is not 1 to 9999."""
    try:
        time = time.astimezone(UTC)
    except OverflowError:
        return time.isoformat(timespec="milliseconds")
    return time.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
