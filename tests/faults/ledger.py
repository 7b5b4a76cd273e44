"""What handlers recorded, in any process."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


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


class Ledger:
    """The file to which handlers append.

    Args:
        path: where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def entries(self) -> list[Entry]:
        """All entries, oldest first; an incomplete line counts as not written."""
        if not self.path.exists():
            return []
        whole, _, _ = self.path.read_text().rpartition("\n")
        return [Entry(**json.loads(line)) for line in whole.splitlines()]

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
