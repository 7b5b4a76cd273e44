"""How many events a worker prefetches: many for fast handlers, none for slow ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightbus.listening.prefetch import Prefetch


def after(prefetch: Prefetch, seconds: float, events: int) -> int:
    for _ in range(events):
        prefetch.handled(seconds)
    return prefetch.ahead


def test_a_worker_starts_with_its_free_slots_only() -> None:
    assert Prefetch(concurrency=4, ack_wait=30).ahead == 0


def test_it_grows_with_every_event() -> None:
    assert [after(Prefetch(1, 30), 0.00001, events) for events in (1, 2, 5, 10, 40)] == [1, 2, 6, 23, 1000]


@pytest.mark.parametrize(
    ("concurrency", "seconds", "ahead"),
    [(1, 0.00001, 1000), (1, 0.001, 250), (100, 0.01, 1000), (1, 0.1, 2), (1, 0.3, 0), (100, 10.0, 2)],
)
def test_it_stays_within_what_is_cleared_in_a_quarter_of_a_second(
    concurrency: int, seconds: float, ahead: int
) -> None:
    assert after(Prefetch(concurrency, ack_wait=30), seconds, 2000) == ahead


def test_it_stays_within_a_quarter_of_a_short_ack_wait() -> None:
    assert after(Prefetch(1, ack_wait=0.4), 0.01, 2000) == 10


def test_one_slow_event_takes_it_down_at_once_and_speed_is_believed_slowly() -> None:
    prefetch = Prefetch(1, 30)
    after(prefetch, 0.00001, 2000)
    assert after(prefetch, 1.0, 1) == 0
    assert after(prefetch, 0.00001, 5) == 0
    assert after(prefetch, 0.00001, 200) > 100


@given(
    st.integers(1, 200),
    st.floats(0.001, 3600),
    st.lists(st.floats(0, 100), min_size=1, max_size=200),
)
def test_what_waits_is_cleared_in_time_whatever_the_handlers_do(
    concurrency: int, ack_wait: float, times: list[float]
) -> None:
    prefetch = Prefetch(concurrency, ack_wait)
    for seconds in times:
        ahead = prefetch.handled(seconds)
        assert 0 <= ahead <= 1000
        assert ahead * seconds <= concurrency * min(0.25, ack_wait / 4)
