"""Decides what to do about a delivered event, by the table below. Pure.

    outcome          attempt      OnError                  decision
    Handled          any          any                      Ack
    Invalid          any          any                      GiveUp
    Defective        any          any                      GiveUp
    Failed           any          DEAD_LETTER, no_retry    GiveUp
    Failed           <= retries   DEAD_LETTER              Retry(backoff)
    Failed           >  retries   DEAD_LETTER              GiveUp
    Failed           any          ACKNOWLEDGE_AND_LOG      Ack
    Failed           any          SHUTDOWN                 Shutdown
    RetryAfter       <= retries   any                      Retry(its seconds)
    RetryAfter       >  retries   any                      as Failed
    Crashed          any          DEAD_LETTER, ACK...      GiveUp
    Crashed          any          SHUTDOWN                 (never an outcome)

A delivery counts as Crashed, before its handler would run, when its attempts are exhausted and none of them
reported a result: the worker died each time, lost its connection, or could not store the dead letter. The server counts every delivery, even of an
event that only waited in a worker that died, or that was given back; so it takes at least three. See `exhausted`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from lightbus.foreign import text_of

_YEAR = 365 * 24 * 3600  # seconds


class OnError(enum.Enum):
    """What a listener does when its handler raises.

    `DEAD_LETTER` retries with backoff, then keeps the event in the dead letters. `SHUTDOWN` stops the
    process and leaves the event on the stream. `ACKNOWLEDGE_AND_LOG` logs the error and drops the event.
    """

    DEAD_LETTER = "dead_letter"
    SHUTDOWN = "shutdown"
    ACKNOWLEDGE_AND_LOG = "acknowledge_and_log"


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before each retry: exponential, with jitter.

    Attributes:
        first: seconds before the first retry.
        factor: growth from one retry to the next.
        limit: the longest wait, in seconds.
        jitter: fraction by which a wait is randomly shortened, 0 to 1, so that retries spread out.
    """

    first: float = 1.0
    factor: float = 2.0
    limit: float = 60.0
    jitter: float = 0.2

    def __post_init__(self) -> None:
        if self.first < 0 or self.limit < self.first or self.factor < 1 or not 0 <= self.jitter <= 1:
            raise ValueError(
                f"{self} cannot be used: needs 0 <= first <= limit, factor >= 1 and jitter from 0 to 1"
            )

    def delay(self, attempt: int, chance: float) -> float:
        """Return the seconds to wait after a failed attempt.

        Args:
            attempt: which attempt failed, from 1.
            chance: a random number in [0, 1) that places the wait within the jitter.
        """
        exponent = min(attempt - 1, 64)  # keeps floats finite; by then the limit applies
        return min(self.first * self.factor**exponent, self.limit) * (1 - self.jitter * chance)


class RetryAfter(Exception):
    """Raised by a handler to have its event again after a time of its choice, in place of the backoff.

    The attempt counts; once `retries` are used up, it is an error like any other.

    Attributes:
        seconds: how long to wait, at most a year.
    """

    def __init__(self, seconds: float) -> None:
        if not 0 <= seconds <= _YEAR:
            raise ValueError(
                f"RetryAfter({seconds!r}): the seconds must be from 0 to {_YEAR:,}, which is a year"
            )
        super().__init__(seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        """Return what the handler asked for, for logs and dead letters."""
        return f"the handler asked for a retry after {self.seconds:g} s"


@dataclass(frozen=True, slots=True)
class Policy:
    """How a listener answers failures.

    Attributes:
        on_error: what to do when the handler raises.
        retries: how often a failed event is retried before it becomes a dead letter.
        backoff: the waits before retries.
        no_retry: exceptions after which a retry cannot help; the event becomes a dead letter at once.
        timeout: seconds a handler may take; longer counts as an error.
    """

    on_error: OnError = OnError.DEAD_LETTER
    retries: int = 8
    backoff: Backoff = Backoff()
    no_retry: tuple[type[BaseException], ...] = ()
    timeout: float = 3600.0


# -- outcomes ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Handled:
    """The handler returned."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The handler raised."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class Invalid:
    """The event could not be read, does not match its schema, or not the handler's call; a retry cannot help."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class Defective:
    """Reading the event raised an unexpected exception, which each attempt would raise again."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class Crashed:
    """All attempts are exhausted without a result, as when each worker died."""


Outcome = Handled | Failed | Invalid | Defective | Crashed

HANDLED = Handled()

# -- decisions -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ack:
    """The event is done."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Deliver the event again.

    Attributes:
        after: seconds to wait.
    """

    after: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Copy the event to the dead letters, then end it.

    Attributes:
        reason: a sentence for people, one line.
        error: the exception's class name, "" when there was none.
    """

    reason: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Give the event back and stop the listener's process."""

    error: BaseException


Decision = Ack | Retry | GiveUp | Shutdown

ACK = Ack()
_DELIVERIES = 3  # without a result, before an event counts as one that kills its workers


def exhausted(attempt: int, policy: Policy) -> bool:
    """Whether a delivery must not reach the handler, because earlier attempts crashed their workers."""
    return attempt > max(policy.retries + 1, _DELIVERIES) and policy.on_error is not OnError.SHUTDOWN


def can_spare(attempt: int, policy: Policy) -> bool:
    """Whether a delivery may be given back unhandled: one more may crash its worker, and the event can still run."""
    return not exhausted(attempt + 2, policy)


def decide(outcome: Outcome, attempt: int, policy: Policy, chance: float) -> Decision:
    """Decide what to do about a delivery, by the table at the top of the module.

    Args:
        attempt: the delivery's number, from 1.
        chance: a random number in [0, 1) for the jitter.
    """
    match outcome:
        case Handled():
            return ACK
        case Invalid(error):
            return GiveUp(one_line(text_of(error)), type(error).__name__)
        case Defective(error):
            reason = f"cannot be read: reading it raised {description_of(error)}"
            return GiveUp(one_line(reason), type(error).__name__)
        case Crashed():
            count = f"delivered {attempt - 1} times without a result"
            return GiveUp(
                f"{count}; its workers probably crashed, or could not store its dead letter: see their logs"
            )
        case Failed(RetryAfter() as error) if attempt <= policy.retries:
            return Retry(error.seconds)
        case Failed(error):
            if policy.on_error is OnError.ACKNOWLEDGE_AND_LOG:
                return ACK
            if policy.on_error is OnError.SHUTDOWN:
                return Shutdown(error)
            if attempt > policy.retries or isinstance(error, policy.no_retry):
                return GiveUp(one_line(description_of(error)), type(error).__name__)
            return Retry(policy.backoff.delay(attempt, chance))


def description_of(error: BaseException) -> str:
    """Return an exception's class and text."""
    return f"{type(error).__name__}: {text_of(error)}"


def one_line(text: str, limit: int = 500) -> str:
    """Fold a text to one line of at most `limit` characters of valid Unicode, as a header value must be."""
    folded = " ".join(text.encode("utf-8", "replace").decode().split())
    return folded if len(folded) <= limit else f"{folded[: limit - 1]}…"
