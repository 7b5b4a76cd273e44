"""`lightbus dead-letters` on a real server, as a user types it."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from lightbus import naming
from lightbus.event.dead_letter import DeadLetter, Failure
from lightbus.jetstream import JetStreamTransport
from lightbus.naming import Place
from tests.cli.conftest import Fire, Start, Write
from tests.cli.kit import BOUND, Result, run_to_end
from tests.cli.streams.test_inspect import EXTREMES, HEADERS, publish_raw
from tests.conformance.kits import look_into
from tests.event.test_dead_letter import DEAD_LETTER, NOON, PLACE

NOBODY = "nats://127.0.0.1:9"  # the discard port, which nobody serves
BROKEN = """
def welcome(event: EventMessage, username, email):
    if os.path.exists("broken"):
        raise LookupError(f"no {username}")
    say("handled", username, "attempt", event.attempt)

def audit(username, email):
    say("audited", username)

def before_server_start():
    bus.auth.user_created.listen(welcome, listener_name="welcome", retries=0)
    bus.auth.user_created.listen(audit, listener_name="audit")
"""


Run = Callable[..., Result]


@pytest.fixture
def run(folder: Path, environment: dict[str, str], on_server: str, prefix: str) -> Run:
    """Run `lightbus dead-letters` to its end, with the test's prefix unless another is given."""

    def run_command(*arguments: str, **settings: str) -> Result:
        own_prefix = () if "--prefix" in arguments else ("--prefix", prefix)
        return run_to_end(
            "dead-letters",
            *arguments,
            *own_prefix,
            folder=folder,
            environment={**environment, **settings},
        )

    return run_command


Keep = Callable[..., None]


@pytest.fixture
def keep(on_server: str, prefix: str) -> Keep:
    """Store dead letters on the server."""

    async def keep_all(letters: list[DeadLetter]) -> None:
        transport = JetStreamTransport(on_server, service_name="", prefix=prefix)
        await transport.connect()
        for letter in letters:
            await transport.dead_letters.keep(letter)
        await transport.close()

    return lambda *letters: asyncio.run(keep_all(list(letters)))


def letter(sequence: int, listener: str = "mailer-welcome", **changes: Any) -> DeadLetter:
    """Return a dead letter of `shop.created`."""
    event_id = f"id-{sequence}"
    body = json.dumps({"specversion": "1.0", "id": event_id, "type": "shop.created", "data": {"n": sequence}})
    place = Place("lightbus-shop", listener, sequence, NOON)
    given = {"place": place, "event_id": event_id, "body": body.encode(), **changes}
    return dataclasses.replace(DEAD_LETTER, **given)


def failing(write: Write, folder: Path, start: Start) -> Any:
    """Start a service with a listener that fails as long as the file `broken` exists."""
    write(BROKEN)
    (folder / "broken").touch()
    service = start("run")
    service.ready()
    return service


MOMENT = "2026-01-01T00:00:00.000Z"


def masked(text: str) -> str:
    """Mask the times and ids, which differ in each run."""
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ", MOMENT, text)
    return re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<id>", text)


# -- looking -----------------------------------------------------------------------------------------


def test_the_screens_of_list(run: Run, keep: Keep, prefix: str) -> None:
    assert run("list").err == f"0 dead letters in {prefix}-dead-letters\n"
    keep(
        letter(17),
        letter(18, "audit", failure=Failure("its body is\x1b[31m not a CloudEvent", "UnreadableEvent")),
        letter(19, subject="", failure=Failure("")),
    )
    result = run("list")
    assert masked(result.out) == (
        "NUMBER  FAILED                    LISTENER        EVENT         ATTEMPTS  ERROR\n"
        "1       2026-01-01T00:00:00.000Z  mailer-welcome  shop.created  9         ValueError: no\n"
        "2       2026-01-01T00:00:00.000Z  audit           shop.created  9         "
        "UnreadableEvent: its body is\\x1b[31m not a CloudEvent\n"
        "3       2026-01-01T00:00:00.000Z  mailer-welcome  ?             9         ?\n"
    )
    assert (result.err, result.code) == (f"3 dead letters in {prefix}-dead-letters\n", 0)
    assert run("list", "--limit", "2").err == f"the latest 2 of 3 dead letters in {prefix}-dead-letters\n"
    assert [line.split()[0] for line in run("list", "--limit", "2").lines] == ["NUMBER", "2", "3"]


def test_the_screen_of_a_summary(run: Run, keep: Keep) -> None:
    keep(letter(1), letter(2), letter(3, failure=Failure("KeyError: 1", "KeyError", "ba9876543210")))
    assert masked(run("list", "--summary").out) == (
        "COUNT  LAST FAILED               LISTENER        EVENT         DIGEST        ERROR\n"
        "2      2026-01-01T00:00:00.000Z  mailer-welcome  shop.created  0123456789ab  ValueError: no\n"
        "1      2026-01-01T00:00:00.000Z  mailer-welcome  shop.created  ba9876543210  KeyError: 1\n"
    )
    first, second = run("list", "--summary", "--format", "json").objects
    assert (first["count"], second["count"], second["digest"]) == (2, 1, "ba9876543210")


def test_the_screen_of_show(run: Run, keep: Keep) -> None:
    keep(letter(17))
    assert masked(run("show", "1").out) == (
        "dead letter 1\n"
        "  event     shop.created\n"
        "  id        id-17\n"
        "  listener  mailer-welcome\n"
        "  reason    ValueError: no\n"
        "  error     ValueError (digest 0123456789ab)\n"
        "  attempts  9\n"
        "  failed    2026-01-01T00:00:00.000Z\n"
        "  stored    2026-01-01T00:00:00.000Z, stream lightbus-shop, sequence 17\n"
        "  subject   lightbus.shop.created\n"
        "headers\n"
        "  Content-Type: text/plain\n"
        "traceback\n"
        "  Traceback\n"
        "    line\n"
        "  ValueError: no\n"
        "body, 80 bytes\n"
        "  {\n"
        '    "specversion": "1.0",\n'
        '    "id": "id-17",\n'
        '    "type": "shop.created",\n'
        '    "data": {\n'
        '      "n": 17\n'
        "    }\n"
        "  }\n"
    )
    assert run("show", "id-17").out == run("show", "1").out


def test_a_body_that_is_not_text_is_in_the_json_output(run: Run, keep: Keep) -> None:
    body = b"\xff\x00 garbage \x1b[31m"
    keep(letter(1, body=body), letter(2, body="grün \x1b[31m".encode()))
    assert run("show", "1").out.endswith(
        "body, 16 bytes\n  not text; --format json has its bytes in base64\n"
    )
    assert "  grün \\x1b[31m\n" in run("show", "2").out
    (shown,) = run("show", "1", "--format", "json").objects
    assert (base64.b64decode(shown["body"]), shown["content"]) == (body, None)


@pytest.mark.parametrize("number", ["0", "00"])
def test_no_dead_letter_has_the_number_0(run: Run, keep: Keep, prefix: str, number: str) -> None:
    keep(letter(1))
    listed = run("list", number, "1", "--format", "json")
    assert [facts["number"] for facts in listed.objects] == [1]
    assert listed.err.endswith(f"there is no such dead letter 0 in {prefix}-dead-letters\n")
    assert listed.code == 1
    assert f"there is no dead letter 0 in {prefix}-dead-letters" in run("show", number).err


@pytest.mark.parametrize("time", EXTREMES)
def test_a_time_outside_the_range_stops_no_command(run: Run, keep: Keep, time: str) -> None:
    keep(letter(1), letter(2, replays=1, first_failed=datetime.fromisoformat(time)), letter(3))
    (_, listed, _) = run("list", "--format", "json").objects
    assert listed["first_failed"] == f"{time[:19]}.000{time[19:]}"
    assert f"for the first time {listed['first_failed']}" in run("show", "2").out
    assert len(run("list", "--since", EXTREMES[0], "--until", EXTREMES[1]).lines) == 4
    replayed = run("replay", "--all", "--no-wait", "--format", "json").objects
    assert [facts["outcome"] for facts in replayed] == ["sent"] * 3
    assert len(run("discard", "--all", "--yes", "--format", "json").objects) == 3


def test_json_keeps_its_form(run: Run, keep: Keep) -> None:
    keep(letter(17))
    facts = {
        "number": 1,
        "listener": "mailer-welcome",
        "event": "shop.created",
        "id": "id-17",
        "reason": "ValueError: no",
        "error": "ValueError",
        "digest": "0123456789ab",
        "attempts": 9,
        "replays": 0,
        "first_failed": MOMENT,
        "last_failed": MOMENT,
        "stored": MOMENT,
        "stream": "lightbus-shop",
        "sequence": 17,
        "subject": "lightbus.shop.created",
    }
    assert [*map(json.loads, masked(run("list", "--format", "json").out).splitlines())] == [facts]
    (shown,) = map(json.loads, masked(run("show", "1", "--format", "json").out).splitlines())
    content = {"specversion": "1.0", "id": "id-17", "type": "shop.created", "data": {"n": 17}}
    assert shown == facts | {
        "traceback": "Traceback\n  line\nValueError: no",
        "headers": {"Content-Type": "text/plain"},
        "body": base64.b64encode(json.dumps(content).encode()).decode(),
        "content": content,
        "is_replayed": False,
    }


@pytest.fixture
def spoiled(keep: Keep, on_server: str, prefix: str) -> int:
    """Two dead letters, and between them messages that no listener wrote; returns how many."""
    first, last = letter(1), letter(2)
    keep(first)
    subject = naming.dead_letter_subject(prefix, dataclasses.replace(PLACE, listener="mailer-other"))
    messages = [
        *((f"{subject[:-3]}{number:03}", header) for number, header in enumerate(HEADERS)),
        (f"{subject}9", b""),
        (f"{prefix}-dead-letters.elsewhere", b"NATS/1.0\r\nLightbus-Attempts: 1\r\n\r\n"),
        (f"{subject}8.1", b"NATS/1.0\r\nLightbus-Attempts: 1\r\n\r\n"),
        (f"{subject}7", b"NATS/1.0\r\nLightbus-Attempts: 1\r\nLightbus-Listener: mailer-welcome\r\n\r\n"),
    ]

    async def store() -> None:
        for subject, header in messages:
            await publish_raw(on_server, subject, [(header, b'{"stream": "s", "seq": 1}')])

    asyncio.run(store())
    keep(last)
    return len(messages)


def test_what_no_listener_wrote_is_listed_as_such(run: Run, spoiled: int) -> None:
    listed = run("list", "--format", "json").objects
    assert [dead_letter["number"] for dead_letter in listed] == [*range(1, spoiled + 3)]
    assert ["unreadable" in dead_letter for dead_letter in listed] == [False, *[True] * spoiled, False]
    table = run("list")
    assert table.out.count("unreadable: ") == spoiled
    assert table.err.startswith(f"{spoiled + 2} dead letters in ")
    assert "problem   its header block is cut off" in run("show", "2").out
    (shown,) = run("show", "2", "--format", "json").objects
    assert base64.b64decode(shown["body"]) == b'{"stream": "s", "seq": 1}'
    assert run("list", "--listener", "mailer-welcome", "--summary").out.count("ValueError: no") == 1


def test_what_no_listener_wrote_is_not_replayed(run: Run, spoiled: int) -> None:
    planned = run("replay", "--all", "--dry-run", "--format", "json")
    assert [facts["outcome"] for facts in planned.objects] == [
        *("would replay", *["unreadable"] * spoiled, "would replay")
    ]
    assert planned.err.startswith(f"2 dead letters would be replayed; {spoiled} unreadable")
    done = run("replay", "--all", "--no-wait")
    assert (done.code, done.err) == (1, f"2 sent, {spoiled} unreadable\n")
    assert done.lines[0] == "2  ?  ?  not replayed: its header block is cut off"


def test_what_no_listener_wrote_can_be_discarded(run: Run, spoiled: int, prefix: str) -> None:
    assert run("discard", "2", "--yes").err == "1 dead letter discarded\n"
    assert run("discard", "--all", "--yes").err == f"{spoiled + 1} dead letters discarded\n"
    assert run("list").err == f"0 dead letters in {prefix}-dead-letters\n"


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        ([], [1, 2, 3]),
        (["--listener", "audit"], [2]),
        (["--listener", "mail*", "--error", "KeyError"], [3]),
        (["--event", "shop.*"], [1, 2, 3]),
        (["--event", "shop.deleted"], []),
        (["--id", "id-1", "--id", "id-3"], [1, 3]),
        (["1", "id-2"], [1, 2]),
        (["--since", "1h"], [1, 2, 3]),
        (["--until", "1h"], []),
        (["--since", "2026-01-01", "--until", "2999-01-01T00:00+01:00"], [1, 2, 3]),
    ],
)
def test_filters(run: Run, keep: Keep, arguments: list[str], numbers: list[int]) -> None:
    keep(letter(1), letter(2, "audit"), letter(3, failure=Failure("KeyError: 1", "KeyError")))
    found = run("list", *arguments, "--format", "json")
    assert ([facts["number"] for facts in found.objects], found.code) == (numbers, 0)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["list"], "0 of 2 dead letters in "),
        (["replay"], "0 of 2 dead letters replayed\n"),
        (["replay", "--dry-run"], "0 of 2 dead letters would be replayed\n"),
        (["discard", "--yes"], "0 of 2 dead letters discarded\n"),
    ],
    ids=" ".join,
)
def test_a_filter_that_finds_none_says_of_how_many(
    run: Run, keep: Keep, command: list[str], says: str
) -> None:
    keep(letter(1), letter(2))
    found = run(*command, "--listener", "mailer-welcom")
    assert (found.code, found.out) == (0, "")
    assert found.err.startswith(says)


def test_a_terminal_gets_lines_of_its_width(
    folder: Path, environment: dict[str, str], keep: Keep, prefix: str
) -> None:
    keep(letter(1, failure=Failure("ValueError: " + "long " * 50, "ValueError")))
    screen = in_a_terminal(folder, environment, "list", "--prefix", prefix)
    (heading, line, _) = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in screen.splitlines()]
    assert heading.startswith("NUMBER")
    assert len(line) == 100 and line.endswith("…")


def in_a_terminal(folder: Path, environment: dict[str, str], *arguments: str, types: str = "") -> str:
    """Run a command in a terminal of 100 columns, and return its output."""
    main, terminal = pty.openpty()
    command = [sys.executable, "-m", "lightbus", "dead-letters", *arguments]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=terminal, stdout=terminal, stderr=terminal
    ) as process:
        os.close(terminal)
        os.write(main, types.encode())
        shown = b""
        while True:
            try:
                part = os.read(main, 4096)
            except OSError:  # the command has closed the terminal
                break
            if not part:
                break
            shown += part
        process.wait(BOUND)
    os.close(main)
    return shown.decode()


# -- replaying ---------------------------------------------------------------------------------------


def test_a_replay_goes_to_the_listener_that_failed(
    run: Run, start: Start, write: Write, folder: Path, fire: Fire
) -> None:
    service = failing(write, folder, start)
    event = fire("ada")
    service.wait_for("audited ada", "goes to the dead letters: LookupError: no ada")
    failed = run("replay", "--listener", "mailer-welcome")
    assert masked(failed.out) == "1  auth.user_created  <id>  failed again; now dead letter 2\n"
    assert (failed.err, failed.code) == ("1 failed again\n", 1)
    assert run("list", "--format", "json").objects[0]["replays"] == 1
    (folder / "broken").unlink()
    handled = run("replay", event.id, "--format", "json")
    (facts,) = handled.objects
    assert (facts["number"], facts["id"], facts["outcome"], facts["new_number"]) == (
        2,
        event.id,
        "handled",
        None,
    )
    assert (handled.err, handled.code) == ("1 handled\n", 0)
    service.wait_for("handled ada attempt 1")
    assert run("list").out == ""
    service.signal(signal.SIGTERM)
    assert service.end() == 0
    assert service.output.count("audited ada") == 1


def test_nobody_is_listening(run: Run, keep: Keep) -> None:
    keep(letter(1), letter(2, "audit"))
    waiting = run("replay", "--all")
    assert waiting.lines == [
        "1  shop.created  id-1  waits: nobody is listening as mailer-welcome",
        "2  shop.created  id-2  waits: nobody is listening as audit",
    ]
    assert (waiting.err, waiting.code) == ("2 waiting for a listener\n", 1)
    assert len(run("list", "--format", "json").objects) == 2


def test_a_replay_that_was_killed_half_way_can_be_run_again(
    start: Start, run: Run, keep: Keep, prefix: str, on_server: str
) -> None:
    keep(*(letter(sequence) for sequence in range(200)))
    sending = start("dead-letters", "replay", "--all", "--no-wait", "--format", "json", "--prefix", prefix)
    sending.wait_for('"outcome": "sent"')
    sending.signal(signal.SIGKILL)
    sending.end()
    again = run("replay", "--all", "--no-wait")
    assert (again.err, again.code) == ("200 sent\n", 0)

    async def count() -> Any:
        async with look_into(on_server) as server:
            return (await server.api(f"STREAM.INFO.{naming.replay_stream(prefix)}"))["state"]["messages"]

    assert asyncio.run(count()) == 200


def test_a_replay_need_not_be_waited_for(
    run: Run, start: Start, write: Write, folder: Path, fire: Fire
) -> None:
    service = failing(write, folder, start)
    fire("ada")
    service.wait_for("goes to the dead letters")
    service.signal(signal.SIGTERM)
    service.end()
    (folder / "broken").unlink()
    for _ in range(2):  # the second time, the replay is already under way
        sent = run("replay", "--all", "--no-wait", "--format", "json")
        assert ([facts["outcome"] for facts in sent.objects], sent.code) == (["sent"], 0)
    assert "a replay of it waits" in run("show", "1").err
    service = start("run")
    service.wait_for("handled ada attempt 1")
    assert run("replay", "--all").err == "0 dead letters replayed\n"
    assert service.output.count("handled ada") == 1


@pytest.mark.parametrize("doing", ["replay", "discard"])
def test_a_dry_run_only_tells(run: Run, keep: Keep, doing: str) -> None:
    keep(letter(1), letter(2, "audit"))
    told = run(doing, "--listener", "audit", "--dry-run")
    assert [line.split()[0] for line in told.lines] == ["NUMBER", "2"]
    assert (told.err, told.code) == (f"1 dead letter would be {doing}ed\n", 0)
    (facts,) = run(doing, "2", "--dry-run", "--format", "json").objects
    assert facts["outcome"] == f"would {doing}"
    assert len(run("list", "--format", "json").objects) == 2
    assert run("show", "2", "--format", "json").objects[0]["is_replayed"] is False


def test_ctrl_c_stops_the_waiting_and_not_the_replays(
    start: Start, run: Run, write: Write, folder: Path, fire: Fire, prefix: str
) -> None:
    write(
        """
        def welcome(username, email):
            if os.path.exists("broken"):
                raise LookupError("not yet")
            say("begins", username)
            os.read(0, 1)
            say("handled", username)

        def before_server_start():
            bus.auth.user_created.listen(welcome, listener_name="welcome", retries=0)
        """
    )
    (folder / "broken").touch()
    service = start("run")
    service.ready()
    for username in ("ada", "bob"):
        fire(username)
        service.wait_for("goes to the dead letters")
    (folder / "broken").unlink()
    waiting = start("dead-letters", "replay", "--all", "--prefix", prefix)
    service.wait_for("begins ada")
    service.release()
    service.wait_for("begins bob")
    waiting.signal(signal.SIGINT)
    assert waiting.end() == 130
    assert re.fullmatch(
        r"interrupted; (0 sent|2 sent(, 1 handled so far)?)\. What was sent still reaches its listeners\.",
        waiting.output,
    )
    assert len(run("list", "--format", "json").objects) == 1
    service.release()
    service.wait_for("handled bob")
    service.signal(signal.SIGTERM)
    assert service.end() == 0
    assert run("list", "--format", "json").objects == []


# -- discarding --------------------------------------------------------------------------------------


def test_discarding_asks_first(
    run: Run, keep: Keep, folder: Path, environment: dict[str, str], prefix: str
) -> None:
    keep(letter(1), letter(2))
    refused = run("discard", "--all")
    assert refused.code == 2
    assert "there is no terminal to ask for confirmation; pass --yes." in refused.err
    no = in_a_terminal(folder, environment, "discard", "--all", "--prefix", prefix, types="n\n")
    assert "Discard 2 dead letters for good? [y/N]" in no and "nothing was discarded" in no
    assert len(run("list", "--format", "json").objects) == 2
    yes = in_a_terminal(folder, environment, "discard", "1", "--prefix", prefix, types="y\n")
    assert "1 dead letter discarded" in yes
    assert "discarding" in yes and "1/1" in yes  # the progress bar
    discarded = run("discard", "--id", "id-2", "--yes", "--format", "json")
    assert [(facts["number"], facts["outcome"]) for facts in discarded.objects] == [(2, "discarded")]
    assert run("list").out == ""


# -- mistakes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["replay"], 2, "say which dead letters: numbers, ids, filters such as --listener NAME, or --all."),
        (["discard", "--yes"], 2, "say which dead letters"),
        (["replay", "--all", "--listener", "x"], 2, "--all and filters exclude each other."),
        (
            ["list", "--since", "yesterday"],
            2,
            "'yesterday' is not a time; write 2026-11-23T09:30 (UTC), or 90m",
        ),
        (["list", "--limit", "0"], 2, "0 is not in the range x>=1"),
        (["list", "--prefix", "a.b"], 2, "'a.b' is not a valid prefix"),
        (["show", "17"], 1, "error: there is no dead letter 17 in"),
        (["replay", "17", "some-id"], 1, "there is no such dead letter some-id in"),
        (["discard", "17", "--yes"], 1, "there is no such dead letter 17 in"),
        (["list", "--url", NOBODY], 1, "The address comes from --url."),
        (["list", "--url", "nats://:x"], 1, "error: --url 'nats://:x' is not the address of a NATS server"),
        (["list", "--url", "memory://x"], 1, "is not the address of a NATS server"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_explained(run: Run, arguments: list[str], code: int, words: str) -> None:
    result = run(*arguments)
    assert words in result.err
    assert (result.code, result.out) == (code, "")


def test_a_stream_that_cannot_be_read_directly(run: Run, keep: Keep, on_server: str, prefix: str) -> None:
    async def forbid() -> None:
        async with look_into(on_server) as server:
            name = naming.dead_letter_stream(prefix)
            config = (await server.api(f"STREAM.INFO.{name}"))["config"]
            await server.api(f"STREAM.UPDATE.{name}", config | {"allow_direct": False})

    keep(letter(1))
    asyncio.run(forbid())
    result = run("list")
    stream = f"{prefix}-dead-letters"
    assert result.err == (
        f"error: stream {stream!r} cannot be read directly. Allow it with: nats stream edit {stream} --allow-direct\n"
    )
    assert result.code == 1


# -- many --------------------------------------------------------------------------------------------

PEAK = """
import pathlib, re, sys
from lightbus.cli import main
try:
    main()
finally:
    status = pathlib.Path("/proc/self/status").read_text()
    print("peak", int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) // 1024, file=sys.stderr)
"""


def test_a_thousand_dead_letters_take_bounded_memory(
    folder: Path, environment: dict[str, str], keep: Keep, prefix: str, run: Run
) -> None:
    def peak(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-c", PEAK, "dead-letters", *arguments, "--prefix", prefix]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=BOUND * 2
        )
        match = re.search(r"peak (\d+)", done.stderr)
        assert match is not None and done.returncode == 0, done.stderr
        return int(match[1]), done.stdout

    keep(letter(0))
    idle, _ = peak("list")
    keep(*(letter(sequence, body=b"x" * 100_000) for sequence in range(1, 1000)))  # 100 MB together
    listing, out = peak("list")
    assert len(out.splitlines()) == 1001
    sending, out = peak("replay", "--all", "--no-wait", "--format", "json")
    assert len(out.splitlines()) == 1000
    assert max(listing, sending) - idle < 30


def test_a_reader_that_goes_away_does_no_harm(
    folder: Path, environment: dict[str, str], keep: Keep, prefix: str
) -> None:
    keep(*(letter(sequence) for sequence in range(300)))
    command = f"{sys.executable} -m lightbus dead-letters list --format json --prefix {prefix} | head -1"
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=BOUND
    )
    assert json.loads(done.stdout)["number"] == 1
    assert "Traceback" not in done.stderr and "Broken" not in done.stderr
