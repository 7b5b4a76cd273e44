"""Text from outside takes work in proportion to its length, whatever is in it: measured as ratios, never as times."""

from __future__ import annotations

import ast
import contextlib
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import lightbus
from lightbus.event.dead_letter import DeadLetter, failure_of
from lightbus.event.tracebacks import users_traceback
from lightbus.foreign import escaped, escaped_json, escaped_lines, excerpt, text_of, without_logins
from lightbus.jetstream.connection import diagnosis
from lightbus.listening.decide import description_of, one_line
from lightbus.logs import indented
from lightbus.naming import Place

RUNTIME = Path(lightbus.__file__).parent
PUMPS = [
    "://",
    "://a",
    "://a:b",
    "://a:b ",
    "//a:",
    ":\\/\\/a",
    "%3a%2f%2fa",
    "?token=",
    "a",
    "1",
    " ",
    "\n",
    "\x00",
    "-",
    ".",
    ":",
    "/",
    "'",
    '"',
    "@",
    "%",
    "_",
    "=",
    "a.",
    "1.",
    "é",
]
HEADS, TAILS = ["", "x", "://", "-BEGIN USER NKEY SEED-"], ["", "x", "\x00", " !"]
TIMES = 16  # growth of the texts; quadratic work grows 256 times


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time of a piece of work, the least of three runs."""
    runs = []
    for _ in range(3):
        start = time.thread_time()
        work()
        runs.append(time.thread_time() - start)
    return min(runs)


def is_linear(
    work: Callable[[str], object], pump: str, head: str = "", tail: str = "", size: int = 100
) -> bool:
    """Whether work grows as its text does; what is too short to measure counts as 0.02 ms."""
    short, long = (head + pump * count + tail for count in (size, TIMES * size))

    def ratio() -> float:
        return seconds(lambda: work(long)) / max(seconds(lambda: work(short)), 2e-5)

    return any(ratio() < 4 * TIMES for _ in range(3))


def searches() -> Iterator[tuple[str, Callable[[str], object]]]:
    """Yield each regular expression of the runtime as it is used there, with its place."""
    calls = re.compile(
        r"""(?:(\w+) = )?\bre\.(compile|match|search|sub)\(\s*((?:rb?|br?)?(["'])(?:\\.|(?!\4).)*\4)"""
    )
    for path in sorted(RUNTIME.rglob("*.py")):
        code = path.read_text()
        for call in calls.finditer(code):
            name, method, literal, _ = call.groups()
            pattern = ast.literal_eval(literal)
            text = pattern.decode() if isinstance(pattern, bytes) else pattern
            is_anchored = method == "match" or bool(name and re.search(rf"\b{name}\.(full)?match\(", code))
            with contextlib.suppress(re.error):  # only the first line of a longer one
                compiled = re.compile(text)
                yield f"{path.name}: {text}", compiled.match if is_anchored else compiled.search


SEARCHES = dict(searches())


@pytest.mark.parametrize("place", SEARCHES)
def test_no_regular_expression_of_the_runtime_looks_at_a_text_many_times(place: str) -> None:
    own = re.findall(r"[A-Za-z' ]{2,}", place)  # its own words
    slow = [
        (head, pump, tail)
        for head in HEADS
        for pump in [*PUMPS, *own]
        for tail in TAILS
        if not is_linear(SEARCHES[place], pump, head, tail)
    ]
    assert slow == []


def test_the_sweep_sees_the_regular_expressions() -> None:
    assert len(SEARCHES) > 20
    assert not is_linear(re.compile(r"(?<=://)[^\s]*@").search, "://")


class Loud(Exception):
    """An exception of a handler, with the text of an event in it."""


def raised(text: str) -> Loud:
    try:
        raise Loud(text)
    except Loud as error:
        return error


def stored(text: str) -> object:
    """Return the headers of the dead letter of an event whose handler raised a text, and whose id is it."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    dead_letter = DeadLetter.first(
        Place("s", "l", 1, now),
        "s",
        {"ce-id": text, "Nats-Msg-Id": text},
        b"",
        attempts=1,
        failure=failure_of(raised(text), one_line(text)),
        now=now,
    )
    return dead_letter.encode({}, 10_000_000)


FUNCTIONS: dict[str, Callable[[str], object]] = {
    "escaped": escaped,
    "escaped_lines": escaped_lines,
    "escaped_json": escaped_json,
    "without_logins": without_logins,
    "excerpt": excerpt,
    "indented": indented,
    "one_line": one_line,
    "text_of": lambda text: text_of(raised(text)),
    "description_of": lambda text: description_of(raised(text)),
    "users_traceback": lambda text: users_traceback(raised(text)),
    "too_old": diagnosis.too_old,
    "reason": lambda text: diagnosis.reason(raised(text), 1.0),
    "is_final": lambda text: diagnosis.is_final(raised(text)),
    "advice": lambda text: diagnosis.advice(text, "NATS_URL"),
    "a dead letter": stored,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_function_that_sees_foreign_text_looks_at_it_many_times(name: str) -> None:
    assert [pump for pump in PUMPS for tail in TAILS if not is_linear(FUNCTIONS[name], pump, "x", tail)] == []


def test_a_long_text_is_cut_before_it_is_looked_at() -> None:
    long = "x" * 1_000_000
    assert len(text_of(raised(long))) < 20_000
    assert len(users_traceback(raised(long))) < 21_000
    assert users_traceback(raised(long)).startswith("Traceback")


@pytest.mark.parametrize("before", [0, 5_000, *range(9_970, 10_010, 3), *range(19_970, 20_010, 3), 30_000])
def test_the_cut_leaves_no_half_of_a_login(before: int) -> None:
    text = "x" * before + " nats://joe:s3cret-pw@host " + "y" * 60_000
    shown = excerpt(text)
    assert "joe" not in shown and "s3cret" not in shown
    assert "s3c" not in excerpt(" " * before + " nats://joe:s3cret-pw@host " * 4_000)
