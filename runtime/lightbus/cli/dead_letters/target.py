"""Which dead letters a command is about, and how it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightbus.event.dead_letter import Filter


@dataclass(frozen=True, slots=True)
class Target:
    """Which dead letters a command is about, and how it answers.

    Attributes:
        url: the server's address; None looks it up.
        prefix: first token of the bus's streams.
        wanted: which dead letters.
        as_json: whether to write one JSON object a line.
    """

    url: str | None
    prefix: str
    wanted: Filter
    as_json: bool
