"""The format of a dead letter, its size, and the selection by filters."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import CodeType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightbus import naming
from lightbus.errors import InvalidEvent, Problem, UnreadableEvent
from lightbus.event.dead_letter import DeadLetter, Failure, Filter, digest, failure_of
from lightbus.event.envelope import message_size
from lightbus.naming import Place

NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, UTC)
PLACE = Place("lightbus-shop", "mailer-welcome", 17, NOON)
MEGABYTE = 1024 * 1024
DEAD_LETTER = DeadLetter(
    number=0,
    place=PLACE,
    subject="lightbus.shop.created",
    event_id="6f1d",
    body=b"{}",
    headers={"Content-Type": "text/plain"},
    failure=Failure("ValueError: no", "ValueError", "0123456789ab", "Traceback\n  line\nValueError: no"),
    attempts=9,
    first_failed=NOON,
    last_failed=NOON,
)


def stored(dead_letter: DeadLetter, limit: int = MEGABYTE, number: int = 5) -> DeadLetter:
    """Send a dead letter over the wire and read it again."""
    headers = dead_letter.encode({"Nats-Msg-Id": "x"}, limit)
    assert message_size(dead_letter.body, headers) <= limit
    for name, value in headers.items():
        assert value.isascii() and value.isprintable() and value == value.strip(), name
    return DeadLetter.decode(PLACE, number, headers, dead_letter.body, NOON, limit=limit)


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(reason=texts, traceback=texts, event_id=texts)
def test_any_text_comes_back(reason: str, traceback: str, event_id: str) -> None:
    traceback = "\n".join(traceback.splitlines()[-5:])
    failure = Failure(reason[:300], "ValueError", "0123456789ab", traceback[:300])
    dead_letter = dataclasses.replace(DEAD_LETTER, failure=failure, event_id=event_id[:100])
    assert stored(dead_letter) == dataclasses.replace(dead_letter, number=5)


@pytest.mark.parametrize("missing", [0, 1, 11, 12, 13, 40, 100, 200, 400, 600, 1000, 5000])
def test_what_is_said_gives_way_to_the_event(missing: int) -> None:
    """A dead letter fits, however little room its event leaves."""
    failure = Failure("ü" * 500, "ValueError", "0123456789ab", "a line of a traceback\n" * 300 + "the end")
    event = dataclasses.replace(DEAD_LETTER, body=b"x" * (MEGABYTE - missing), headers={}, failure=failure)
    dead_letter = stored(event)
    assert (dead_letter.body, dead_letter.place) == (event.body, PLACE)
    assert dead_letter.failure.reason in ("", failure.reason) or dead_letter.failure.reason.endswith("ü…")
    assert dead_letter.failure.traceback == "" or dead_letter.failure.traceback.endswith("the end")


def test_a_long_traceback_keeps_its_end() -> None:
    long = Failure("no", "ValueError", "", "".join(f"line {number}\n" for number in range(10_000)))
    kept = stored(dataclasses.replace(DEAD_LETTER, failure=long)).failure.traceback.splitlines()
    assert kept[-1] == "line 9999"
    assert 100 < len(kept) < 1000


def test_large_headers_of_the_event_leave_no_room_for_ours() -> None:
    """The server takes 64 kB of headers."""
    headers = {"X-Large": "y" * 63_900}
    dead_letter = stored(dataclasses.replace(DEAD_LETTER, headers=headers))
    assert dead_letter.headers == headers


def test_what_is_missing_stays_unknown() -> None:
    headers = {"X": "y", "Lightbus-Attempts": "many", "Nats-Sequence": "5"}
    dead_letter = DeadLetter.decode(PLACE, 5, headers, b"x", NOON, limit=MEGABYTE)
    assert (dead_letter.subject, dead_letter.event, dead_letter.event_id, dead_letter.attempts) == (
        "",
        "",
        "",
        0,
    )
    assert dead_letter.failure == Failure("")
    assert (dead_letter.headers, dead_letter.last_failed) == ({"X": "y"}, NOON)


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ({}, "no listener wrote it"),
        ({"Content-Type": "text/plain"}, "no listener wrote it"),
        ({"Lightbus-Attempts": "1", "Lightbus-Listener": "other"}, "Lightbus-Listener does not fit"),
        ({"Lightbus-Attempts": "1", "Lightbus-Sequence": "18"}, "Lightbus-Sequence does not fit"),
        ({"Lightbus-Attempts": "1"}, ""),
    ],
)
def test_what_no_listener_wrote_is_told_apart(headers: dict[str, str], problem: str) -> None:
    dead_letter = DeadLetter.decode(PLACE, 5, headers, b"x", NOON, limit=MEGABYTE)
    assert problem in dead_letter.problem and bool(problem) == bool(dead_letter.problem)
    assert not dead_letter.is_same_event(dead_letter) if problem else dead_letter.is_same_event(dead_letter)


@pytest.mark.parametrize("room", range(120))
def test_a_true_dead_letter_is_never_taken_for_a_foreign_one(room: int) -> None:
    """A large event leaves no room for our headers."""
    for needed in ({}, {"Nats-Msg-Id": "x" * 30}):
        body = b"x" * (10_000 - room)
        headers = dataclasses.replace(DEAD_LETTER, body=body, headers={}).encode(needed, 10_000)
        assert DeadLetter.decode(PLACE, 5, headers, body, NOON, limit=10_000).problem == ""


def test_subjects_say_whose_failure_it_is() -> None:
    subject = naming.dead_letter_subject("lightbus", PLACE)
    assert subject == "lightbus-dead-letters.lightbus-shop.mailer-welcome.17.1795435200123456"
    assert naming.place_of(subject) == (PLACE, 0)
    assert naming.place_of(naming.replay_subject("lightbus", PLACE, 42)) == (PLACE, 42)


@pytest.mark.parametrize("subject", ["a.b", "p.stream.durable.x.1", "p.stream.durable.1", "p.s.d.1.2.3.4"])
def test_other_subjects_say_nothing(subject: str) -> None:
    assert naming.place_of(subject) is None


# -- digests ---------------------------------------------------------------------------------------

WORKERS = """
def load(key):
    raise KeyError(key)

def first(key):
    load(key)

def second(key):
    load(key)

def deep(key, depth):
    return deep(key, depth - 1) if depth else load(key)
"""


def fail(function: str, *arguments: object, code: str = WORKERS) -> BaseException:
    """Run a function of a user's module and return what it raises."""
    module: dict[str, object] = {"__name__": "mailer.bus"}
    compiled: CodeType = compile(code, str(Path("/srv/mailer/bus.py")), "exec")
    exec(compiled, module)
    called = module[function]
    assert callable(called)
    try:
        called(*arguments)
    except Exception as error:
        return error
    raise AssertionError("it did not fail")


def test_failures_at_the_same_place_have_the_same_digest() -> None:
    known = digest(fail("first", "ada"))
    assert digest(fail("first", "bob")) == known
    assert digest(fail("first", "ada", code="# a line more\n" * 20 + WORKERS)) == known
    assert len(known) == 12


def test_failures_at_other_places_or_of_other_kinds_have_other_digests() -> None:
    others = [
        fail("first", "ada"),
        fail("second", "ada"),
        fail("first", "ada", code=WORKERS.replace("KeyError", "IndexError")),
        UnreadableEvent("its body is not a CloudEvent"),
        InvalidEvent("shop", "created", [Problem("email", "is missing", "missing")]),
        InvalidEvent("shop", "created", [Problem("email", "expected str", "type")]),
    ]
    assert len({digest(error) for error in others}) == len(others)


def test_how_deep_a_function_called_itself_makes_no_difference() -> None:
    assert digest(fail("deep", "ada", 3)) == digest(fail("deep", "ada", 30))


def test_which_item_of_a_list_is_wrong_makes_no_difference() -> None:
    first, second = (
        InvalidEvent("shop", "created", [Problem(f"tags[{index}]", "expected str", "type")])
        for index in (0, 7)
    )
    assert digest(first) == digest(second)


def test_a_failure_holds_the_users_part_of_the_traceback() -> None:
    failure = failure_of(fail("first", "ada"), "KeyError: 'ada'")
    assert "mailer/bus.py" in failure.traceback
    assert failure.traceback.endswith("KeyError: 'ada'")


def test_what_the_bus_raised_itself_needs_no_traceback() -> None:
    failure = failure_of(UnreadableEvent("its body is not a CloudEvent"), "its body is not a CloudEvent")
    assert (failure.error, failure.traceback) == ("UnreadableEvent", "")


# -- filters ---------------------------------------------------------------------------------------

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        (Filter(), True),
        (Filter(listener="mailer-welcome"), True),
        (Filter(listener="mailer-*"), True),
        (Filter(listener="mailer"), False),
        (Filter(event="shop.created"), True),
        (Filter(event="shop.*", error="Value*"), True),
        (Filter(event="shop.*", error="KeyError"), False),
        (Filter(event_ids=frozenset({"6f1d"})), True),
        (Filter(event_ids=frozenset({"other"})), False),
        (Filter(event_ids=frozenset({"other"}), numbers=frozenset({5})), True),
        (Filter(numbers=frozenset({5}), listener="nobody"), False),
        (Filter(since=NOON, until=NOON + HOUR), True),
        (Filter(since=NOON + HOUR), False),
        (Filter(until=NOON), False),
    ],
)
def test_a_filter_means_what_meets_every_condition(wanted: Filter, meant: bool) -> None:
    assert wanted.matches(dataclasses.replace(DEAD_LETTER, number=5)) is meant
