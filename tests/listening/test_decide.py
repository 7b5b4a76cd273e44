"""The table of decisions, row by row."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lightbus.listening.decide import (
    Ack,
    Backoff,
    Crashed,
    Decision,
    Defective,
    Failed,
    GiveUp,
    Handled,
    Invalid,
    OnError,
    Outcome,
    Policy,
    Retry,
    RetryAfter,
    Shutdown,
    can_spare,
    decide,
    exhausted,
    one_line,
)

ERROR = ValueError("no such\nuser")
EVEN = Backoff(first=1, factor=2, limit=60, jitter=0)


@pytest.mark.parametrize("on_error", list(OnError))
def test_handled_is_acknowledged_whatever_the_policy(on_error: OnError) -> None:
    assert decide(Handled(), 1, Policy(on_error), 0.5) == Ack()


@pytest.mark.parametrize("on_error", list(OnError))
def test_unreadable_is_kept_with_its_reason_and_never_dropped(on_error: OnError) -> None:
    assert decide(Invalid(ERROR), 1, Policy(on_error), 0.5) == GiveUp("no such user", "ValueError")


@pytest.mark.parametrize(
    ("attempt", "decision"),
    [
        (1, Retry(1)),
        (2, Retry(2)),
        (3, Retry(4)),
        (4, GiveUp("ValueError: no such user", "ValueError")),
        (9, GiveUp("ValueError: no such user", "ValueError")),
    ],
)
def test_failures_are_retried_and_then_kept(attempt: int, decision: Retry | GiveUp) -> None:
    policy = Policy(OnError.DEAD_LETTER, retries=3, backoff=EVEN)
    assert decide(Failed(ERROR), attempt, policy, 0.5) == decision


@pytest.mark.parametrize(
    ("on_error", "decision"),
    [(OnError.ACKNOWLEDGE_AND_LOG, Ack()), (OnError.SHUTDOWN, Shutdown(ERROR))],
)
def test_the_other_policies_decide_at_the_first_failure(on_error: OnError, decision: object) -> None:
    assert decide(Failed(ERROR), 1, Policy(on_error), 0.5) == decision


@pytest.mark.parametrize(
    ("on_error", "last"),
    [
        (OnError.DEAD_LETTER, GiveUp("RetryAfter: the handler asked for a retry after 90 s", "RetryAfter")),
        (OnError.ACKNOWLEDGE_AND_LOG, Ack()),
        (OnError.SHUTDOWN, Shutdown),
    ],
)
def test_a_handler_chooses_the_wait_itself_while_there_are_retries(
    on_error: OnError, last: Decision | type[Shutdown]
) -> None:
    policy, asked = Policy(on_error, retries=2, backoff=EVEN, no_retry=(Exception,)), Failed(RetryAfter(90))
    assert [decide(asked, attempt, policy, 0.5) for attempt in (1, 2)] == [Retry(90), Retry(90)]
    decision = decide(asked, 3, policy, 0.5)
    assert decision == last or type(decision) is last


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 1e10])
def test_a_wait_that_the_server_cannot_keep_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="the seconds must be from 0 to 31,536,000"):
        RetryAfter(seconds)


@pytest.mark.parametrize(
    ("on_error", "attempt", "expected"),
    [
        (OnError.DEAD_LETTER, 4, False),
        (OnError.DEAD_LETTER, 5, True),
        (OnError.ACKNOWLEDGE_AND_LOG, 5, True),
        (OnError.SHUTDOWN, 500, False),
    ],
)
def test_a_delivery_past_its_attempts_never_reaches_the_handler(
    on_error: OnError, attempt: int, expected: bool
) -> None:
    assert exhausted(attempt, Policy(on_error, retries=3)) is expected


@given(retries=st.integers(0, 20), on_error=st.sampled_from(OnError))
def test_an_event_that_is_given_back_can_still_crash_a_worker_and_then_run(
    retries: int, on_error: OnError
) -> None:
    policy = Policy(on_error, retries)
    assert can_spare(1, policy)
    spared = 1
    while can_spare(spared, policy) and spared < 50:
        spared += 1
    assert not exhausted(spared, policy)
    assert not exhausted(spared + 1, policy)


def test_a_crash_loop_says_how_often_it_was_tried() -> None:
    decision = decide(Crashed(), 5, Policy(), 0.5)
    assert decision == GiveUp(
        "delivered 4 times without a result; its workers probably crashed, or could not store its dead letter: see their logs"
    )


@given(
    attempt=st.integers(1, 10_000),
    chance=st.floats(0, 1, exclude_max=True),
    first=st.floats(0, 10),
    factor=st.floats(1, 10),
    extra=st.floats(0, 1000),
    jitter=st.floats(0, 1),
)
def test_waits_stay_within_their_limits(
    attempt: int, chance: float, first: float, factor: float, extra: float, jitter: float
) -> None:
    backoff = Backoff(first, factor, first + extra, jitter)
    assert 0 <= backoff.delay(attempt, chance) <= first + extra


@pytest.mark.parametrize(
    "settings", [{"first": -1}, {"first": 2, "limit": 1}, {"factor": 0.5}, {"jitter": 1.5}]
)
def test_a_backoff_that_makes_no_sense_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="cannot be used"):
        Backoff(**settings)


@pytest.mark.parametrize("on_error", OnError)
def test_a_defect_in_reading_ends_the_event_and_not_the_listener(on_error: OnError) -> None:
    decision = decide(Defective(KeyError(42)), 1, Policy(on_error), 0.5)
    assert isinstance(decision, GiveUp) and decision.error == "KeyError"
    assert decision.reason.endswith("KeyError: 42")


@given(st.text(st.characters()))
@example("\udcff")
def test_reasons_fit_a_header(text: str) -> None:
    line = one_line(text)
    line.encode()
    assert len(line) <= 500
    assert "\n" not in line and "\r" not in line


@pytest.mark.parametrize("outcome", [Handled(), Failed(ERROR), Invalid(ERROR), Defective(ERROR), Crashed()])
def test_every_outcome_has_a_decision(outcome: Outcome) -> None:
    for policy in OnError:
        assert decide(outcome, 3, Policy(policy), 0.0) is not None


def test_an_exception_that_cannot_say_what_it_is_does_no_harm() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    decision = decide(Failed(Mute()), 1, Policy(retries=0), 0.5)
    assert isinstance(decision, GiveUp) and decision.error == "Mute"


def test_no_reason_shows_a_login() -> None:
    error = ConnectionError("cannot reach nats://joe:s3cret-pw@host")
    for outcome in (Failed(error), Defective(error)):
        decision = decide(outcome, 1, Policy(retries=0), 0.5)
        assert isinstance(decision, GiveUp) and decision.reason.endswith("cannot reach nats://host")
