"""Work on many items gives the same result in one process and in several."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import pytest

from lightbus_gen.compat.processes import in_processes


def squares(items: Sequence[int]) -> list[int]:
    return [item * item for item in items]


@pytest.mark.parametrize("count", [0, 1, 7, 100])
def test_what_is_found_is_in_the_order_of_the_items(count: int) -> None:
    assert in_processes(squares, range(count), fewest=2) == squares(range(count))


@pytest.mark.skipif(sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2, reason="one process is used")
def test_what_fails_in_another_process_fails_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "threading.active_count", lambda: 1
    )  # as in the command line, which has no other threads
    seen: list[int] = []

    def work(items: Sequence[int]) -> list[int]:
        seen.extend(items)
        if items[-1] == 9:
            raise ValueError("nine")
        return list(items)

    with pytest.raises(ValueError, match="nine"):
        in_processes(work, range(10), fewest=5)
    assert seen == list(range(10))
