"""What handlers recorded, in any process."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Entry:
    """The start or end of a handler.

    Attributes:
        kind: which of the two.
        listener: its listener_name.
        id, number: of the event. attempt: of the delivery, from 1.
        pid: its process.
        at: seconds on the clock that all processes of the machine share.
    """

    kind: Literal["begin", "end"]
    listener: str
    id: str
    number: int
    attempt: int
    pid: int
    at: float


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of time in which a worker's event loop did not turn, and its listeners answered nothing.

    Attributes:
        pid: the process.
        at: its end, in seconds on the clock that all processes of the machine share.
        lasted: its length in seconds.
        waited: how many of these seconds the loop was ready to run and had no core.
    """

    pid: int
    at: float
    lasted: float
    waited: float = 0.0


class Ledger:
    """The file to which handlers append.

    Args:
        path: where it is. The gaps of workers' event loops are in a file beside it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.gaps_path = path.with_name(f"{path.name}-gaps")

    @property
    def entries(self) -> list[Entry]:
        """All entries, oldest first; an incomplete line counts as not written."""
        return [Entry(**line) for line in _lines(self.path)]

    @property
    def gaps(self) -> list[Gap]:
        """All gaps that workers noticed, oldest first."""
        return [Gap(**line) for line in _lines(self.gaps_path)]

    def began(self, listener: str = "one") -> list[int]:
        """The numbers of the events that a listener's handlers started, in order."""
        return [entry.number for entry in self.entries if (entry.kind, entry.listener) == ("begin", listener)]

    def handled(self, listener: str = "one") -> Counter[int]:
        """How often a listener's handlers finished each event, by number."""
        return Counter(
            entry.number for entry in self.entries if (entry.kind, entry.listener) == ("end", listener)
        )

    def attempts(self, number: int, listener: str = "one") -> list[int]:
        """The attempts at an event that a listener's handlers started, in order."""
        return [
            entry.attempt
            for entry in self.entries
            if (entry.kind, entry.listener, entry.number) == ("begin", listener, number)
        ]


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    whole, _, _ = path.read_text().rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]
