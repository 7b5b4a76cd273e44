"""`lightbus inspect` on a real server, as a user types it."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import signal
from collections.abc import Callable

import pytest

import lightbus
from lightbus import Api, DynamicBus, Event, EventMessage, Parameter
from tests.cli.conftest import Fire, Run, Start
from tests.cli.kit import BOUND
from tests.conformance.kits import look_into
from tests.jetstream.connection.rogue import rogue

MOMENT = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


@pytest.fixture
def paid(on_server: str, prefix: str) -> Callable[[int], str]:
    """Fire `shop.paid`, the event of another API and stream; returns its id."""

    class ShopApi(Api):
        paid = Event(parameters=(Parameter("amount", int),))

        class Meta:
            name = "shop"

    def fire_paid(amount: int) -> str:
        with lightbus.create(url=on_server, service_name="shop", prefix=prefix, apis=[ShopApi]) as bus:
            event: EventMessage = bus.shop.paid.fire(amount=amount)
            return event.id

    return fire_paid


def store(url: str, subject: str, body: bytes) -> None:
    """Store a message that is not an event of the bus."""

    async def publish() -> None:
        async with look_into(url) as server:
            await server.request(subject, body, BOUND)

    asyncio.run(publish())


def names(output: str) -> list[str]:
    """Return the usernames in the payloads at the end of each line."""
    return re.findall(r'"username": "(\w+)"', output)


def test_the_screen(run: Run, fire: Fire, paid: Callable[[int], str], on_server: str, prefix: str) -> None:
    first, second = fire("ada"), paid(42)
    store(on_server, f"{prefix}.auth.user_deleted", b"\x1b[2Jgarbage")
    done = run("inspect", "--prefix", prefix)
    assert (done.code, done.err) == (0, "")
    heading, *lines = done.out.splitlines()
    assert heading.split() == ["STORED", "EVENT", "ID", "DATA"]
    expected = [
        rf'{MOMENT}  auth\.user_created  {first.id}  {{"username": "ada", "email": "ada@example\.com"}}',
        rf'{MOMENT}  shop\.paid          {second}  {{"amount": 42}}',
        rf"{MOMENT}  auth\.user_deleted  \? {{35}}  unreadable: its body is not a CloudEvent: .*",
    ]
    assert len(lines) == len(expected)
    for line, pattern in zip(lines, expected, strict=True):
        assert re.fullmatch(pattern, line), line


async def publish_raw(url: str, subject: str, messages: list[tuple[bytes, bytes]]) -> None:
    """Store messages, each a header block and a body, exactly as they are."""
    async with rogue(url) as client:
        for header, body in messages:
            client.publish(subject.encode(), body, header=header)
        await client.flush()


HEADERS = [
    b"NATS/1.0\r\nX: yz",
    b"NATS/1.0\r\nX: yz\r\n",
    b"NATS/1.0",
    b"NA",
    b"garbage",
    b"NATS/1.0 404 Message Not Found",
    b"NATS/1.0 204 EOB",
    b"NATS/1.0 503\r\n\r\n",
    b"\r\n\r\n",
    b"NATS/1.0\r\nNats-Msg-Id",
    b"NATS/1.0\r\nNats-Stream: evil\r\nNats-Subject: evil\r\nNats-Sequence: 1\r\nNats-Num-Pending: 0\r\n\r\n",
    b"NATS/1.0\r\nNats-Stream: evil\r\nNats-Subject: evil\r\nNats-Sequence: 99\r\nNats-Time-Stamp: ",
]
"""Header blocks that are cut off, or that imitate what the server adds to a stored message."""


@pytest.mark.parametrize("selection", [[], ["auth.user_created"]], ids=["all", "one event"])
def test_no_header_block_hides_events(
    run: Run, fire: Fire, on_server: str, prefix: str, selection: list[str]
) -> None:
    ids = [fire("ada").id]
    for number, header in enumerate(HEADERS):
        messages = [(header, b"body %d" % number)]
        asyncio.run(publish_raw(on_server, f"{prefix}.auth.user_created", messages))
    ids.append(fire("bob").id)
    done = run("inspect", *selection, "--prefix", prefix, "--format", "json")
    assert done.code == 0, done.err
    first, *unreadable, last = done.objects
    assert [first["id"], last["id"]] == ids
    assert [event["sequence"] for event in unreadable] == [*range(2, len(HEADERS) + 2)]
    assert {event["event"] for event in unreadable} == {"auth.user_created"}
    assert all(event["unreadable"] and base64.b64decode(event["body"]) for event in unreadable)
    assert unreadable[0]["unreadable"] == "its header block is cut off"
    assert run("status", "--prefix", prefix).code == 0


@pytest.mark.parametrize("arguments", [[], ["--format", "json"], ["auth.user_created"], ["--limit", "3"]])
def test_a_stream_that_cannot_be_read_hides_no_other(
    run: Run, fire: Fire, paid: Callable[[int], str], on_server: str, prefix: str, arguments: list[str]
) -> None:
    stream = f"{prefix}-shop"

    async def forbid() -> None:
        async with look_into(on_server) as server:
            config = (await server.api(f"STREAM.INFO.{stream}"))["config"]
            await server.api(f"STREAM.UPDATE.{stream}", config | {"allow_direct": False})

    ids = [fire("ada").id, fire("bob").id]
    paid(42)
    asyncio.run(forbid())
    done = run("inspect", "--prefix", prefix, *arguments)
    assert re.findall("|".join(ids), done.out) == ids
    assert done.err == (
        f"events of {stream} are not shown: stream '{stream}' cannot be read directly. "
        f"Allow it with: nats stream edit {stream} --allow-direct\n"
    )
    assert done.code == 1


EXTREMES = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
"""Times whose year in UTC does not exist."""


@pytest.mark.parametrize("time", EXTREMES)
def test_a_time_outside_the_range_hides_no_event(
    run: Run, fire: Fire, on_server: str, prefix: str, time: str
) -> None:
    fire("ada")
    event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "auth.user_created", "data": {}}
    for fired in (time, "2026-01-01T01:00:00+01:00"):
        store(on_server, f"{prefix}.auth.user_created", json.dumps(event | {"time": fired}).encode())
    assert len(run("inspect", "--prefix", prefix).lines) == 4
    ever = ("--since", EXTREMES[0], "--until", EXTREMES[1])
    done = run("inspect", "--prefix", prefix, "--format", "json", *ever)
    assert done.code == 0, done.err
    expected = [f"{time[:19]}.000{time[19:]}", "2026-01-01T00:00:00.000Z"]
    assert [event["fired"] for event in done.objects][1:] == expected


def test_facts_for_programs(run: Run, fire: Fire, on_server: str, prefix: str) -> None:
    event = fire("ada")
    store(on_server, f"{prefix}.auth.user_deleted", b"garbage")
    good, bad = run("inspect", "--prefix", prefix, "--format", "json").objects
    assert re.fullmatch(MOMENT, good.pop("stored")) and re.fullmatch(MOMENT, good.pop("fired"))
    assert good == {
        "event": "auth.user_created",
        "stream": f"{prefix}-auth",
        "sequence": 1,
        "id": event.id,
        "source": "/auth",
        "data": {"username": "ada", "email": "ada@example.com"},
    }
    assert (bad["event"], bad["sequence"], bad["body"]) == ("auth.user_deleted", 2, "Z2FyYmFnZQ==")
    assert bad["unreadable"].startswith("its body is not a CloudEvent")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["ada", "bob", "eve"]),
        (["auth.user_created"], ["ada", "bob", "eve"]),
        (["auth.*"], ["ada", "bob", "eve"]),
        (["*.user_*", "shop.*"], ["ada", "bob", "eve"]),
        (["auth.user_deleted"], []),
        (["shop.*"], []),
        (["--limit", "2"], ["bob", "eve"]),
        (["--since", "1h"], ["ada", "bob", "eve"]),
        (["--until", "1h"], []),
        (["--since", "2999-01-01"], []),
    ],
)
def test_which_events(run: Run, fire: Fire, prefix: str, arguments: list[str], expected: list[str]) -> None:
    for name in ("ada", "bob", "eve"):
        fire(name)
    done = run("inspect", "--prefix", prefix, *arguments)
    assert (done.code, names(done.out)) == (0, expected)


def test_since_the_time_of_an_event(run: Run, fire: Fire, prefix: str) -> None:
    for name in ("ada", "bob", "eve"):
        fire(name)
    _, second, _ = run("inspect", "--prefix", prefix, "--format", "json").objects
    arguments = ("inspect", "auth.user_created", "--prefix", prefix)
    assert names(run(*arguments, "--since", second["stored"]).out)[-2:] == ["bob", "eve"]
    assert names(run(*arguments, "--until", second["stored"]).out) in (["ada"], [])


def test_the_latest_of_all_streams_come_in_the_order_they_were_stored(
    run: Run, fire: Fire, paid: Callable[[int], str], prefix: str
) -> None:
    ids = [fire("ada").id, paid(1), fire("bob").id, paid(2)]
    found = run("inspect", "--prefix", prefix, "--format", "json").objects
    assert [event["id"] for event in found] == ids
    found = run("inspect", "--prefix", prefix, "--format", "json", "--limit", "3").objects
    assert [event["id"] for event in found] == ids[1:]


def test_an_event_by_its_id(run: Run, fire: Fire, prefix: str) -> None:
    event, _ = fire("ada"), fire("bob")
    done = run("inspect", "--prefix", prefix, "--id", event.id)
    assert (done.code, names(done.out)) == (0, ["ada"])
    done = run("inspect", "--prefix", prefix, "--id", event.id, "--id", "none")
    assert (done.code, names(done.out)) == (1, ["ada"])
    assert done.err == f"there is no event none in the streams of '{prefix}'\n"


def test_following(
    start: Start, run: Run, fire: Fire, paid: Callable[[int], str], on_server: str, prefix: str
) -> None:
    fire("ada")
    following = start("inspect", "--prefix", prefix, "--follow")
    following.wait_for('"username": "ada"')
    fire("bob")
    following.wait_for('"username": "bob"')
    paid(42)  # creates a new stream
    following.wait_for('"amount": 42')
    following.signal(signal.SIGINT)
    assert following.end() == 0
    assert following.output.count("STORED") == 1
    assert names(following.output) == ["ada", "bob"]

    async def durables() -> int:
        async with look_into(on_server) as server:
            count: int = (await server.api(f"CONSUMER.LIST.{prefix}-auth"))["total"]
            return count

    assert asyncio.run(durables()) == 0


def test_following_past_a_stream_that_cannot_be_read(
    start: Start, fire: Fire, on_server: str, prefix: str
) -> None:
    async def create() -> None:
        async with look_into(on_server) as server:
            name = f"{prefix}-hidden"
            await server.api(f"STREAM.CREATE.{name}", {"name": name, "subjects": [f"{prefix}.hidden.>"]})

    asyncio.run(create())
    store(on_server, f"{prefix}.hidden.event", b"{}")
    following = start("inspect", "--prefix", prefix, "--follow")
    following.wait_for("cannot be read directly")
    for name in ("ada", "bob"):
        fire(name)
        following.wait_for(f'"username": "{name}"')
    following.signal(signal.SIGINT)
    assert following.end() == 1
    assert following.output.count("cannot be read directly") == 1


def test_many_events_take_a_page_at_a_time(
    run: Run, producer: Callable[[str], DynamicBus], on_server: str, prefix: str
) -> None:
    bus = producer(on_server)
    bus.auth.user_deleted.fire_many([{"username": f"u{number}"} for number in range(2_500)])
    done = run("inspect", "--prefix", prefix)
    assert names(done.out) == [f"u{number}" for number in range(2_500)]
    assert done.out.count("STORED") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--follow", "--until", "1h"], "--follow has no end, so it does not go with --until."),
        (["--since", "yesterday"], "'yesterday' is not a time; write 2026-11-23T09:30 (UTC), or 90m, 2h, 7d"),
        (["--prefix", "a.b"], "--prefix"),
        (["--url", "nats://127.0.0.1:9"], "connection refused"),
    ],
)
def test_mistakes(run: Run, arguments: list[str], words: str) -> None:
    done = run("inspect", *arguments)
    assert done.code == 2
    assert words in done.err
    assert "Traceback" not in done.err
