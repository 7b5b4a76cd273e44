"""Pure work on many items, split over processes where there is enough of it and the system can fork.

A process that fails costs nothing but time: the parent repeats its work, and raises any error.
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

MOST_PROCESSES = 4
LEAST_WEIGHT = 200
"""Weight that pays for a process: generating as many events takes ten times as long as starting one."""


def spread(
    work: Callable[[_Item], _Result], items: Sequence[_Item], weight: Callable[[_Item], int]
) -> list[_Result]:
    """Apply a function to each item.

    Args:
        work: the function; it changes nothing, since another process may carry it out.
        items: what to apply it to.
        weight: returns how much work an item makes; generating an event weighs 1.

    Returns:
        The results in the order of the items, whichever process made them.
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
    """Divide the items among the processes that pay, by index, about equally."""
    count = max(1, min(_processors(), sum(weights) // LEAST_WEIGHT))
    shares, loads = [list[int]() for _ in range(count)], [0] * count
    for index in sorted(range(len(weights)), key=lambda index: -weights[index]):
        lightest = loads.index(min(loads))
        shares[lightest].append(index)
        loads[lightest] += weights[index]
    return shares


def _processors() -> int:
    """Return how many processes can work at a time; 1 where forking is not safe."""
    if sys.platform != "linux" or threading.active_count() > 1:
        return 1
    return min(len(os.sched_getaffinity(0)), MOST_PROCESSES)


def _fork(work: Callable[[], object]) -> tuple[int, int]:
    """Start a process that does the work; return its id and the pipe that it answers by."""
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
    """Return what a process answered, b"" where it failed."""
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    return answer if os.waitpid(process, 0)[1] == 0 else b""
