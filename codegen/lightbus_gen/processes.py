"""Pure work on many items, split over processes if there is enough of it and the system can fork.

If a process fails, the parent repeats its work, and raises any error.
"""

from __future__ import annotations

import functools
import os
import pickle
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

MAX_PROCESSES = 4
LEAST_WEIGHT = 200
"""Weight that justifies a process: generating as many events takes ten times as long as starting one."""


def spread(
    work: Callable[[_Item], _Result], items: Sequence[_Item], weight: Callable[[_Item], int]
) -> list[_Result]:
    """Apply a function to each item.

    Args:
        work: the function, without side effects, since another process may call it.
        items: the items.
        weight: returns how much work an item is; generating an event weighs 1.

    Returns:
        The results in the order of the items.
    """

    def done(share: Sequence[int]) -> dict[int, _Result]:
        return {index: work(items[index]) for index in share}

    shares = _shares([weight(item) for item in items])
    children = [_fork(functools.partial(done, share)) for share in shares[1:]]
    try:
        results = done(shares[0])
    finally:
        answers = [_answer(*child) for child in children]  # even if the work failed, no child outlives this
    for share, answer in zip(shares[1:], answers, strict=True):
        results |= pickle.loads(answer) if answer else done(share)
    return [results[index] for index in range(len(items))]


def _shares(weights: Sequence[int]) -> list[list[int]]:
    """Divide the items evenly among as many processes as are worth starting; return the indexes for each."""
    count = max(1, min(_processors(), sum(weights) // LEAST_WEIGHT))
    shares, loads = [list[int]() for _ in range(count)], [0] * count
    for index in sorted(range(len(weights)), key=lambda index: -weights[index]):
        lightest = loads.index(min(loads))
        shares[lightest].append(index)
        loads[lightest] += weights[index]
    return shares


def _processors() -> int:
    """Return how many processes can run at the same time; 1 if forking is not safe."""
    if sys.platform != "linux" or threading.active_count() > 1:
        return 1
    return min(len(os.sched_getaffinity(0)), MAX_PROCESSES)


def _fork(work: Callable[[], object]) -> tuple[int, int]:
    """Start a process that does the work; return its id and the pipe for its answer."""
    reader, writer = os.pipe()
    process = os.fork()
    if process:
        os.close(writer)
        return process, reader
    try:
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(pickle.dumps(work()))
        os._exit(0)
    finally:
        os._exit(1)  # without an answer: the parent repeats the work and raises the error


def _answer(process: int, reader: int) -> bytes:
    """Return the answer of a process, b"" if it failed."""
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    return answer if os.waitpid(process, 0)[1] == 0 else b""
