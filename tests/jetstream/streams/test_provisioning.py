"""Streams and durables on a real server: created or only verified, never changed, with differences reported."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import lightbus
from lightbus.bus.dynamic import DynamicBus
from lightbus.errors import ProvisionError, PublishFailed, PublishUnknown, UsageError
from lightbus.jetstream.connection.connection import Connection
from lightbus.jetstream.streams import resources
from lightbus.jetstream.streams.drift import Way, covers, duration
from lightbus.jetstream.streams.ensure import create
from lightbus.jetstream.streams.plan import Action, carry_out, compare
from lightbus.jetstream.streams.resources import NANOSECONDS, Durable, Resource, Stream
from lightbus.testing import NatsServer
from lightbus.transport import Consumer
from tests.cli.kit import free_port
from tests.conformance.kits import look_into
from tests.conftest import Records

BOUND = 20.0
CONSUMER = Consumer("job", "wanted", "worker-do")

pytestmark = pytest.mark.usefixtures("job_api")

Make = Callable[..., DynamicBus]


@pytest.fixture
async def make_bus(nats_server: NatsServer, prefix: str) -> AsyncIterator[Make]:
    """Create buses of the service `worker`; all are closed when the test ends."""
    buses: list[DynamicBus] = []

    def create(**settings: Any) -> DynamicBus:
        given: dict[str, Any] = {"url": nats_server.url, "prefix": prefix, "service_name": "worker"}
        buses.append(lightbus.create(**given | settings))
        return buses[-1]

    yield create
    for bus in buses:
        await bus.close_async()


@pytest.fixture
async def server(nats_server: NatsServer) -> AsyncIterator[Connection]:
    async with look_into(nats_server.url) as connection:
        yield connection


async def listen(bus: DynamicBus, **options: Any) -> None:
    await bus.job.wanted.listen_async(lambda name: None, listener_name="do", **options)


async def put(server: Connection, wanted: Resource, **settings: Any) -> None:
    """Create a stream or durable with other settings than the bus would."""
    config = {**wanted.config, **settings}
    other = (
        Stream(wanted.name, config)
        if isinstance(wanted, Stream)
        else Durable(wanted.stream, wanted.name, config)
    )
    await create(server, other)


async def put_all(server: Connection, prefix: str) -> None:
    """Create everything that a listener needs."""
    for wanted in (
        resources.event_stream(prefix, "job"),
        resources.dead_letter_stream(prefix, server.version),
        resources.replay_stream(prefix),
        resources.durable(prefix, CONSUMER),
        resources.replay_durable(prefix, CONSUMER),
    ):
        await create(server, wanted)


SECOND = NANOSECONDS
STREAM_SETTINGS: dict[str, Any] = {
    "retention": "interest",
    "storage": "memory",
    "discard": "old",
    "duplicate_window": 0,  # the server's default: two minutes, or max_age
    "allow_direct": False,
    "max_msgs_per_subject": 5,
    "no_ack": True,
    "persist_mode": "async",
    "subjects": ["elsewhere.>"],
    "allow_msg_counter": True,
    # an operator's
    "max_age": 60 * SECOND,
    "max_msgs": 10,
    "max_bytes": 100_000,
    "discard_new_per_subject": True,
    "deny_delete": True,
    "allow_rollup_hdrs": True,
}
DURABLE_SETTINGS: dict[str, Any] = {
    "ack_policy": "none",
    "deliver_subject": "elsewhere",
    "ack_wait": 5 * SECOND,
    "max_deliver": 3,
    "max_ack_pending": 5,
    "inactive_threshold": 60 * SECOND,
    "backoff": [SECOND, 2 * SECOND],
    "headers_only": True,
    # an operator's
    "replay_policy": "original",
    "max_batch": 5,
}


@pytest.mark.parametrize("kind", ["stream", "durable"])
async def test_what_is_planned_is_what_the_server_accepts(server: Connection, prefix: str, kind: str) -> None:
    """With any two settings that differ: some are refused beside others."""
    stream = resources.event_stream(prefix, "job")
    resource: Resource = stream if kind == "stream" else resources.durable(prefix, CONSUMER)
    settings = STREAM_SETTINGS if kind == "stream" else DURABLE_SETTINGS
    if kind == "durable":
        await create(server, stream)
    applied = 0
    for names in itertools.combinations(settings, 2):
        try:
            await put(server, resource, **{name: settings[name] for name in names})
        except ProvisionError:
            continue  # the server does not have the two together
        (step,) = await compare(server, [resource])
        left = await carry_out(server, step, destroying=True)
        (after,) = await compare(server, [resource])
        assert after.differences == left, names
        assert {difference.way for difference in left} <= {Way.BY_HAND}
        applied += 1
        removal = f"STREAM.DELETE.{stream.name}"
        await server.api(removal if kind == "stream" else f"CONSUMER.DELETE.{stream.name}.{resource.name}")
    assert applied > 20


async def test_ids_are_kept_no_longer_than_events(server: Connection, prefix: str) -> None:
    stream = resources.event_stream(prefix, "job")
    await put(server, stream, max_age=60 * SECOND, duplicate_window=60 * SECOND)
    (step,) = await compare(server, [stream])
    assert step.action is Action.NOTHING
    await put(server, resources.event_stream(prefix, "other"), max_age=60 * SECOND, duplicate_window=SECOND)
    (step,) = await compare(server, [resources.event_stream(prefix, "other")])
    assert [(each.setting, each.should_be) for each in step.differences] == [("duplicate_window", "1m")]


# -- created or verified -----------------------------------------------------------------------------


async def test_verify_makes_nothing_and_names_the_command_that_does(
    make_bus: Make, server: Connection, prefix: str
) -> None:
    bus = make_bus(provision="verify")
    with pytest.raises(
        ProvisionError, match=r"stream '.*-job' does not exist.*\n?.*lightbus apply --bus MODULE"
    ):
        await listen(bus)
    await create(server, resources.event_stream(prefix, "job"))
    with pytest.raises(
        ProvisionError, match=r"durable 'worker-do' of stream '.*-job' does not exist.*lightbus apply"
    ):
        await listen(bus)
    await create(server, resources.durable(prefix, CONSUMER))
    with pytest.raises(ProvisionError, match=r"stream '.*-dead-letters' does not exist.*lightbus apply"):
        await listen(bus)
    await create(server, resources.dead_letter_stream(prefix, server.version))
    await listen(bus)


async def test_verify_fires_into_a_stream_that_is_there_alone(
    make_bus: Make, server: Connection, prefix: str
) -> None:
    bus = make_bus(provision="verify")
    with pytest.raises(ProvisionError, match=r"does not exist.*lightbus apply"):
        await bus.job.wanted.fire_async(name="x")
    await create(server, resources.event_stream(prefix, "job"))
    assert (await bus.job.wanted.fire_async(name="x")).id


async def test_verified_services_work(
    make_bus: Make, server: Connection, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    await put_all(server, prefix)
    handled: asyncio.Queue[str] = asyncio.Queue()
    bus = make_bus(provision="verify")
    await bus.job.wanted.listen_async(lambda name: handled.put_nowait(name), listener_name="do")
    await bus.job.wanted.fire_async(name="x")
    assert await asyncio.wait_for(handled.get(), BOUND) == "x"
    assert not caplog.records


async def test_the_environment_decides_where_the_code_is_silent(
    make_bus: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTBUS_PROVISION", "verify")
    with pytest.raises(ProvisionError):
        await listen(make_bus())
    await listen(make_bus(provision="create"))
    monkeypatch.setenv("LIGHTBUS_PROVISION", "hope")
    with pytest.raises(UsageError, match="LIGHTBUS_PROVISION='hope' is neither"):
        make_bus()
    with pytest.raises(UsageError, match="provision='hope' is neither"):
        make_bus(provision="hope")


async def test_a_stream_made_by_another_process_in_the_meantime_is_taken(
    server: Connection, prefix: str
) -> None:
    wanted = resources.event_stream(prefix, "job")
    await put(server, wanted, max_age=3600 * NANOSECONDS)
    info = await create(server, wanted)
    assert info["config"]["max_age"] == 3600 * NANOSECONDS


# -- differences -------------------------------------------------------------------------------------

SECOND = NANOSECONDS


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"no_ack": True}, r"no_ack +is true, should be false: the server confirms no event"),
        (
            {"retention": "workqueue"},
            r"retention +is workqueue, should be limits: the first listener that handles",
        ),
        (
            {"subjects": ["{prefix}.job.other"]},
            r"subjects +is .*job\.other, should be .*job\.other, .*job\.\*: events fired on",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_a_stream_that_would_break_the_promise_is_refused(
    make_bus: Make, server: Connection, prefix: str, settings: dict[str, Any], says: str
) -> None:
    filled = json.loads(json.dumps(settings).replace("{prefix}", prefix))
    await put(server, resources.event_stream(prefix, "job"), **filled)
    with pytest.raises(ProvisionError, match=rf"stream '{prefix}-job' differs from the code:\n  {says}"):
        await listen(make_bus())


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"ack_policy": "none"}, r"ack_policy +is none, should be explicit: something else created it"),
        (
            {"max_deliver": 3},
            r"max_deliver +is 3, should be -1: after that many deliveries an event is given up",
        ),
        ({"inactive_threshold": 60 * SECOND}, r"inactive_threshold +is 1m, should be 0s: the server forgets"),
        (
            {"headers_only": True},
            r"headers_only +is true, should be false: events arrive without their bodies",
        ),
        (
            {"filter_subject": "{prefix}.job.other"},
            r"filter_subject +is .*job\.other, should be .*job\.wanted: it already listens",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_a_durable_that_would_break_the_promise_is_refused(
    make_bus: Make, server: Connection, prefix: str, settings: dict[str, Any], says: str
) -> None:
    filled = json.loads(json.dumps(settings).replace("{prefix}", prefix))
    await create(server, resources.event_stream(prefix, "job"))
    await put(server, resources.durable(prefix, CONSUMER), **filled)
    with pytest.raises(
        ProvisionError, match=rf"durable 'worker-do' of stream '{prefix}-job' differs.*:\n  {says}"
    ):
        await listen(make_bus())


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"discard": "old"}, "discard  is old, should be new\n"),
        (
            {"discard": "old", "max_msgs": 9},
            "discard  is old, should be new: at its limit, the stream drops events that",
        ),
        ({"duplicate_window": 120 * SECOND}, "duplicate_window  is 2m, should be 10m\n"),
        ({"storage": "memory"}, "storage  is memory, should be file: a restart of the server loses"),
        ({"retention": "interest"}, "retention  is interest, should be limits: an event is removed once"),
        (
            {"max_msgs_per_subject": 2},
            "max_msgs_per_subject  is 2, should be -1: only the latest events are kept",
        ),
        (
            {"persist_mode": "async"},
            "persist_mode  is async, should be default: an event is confirmed before",
        ),
        ({"allow_direct": False}, "allow_direct  is false, should be true\n"),
        (
            {"allow_rollup_hdrs": True},
            "allow_rollup_hdrs  is true, should be false: one message with `Nats-Rollup: all` removes all others",
        ),
        (
            {"max_msgs_per_subject": 2, "discard_new_per_subject": True},
            "discard_new_per_subject  is true, should be false: a subject that has as many messages as",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
async def test_a_stream_that_weakens_the_promise_is_used_with_a_warning(
    make_bus: Make,
    server: Connection,
    prefix: str,
    caplog: pytest.LogCaptureFixture,
    settings: dict[str, Any],
    says: str,
) -> None:
    await put(server, resources.event_stream(prefix, "job"), **settings)
    before = await server.api(f"STREAM.INFO.{prefix}-job")
    await listen(make_bus())
    assert says in caplog.text
    assert (await server.api(f"STREAM.INFO.{prefix}-job"))["config"] == before["config"]


async def test_a_service_says_that_others_can_replace_its_dead_letters(
    make_bus: Make, server: Connection, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    await create(server, resources.dead_letter_stream(prefix, (2, 13)))
    await listen(make_bus())
    says = "is false, should be true: an answer of the server that any client"
    assert re.search(rf"'{prefix}-dead-letters' differs.*:\n +discard_new_per_subject  {says}", caplog.text)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"ack_wait": 7 * SECOND}, "ack_wait  is 7s, should be 30s\n"),
        ({"max_ack_pending": 5}, "max_ack_pending  is 5, should be 10000\n"),
        ({"backoff": [SECOND, 2 * SECOND]}, "backoff   is 1s, 2s, should be none: the server's waits"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
async def test_a_durable_with_other_settings_is_used_with_a_warning(
    make_bus: Make,
    server: Connection,
    prefix: str,
    caplog: pytest.LogCaptureFixture,
    settings: dict[str, Any],
    says: str,
) -> None:
    await create(server, resources.event_stream(prefix, "job"))
    await put(server, resources.durable(prefix, CONSUMER), **settings)
    await listen(make_bus())
    assert says in caplog.text
    assert "Show and apply that with: lightbus apply --bus MODULE" in caplog.text


async def test_a_durable_that_does_not_keep_order_is_refused_to_an_ordered_listener(
    make_bus: Make, server: Connection, prefix: str
) -> None:
    await put(server, resources.event_stream(prefix, "job"))
    await put(server, resources.durable(prefix, CONSUMER))
    with pytest.raises(ProvisionError, match="max_ack_pending  is 10000, should be 1: events overtake one"):
        await listen(make_bus(), ordered=True)


async def test_two_versions_of_a_service_do_not_overwrite_each_other(
    make_bus: Make, server: Connection, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    await listen(make_bus(), ack_wait=30.0)
    before = await server.api(f"CONSUMER.INFO.{prefix}-job.worker-do")
    await listen(make_bus(), ack_wait=10.0)
    assert "durable 'worker-do' of stream" in caplog.text
    assert "ack_wait  is 30s, should be 10s" in caplog.text
    assert (await server.api(f"CONSUMER.INFO.{prefix}-job.worker-do"))["config"] == before["config"]


async def test_what_differs_is_said_once(
    make_bus: Make, server: Connection, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    await put(server, resources.event_stream(prefix, "job"), discard="old")
    bus = make_bus()
    for name in ("one", "two", "three"):
        await bus.job.wanted.listen_async(lambda name: None, listener_name=name)
    assert caplog.text.count("differs from the code") == 1


async def test_what_an_operator_sets_beside_is_none_of_the_buss_business(
    make_bus: Make, server: Connection, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    stream = resources.event_stream(prefix, "job")
    await put(
        *(server, stream),
        description="ours",
        subjects=[f"{prefix}.job.>", f"{prefix}.extra"],
        max_age=86400 * SECOND,
        max_bytes=1_000_000,
        compression="s2",
    )
    await put(server, resources.durable(prefix, CONSUMER), description="theirs", metadata={"team": "blue"})
    await listen(make_bus())
    assert not caplog.records


async def test_an_overlapping_stream_is_a_clear_error(
    make_bus: Make, server: Connection, prefix: str
) -> None:
    await create(server, Stream(f"{prefix}-all", {"name": f"{prefix}-all", "subjects": [f"{prefix}.>"]}))
    with pytest.raises(ProvisionError, match=r"could not be created: subjects overlap.*nats stream ls"):
        await listen(make_bus())


# -- checks of producers and of the server -----------------------------------------------------------


async def test_a_producer_hears_of_a_stream_that_forgets_ids_too_soon(
    make_bus: Make, server: Connection, prefix: str, records: Records
) -> None:
    await put(server, resources.event_stream(prefix, "job"), duplicate_window=15 * SECOND)
    await make_bus(timeout=10.0).job.wanted.fire_async(name="x")
    says = "duplicate_window  is 15s, should be 20s: a fire() that retries for up to 10 s may store its event twice"
    assert await records.level_of(says) == "WARNING"


async def test_a_producer_hears_why_nothing_is_confirmed(
    make_bus: Make, server: Connection, prefix: str, records: Records
) -> None:
    await put(server, resources.event_stream(prefix, "job"), no_ack=True)
    with pytest.raises(PublishUnknown):
        await make_bus(timeout=0.3).job.wanted.fire_async(name="x")
    assert await records.level_of("no_ack  is true, should be false") == "ERROR"


async def test_a_sealed_stream_is_said_to_be_the_reason(
    make_bus: Make, server: Connection, prefix: str, records: Records
) -> None:
    stream = resources.event_stream(prefix, "job")
    info = await create(server, stream)
    await server.api(f"STREAM.UPDATE.{stream.name}", {**info["config"], "sealed": True})
    with pytest.raises(PublishFailed):
        await make_bus().job.wanted.fire_async(name="x")
    assert await records.level_of("the stream takes no more events") == "ERROR"


async def test_a_server_without_jetstream_is_refused() -> None:
    with NatsServer(jetstream=False) as server:
        async with lightbus.create(url=server.url) as bus:
            with pytest.raises(lightbus.TransportError, match="does not offer JetStream"):
                await listen(bus)


async def test_a_server_that_is_too_old_is_refused() -> None:
    async def old_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        info = {"server_id": "x", "version": "2.9.25", "max_payload": 1024, "headers": True, "proto": 1}
        writer.write(f"INFO {json.dumps(info)}\r\n".encode())
        while line := await reader.readline():
            if line.startswith(b"PING"):
                writer.write(b"PONG\r\n")
        writer.close()

    listening = await asyncio.start_server(old_server, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with lightbus.create(url=f"nats://127.0.0.1:{port}") as bus:
        with pytest.raises(
            lightbus.ConnectionFailed, match=r"it runs nats-server 2\.9\.25, and the bus needs 2\.10"
        ):
            await listen(bus)
    listening.close()
    await listening.wait_closed()


def in_cluster(name: str, own: int, other: int) -> str:
    routes = json.dumps([f"nats://127.0.0.1:{other}"])
    return f'server_name: {name}\ncluster {{ name: c, listen: "127.0.0.1:{own}", routes: {routes} }}\n'


async def test_one_replica_in_a_cluster_is_said(records: Records) -> None:
    here, there = free_port(), free_port()
    with (
        NatsServer(config=in_cluster("one", here, there)) as server,
        NatsServer(config=in_cluster("two", there, here)),
    ):
        async with asyncio.timeout(2 * BOUND):
            while True:  # until the cluster has a leader
                with contextlib.suppress(lightbus.TransportError):
                    async with lightbus.create(url=server.url, service_name="worker") as bus:
                        await listen(bus)
                        break
    text = "stream 'lightbus-job' keeps one replica in the cluster 'c': its events are lost with that server's disk."
    assert await records.level_of(text) == "WARNING"


# -- pure --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "subjects", "expected"),
    [
        ("a.b.*", "a.b.*", True),
        ("a.b.>", "a.b.*", True),
        ("a.>", "a.b.*", True),
        (">", "a.b.*", True),
        ("a.*.*", "a.b.*", True),
        ("a.b.*", "a.b.>", False),
        ("a.b", "a.b.*", False),
        ("a.b.c", "a.b.*", False),
        ("a.b.*.*", "a.b.*", False),
        ("a.b.*.>", "a.b.*", False),
        ("b.>", "a.b.*", False),
        ("a.b.>", "a.b.>", True),
    ],
)
def test_which_subjects_cover_others(pattern: str, subjects: str, expected: bool) -> None:
    assert covers(pattern, subjects) is expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0s"), (0.5, "0.5s"), (90, "90s"), (600, "10m"), (7200, "2h"), (86400, "1d")],
)
def test_durations_are_written_as_the_nats_command_takes_them(seconds: float, expected: str) -> None:
    assert duration(int(seconds * SECOND)) == expected
