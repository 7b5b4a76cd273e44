"""The options of `listen()`, and their validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypedDict

from lightbus.errors import UsageError, did_you_mean
from lightbus.listening.decide import Backoff, OnError, Policy
from lightbus.transport import Since

_DEFAULT = Policy()


class ListenOptions(TypedDict, total=False):
    """The optional arguments of `listen()` and `listen_async()`.

    Attributes:
        on_error: what to do when the handler raises; default `OnError.DEAD_LETTER`.
        concurrency: events handled at a time; default 1, which keeps events in order until one is retried.
        since: where a durable that does not exist yet starts: "beginning" (default), "now" or a datetime with a time zone.
        retries: how often a failed event is retried before it becomes a dead letter; default 8.
        backoff: the waits before retries; default 1 s, doubling, at most 60 s.
        no_retry: exceptions, as a class or a tuple of classes, after which the event becomes a dead letter at once.
        timeout: seconds the handler may take for an event; longer counts as an error; default 3,600. A sync
            handler cannot be stopped: its thread continues beside the retry.
        ordered: True handles no event before the previous one is finally settled, retries included, over all
            processes of the service; for a durable that does not exist yet. Requires concurrency 1.
        ack_wait: for a durable that does not exist yet, seconds until another worker takes over the events
            of one that died; default 30. A running handler may take longer: its worker keeps the event.
    """

    on_error: OnError
    concurrency: int
    since: Since
    retries: int
    backoff: Backoff
    no_retry: type[BaseException] | tuple[type[BaseException], ...]
    timeout: float
    ordered: bool
    ack_wait: float


def policy_of(options: ListenOptions) -> Policy:
    """Return the policy that options select."""
    no_retry = options.get("no_retry", _DEFAULT.no_retry)
    return Policy(
        options.get("on_error", _DEFAULT.on_error),
        options.get("retries", _DEFAULT.retries),
        options.get("backoff", _DEFAULT.backoff),
        no_retry if isinstance(no_retry, tuple) else (no_retry,),
        options.get("timeout", _DEFAULT.timeout),
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_seconds(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf")


def _is_since(value: object) -> bool:
    if isinstance(value, datetime):
        return value.utcoffset() is not None and value <= datetime.now(UTC)
    return value in ("beginning", "now")


def _is_errors(value: object) -> bool:
    classes = value if isinstance(value, tuple) else (value,)
    return all(isinstance(cls, type) and issubclass(cls, BaseException) for cls in classes)


_VALID: dict[str, tuple[Callable[[Any], bool], str]] = {
    "on_error": (lambda value: isinstance(value, OnError), "an OnError, such as OnError.SHUTDOWN"),
    "concurrency": (lambda value: _is_count(value) and value >= 1, "a whole number from 1"),
    "since": (
        _is_since,
        '"beginning", "now" or a datetime with a time zone, such as datetime.now(UTC), that is not in the future',
    ),
    "retries": (lambda value: _is_count(value) and value >= 0, "a whole number from 0"),
    "backoff": (lambda value: isinstance(value, Backoff), "a Backoff, such as Backoff(first=0.5)"),
    "no_retry": (_is_errors, "an exception class or a tuple of them"),
    "timeout": (_is_seconds, "seconds above 0"),
    "ordered": (lambda value: isinstance(value, bool), "True or False"),
    "ack_wait": (_is_seconds, "seconds above 0"),
}


def check(options: Mapping[str, object]) -> None:
    """Check the names and values of options, for untyped code.

    Raises:
        UsageError: an option is unknown, or its value is invalid.
    """
    for name, value in options.items():
        if name not in _VALID:
            raise UsageError(
                f"listen() has no option {name!r}{did_you_mean(name, _VALID)}; it takes {', '.join(_VALID)}"
            )
        is_valid, expected = _VALID[name]
        if not is_valid(value):
            raise UsageError(f"listen(): {name}={value!r} is not {expected}")
    if options.get("ordered") and options.get("concurrency", 1) != 1:
        raise UsageError(
            "listen(): ordered=True handles one event at a time, so concurrency= cannot be more than 1"
        )
