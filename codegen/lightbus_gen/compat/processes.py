"""Work on many items, split over processes where that pays."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import TypeVar

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")
_FEWEST = 40
"""Items that are worth a process."""


def in_processes(
    work: Callable[[Sequence[_Item]], list[_Found]], items: Sequence[_Item], fewest: int = _FEWEST
) -> list[_Found]:
    """Do some work on items, in copies of this process if they are many; return all that was found, in order.

    Args:
        work: what to do with a run of items; what it returns can be pickled.
        items: the items.
        fewest: how many items are worth a process.
    """
    count = min(_processes(), len(items) // fewest)
    if count < 2:
        return work(items)
    edges = [len(items) * index // count for index in range(count + 1)]
    own, *others = (items[start:end] for start, end in itertools.pairwise(edges))
    connections = [_begin(work, part) for part in others]
    found = work(own)
    for part, connection in zip(others, connections, strict=True):
        try:
            found += connection.recv()
        except EOFError:  # it failed there, so it does here, where the error can be seen
            found += work(part)
    return found


def _processes() -> int:
    """Return how many processes to use: copies are made on Linux alone, and not of a process with threads."""
    if sys.platform != "linux" or threading.active_count() > 1:
        return 1
    return len(os.sched_getaffinity(0))


def _begin(work: Callable[[Sequence[_Item]], list[_Found]], part: Sequence[_Item]) -> Connection:
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)

    def send() -> None:
        try:
            there.send(work(part))
        except Exception:  # what is closed without an answer says so
            there.close()

    context.Process(target=send, daemon=True).start()
    there.close()
    return here
