"""The contract of `lightbus.transport` for events that were given up, which every transport fulfils."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lightbus import naming
from lightbus.event.dead_letter import DeadLetter, Failure, Filter
from lightbus.replay import ReplayOutcome, replay
from lightbus.transport import Delivery, Outgoing, Subscription, Transport
from tests.conformance.bench import BOUND, EARLIER, Bench, publish, take, take_and_ack

pytestmark = pytest.mark.parametrize("bench", ["memory", "jetstream", EARLIER], indirect=True)
NEVER = Failure("it never works", "ValueError", "0123456789ab", "Traceback:\n  100 % brökèn\nValueError")
MEGABYTE = 1024 * 1024


async def give_up(
    bench: Bench, transport: Transport, *bodies: str, durable: str = "listener", failure: Failure = NEVER
) -> list[DeadLetter]:
    """Have a listener give events up, and return its dead letters."""
    subscription = await bench.subscribe(transport, durable)
    await publish(transport, *bodies)
    for _ in bodies:
        await (await take(subscription)).dead_letter(failure)
    return await dead_letters(transport, listener=durable)


async def dead_letters(transport: Transport, listener: str = "") -> list[DeadLetter]:
    return [dead_letter async for dead_letter in transport.dead_letters.find(Filter(listener=listener))]


async def fail_again(subscription: Subscription, reason: str) -> Delivery:
    delivery = await take(subscription)
    await delivery.dead_letter(Failure(reason))
    return delivery


async def test_a_dead_letter_is_the_event_whole_with_what_happened(bench: Bench) -> None:
    transport = await bench.transport()
    subscription = await bench.subscribe(transport)
    await publish(transport, "pöison")
    before = datetime.now(UTC) - timedelta(seconds=1)
    await (await take(subscription)).retry(0)
    poison = await take(subscription)
    await poison.dead_letter(NEVER)
    (dead_letter,) = await dead_letters(transport)
    stream = naming.stream(bench.prefix, "shop")
    assert dead_letter.place == naming.Place(stream, "listener", poison.sequence, poison.time)
    assert (dead_letter.number, dead_letter.body, dead_letter.failure) == (1, "pöison".encode(), NEVER)
    assert dead_letter.subject == naming.subject(bench.prefix, "shop", "created")
    assert dead_letter.event == "shop.created"
    assert dead_letter.headers == {"Content-Type": "text/plain"}
    assert dead_letter.event_id == poison.headers["Nats-Msg-Id"]
    assert (dead_letter.attempts, dead_letter.replays) == (2, 0)
    assert (
        before
        < dead_letter.first_failed
        == dead_letter.last_failed
        < datetime.now(UTC) + timedelta(seconds=1)
    )


async def test_a_dead_letter_ends_the_event(bench: Bench) -> None:
    transport = await bench.transport()
    await publish(transport, "poison", "good")
    subscription = await bench.subscribe(transport)
    await (await take(subscription)).dead_letter(NEVER)
    assert await take_and_ack(subscription, 1) == ["good"]
    assert await bench.kit.unsettled("shop", "listener") == 0


async def test_a_dead_letter_is_kept_once(bench: Bench) -> None:
    transport = await bench.transport()
    await publish(transport, "poison")
    subscription = await bench.subscribe(transport)
    poison = await take(subscription)
    await poison.dead_letter(Failure("first"))
    await poison.dead_letter(Failure("the same failure after a crash"))
    assert len(await dead_letters(transport)) == 1


async def test_an_event_of_the_largest_size_fits_the_dead_letters(bench: Bench) -> None:
    """Only events of other producers can be that large; then the record of the failure is shortened."""
    transport = await bench.transport()
    subscription = await bench.subscribe(transport)
    await bench.kit.publish_raw(naming.subject(bench.prefix, "shop", "created"), b"x" * MEGABYTE)
    await (await take(subscription)).dead_letter(NEVER)
    (dead_letter,) = await dead_letters(transport)
    assert dead_letter.body == b"x" * MEGABYTE
    assert dead_letter.place.listener == "listener"
    assert await transport.dead_letters.replay(dead_letter)
    replay = await take(await bench.replays(transport))
    assert (replay.replay_of, replay.body) == (dead_letter.number, dead_letter.body)
    await replay.ack()
    assert await dead_letters(transport) == []


async def test_finding_filters(bench: Bench) -> None:
    transport = await bench.transport()
    await give_up(bench, transport, "a", durable="one", failure=Failure("x", "KeyError"))
    await give_up(bench, transport, "b", durable="two", failure=Failure("y", "ValueError"))

    async def numbers(wanted: Filter) -> list[int]:
        return [dead_letter.number async for dead_letter in transport.dead_letters.find(wanted)]

    assert await numbers(Filter()) == [1, 2]
    assert await numbers(Filter(listener="two")) == [2]
    assert await numbers(Filter(listener="t*", error="ValueError")) == [2]
    assert await numbers(Filter(error="KeyError", event="shop.created")) == [1]
    assert await numbers(Filter(numbers=frozenset({2, 3, 99}))) == [2]
    (first, second) = await dead_letters(transport)
    assert await numbers(Filter(event_ids=frozenset({first.event_id}), numbers=frozenset({2}))) == [1, 2]
    assert await numbers(Filter(since=second.last_failed)) == [2]
    assert await numbers(Filter(until=second.last_failed)) == [1]
    assert await numbers(Filter(event="shop.deleted")) == []


async def test_there_are_no_dead_letters_at_first(bench: Bench) -> None:
    transport = await bench.transport()
    assert await transport.dead_letters.count() == 0
    assert await dead_letters(transport) == []
    assert await transport.dead_letters.replaying() == set()


async def test_a_replay_reaches_only_the_listener_that_failed(bench: Bench) -> None:
    transport = await bench.transport()
    await publish(transport, "picky")
    others = await bench.subscribe(transport, "other")
    assert await take_and_ack(others, 1) == ["picky"]
    failing = await bench.subscribe(transport, "listener")
    event = await take(failing)
    await event.dead_letter(NEVER)
    replays = [await bench.replays(transport, durable) for durable in ("listener", "other")]
    (dead_letter,) = await dead_letters(transport)
    assert await transport.dead_letters.replay(dead_letter)
    replay = await take(replays[0])
    assert (replay.body, replay.subject, replay.sequence, replay.time) == (
        *(event.body, event.subject, event.sequence, event.time),
    )
    assert (replay.attempt, replay.replay_of) == (1, dead_letter.number)
    assert dict(replay.headers) == {"Content-Type": "text/plain"}
    await replay.ack()
    await publish(transport, "next")  # the replay is not before it
    for subscription in (others, failing):
        assert await take_and_ack(subscription, 1) == ["next"]
    await give_up(bench, transport, "own", durable="other")
    (own,) = await dead_letters(transport)
    await transport.dead_letters.replay(own)
    assert await take_and_ack(replays[1], 1) == ["own"]


async def test_a_dead_letter_stays_until_its_replay_is_acknowledged(bench: Bench) -> None:
    transport = await bench.transport()
    (dead_letter,) = await give_up(bench, transport, "x")
    await transport.dead_letters.replay(dead_letter)
    assert await transport.dead_letters.replaying() == {dead_letter.key}
    replays = await bench.replays(transport)
    for attempt in (1, 2):
        replay = await take(replays)
        assert replay.attempt == attempt
        assert await dead_letters(transport) == [dead_letter]
        await replay.retry(0)
    await (await take(replays)).ack()
    assert await dead_letters(transport) == []
    assert await transport.dead_letters.replaying() == set()
    assert await transport.dead_letters.latest(dead_letter) == 0


async def test_a_replay_waits_for_its_listener(bench: Bench) -> None:
    transport = await bench.transport()
    (dead_letter,) = await give_up(bench, transport, "x")
    assert await transport.dead_letters.replay(dead_letter)
    assert not await transport.dead_letters.is_served(dead_letter)
    replays = await bench.replays(transport)
    delivery = await take(replays)
    assert await transport.dead_letters.is_served(dead_letter)
    await delivery.ack()


async def test_a_replay_on_its_way_is_not_sent_again(bench: Bench) -> None:
    transport = await bench.transport()
    (dead_letter,) = await give_up(bench, transport, "x")
    assert await transport.dead_letters.replay(dead_letter)
    assert not await transport.dead_letters.replay(dead_letter)
    replays = await bench.replays(transport)
    replay = await take(replays)
    assert not await transport.dead_letters.replay(dead_letter)
    await replay.dead_letter(NEVER)
    assert await transport.dead_letters.replaying() == set()


async def test_a_replay_that_fails_takes_the_place_of_the_last_failure(bench: Bench) -> None:
    transport = await bench.transport()
    (first,) = await give_up(bench, transport, "x")
    replays = await bench.replays(transport)
    before = first
    for count in (1, 2):
        assert await transport.dead_letters.replay(before)
        await fail_again(replays, f"failure {count}")
        (after,) = await dead_letters(transport)
        assert after.number > before.number
        assert await transport.dead_letters.latest(first) == after.number
        assert (after.place, after.event_id, after.body) == (first.place, first.event_id, first.body)
        assert (after.failure.reason, after.attempts, after.replays) == (f"failure {count}", 1, count)
        assert after.first_failed == first.last_failed < after.last_failed
        before = after


async def test_the_same_failure_of_a_replay_is_kept_once(bench: Bench) -> None:
    transport = await bench.transport()
    (dead_letter,) = await give_up(bench, transport, "x")
    await transport.dead_letters.replay(dead_letter)
    replay = await fail_again(await bench.replays(transport), "it fails still")
    await replay.dead_letter(Failure("and is told again after a crash"))
    (after,) = await dead_letters(transport)
    assert after.failure.reason == "it fails still"


async def test_discarding(bench: Bench) -> None:
    transport = await bench.transport()
    first, second = await give_up(bench, transport, "a", "b")
    await transport.dead_letters.replay(first)
    assert await transport.dead_letters.discard(first)
    assert not await transport.dead_letters.discard(first)
    assert await dead_letters(transport) == [second]
    await transport.dead_letters.replay(second)
    replays = await bench.replays(transport)
    assert await take_and_ack(replays, 1) == ["b"]  # the first one's replay went with it
    assert await dead_letters(transport) == []


@pytest.mark.parametrize("body", ["garbage", "\x00\x01"])
async def test_bytes_that_cannot_be_read_are_kept(bench: Bench, body: str) -> None:
    transport = await bench.transport()
    (dead_letter,) = await give_up(bench, transport, body)
    assert dead_letter.body == body.encode()


async def test_ids_of_many_kinds_are_kept(bench: Bench) -> None:
    transport = await bench.transport()
    subscription = await bench.subscribe(transport)
    body = b'{"specversion":"1.0","id":"\\u00fc 100%\\n","source":"/x","type":"shop.created","data":{}}'
    await transport.publish(Outgoing("shop", "created", "other", body, {}), timeout=BOUND)
    await (await take(subscription)).dead_letter(NEVER)
    (dead_letter,) = await dead_letters(transport)
    assert dead_letter.event_id == "ü 100%\n"


# -- what others store there -----------------------------------------------------------------------


async def poisoned(bench: Bench, transport: Transport) -> tuple[Subscription, Delivery, str, str]:
    """Deliver an event, and return the subject and the id that its dead letter will have."""
    subscription = await bench.subscribe(transport)
    await give_up(bench, transport, "first", durable="other")  # makes the stream of dead letters
    event = await take(subscription)
    stream = naming.stream(bench.prefix, "shop")
    dead_letter = event.first_dead_letter(stream, "listener", NEVER, datetime.now(UTC))
    return (
        *(subscription, event, naming.dead_letter_subject(bench.prefix, dead_letter.place)),
        dead_letter.message_id,
    )


async def test_a_dead_letter_whose_id_was_used_by_another_listener_is_kept(bench: Bench) -> None:
    transport = await bench.transport()
    _, event, subject, message_id = await poisoned(bench, transport)
    elsewhere = subject.replace(".listener.", ".other.") + "9"
    stream = naming.dead_letter_stream(bench.prefix)
    await bench.kit.store(stream, elsewhere, b"bogus", {"Nats-Msg-Id": message_id})
    await event.dead_letter(NEVER)
    (dead_letter,) = await dead_letters(transport, "listener")
    assert (dead_letter.body, dead_letter.failure, dead_letter.problem) == (event.body, NEVER, "")


@pytest.mark.parametrize("headers", [{}, {"Lightbus-Attempts": "1"}, {"Lightbus-Event-Id": "x"}])
async def test_a_dead_letter_takes_the_place_of_a_bogus_one_with_its_id(
    bench: Bench, headers: dict[str, str]
) -> None:
    transport = await bench.transport()
    _, event, subject, message_id = await poisoned(bench, transport)
    stream = naming.dead_letter_stream(bench.prefix)
    await bench.kit.store(stream, subject, b"bogus", {"Nats-Msg-Id": message_id, **headers})
    await event.dead_letter(NEVER)
    (dead_letter,) = await dead_letters(transport, "listener")
    assert (dead_letter.body, dead_letter.failure) == (event.body, NEVER)
    await event.dead_letter(Failure("the same failure after a crash"))
    assert await dead_letters(transport, "listener") == [dead_letter]


async def test_a_message_that_no_listener_wrote_is_listed_and_can_be_discarded(bench: Bench) -> None:
    transport = await bench.transport()
    _, _, subject, _ = await poisoned(bench, transport)
    stream = naming.dead_letter_stream(bench.prefix)
    for where in (subject, f"{subject}.1", f"{stream}.elsewhere"):
        await bench.kit.store(stream, where, b'{"stream": "s", "seq": 1}', {})
    true, *foreign = await dead_letters(transport)
    assert not true.problem and all(letter.problem for letter in foreign)
    assert await transport.dead_letters.replay(true)
    for letter in foreign:
        assert await transport.dead_letters.discard(letter)
    assert await dead_letters(transport) == [true]
    assert await transport.dead_letters.replaying() == {true.key}  # it was not purged with them


@pytest.mark.parametrize("outcome", ["handled", "failed"])
@pytest.mark.parametrize("is_numbered", [True, False], ids=["its number", "another number"])
async def test_a_bogus_replay_leaves_the_true_dead_letter(
    bench: Bench, outcome: str, is_numbered: bool
) -> None:
    transport = await bench.transport()
    (true,) = await give_up(bench, transport, "true")
    number = true.number if is_numbered else true.number + 1
    subject = naming.replay_subject(bench.prefix, true.place, number)
    replays = await bench.replays(transport)
    await bench.kit.store(naming.replay_stream(bench.prefix), subject, b"bogus", {"Lightbus-Attempts": "1"})
    replay = await take(replays)
    assert replay.body == b"bogus"
    await (replay.ack() if outcome == "handled" else replay.dead_letter(NEVER))
    assert await dead_letters(transport) == [true]
    assert await transport.dead_letters.replaying() == set()
    assert await transport.dead_letters.replay(true)
    assert await take_and_ack(replays, 1) == ["true"]
    assert await dead_letters(transport) == []


@pytest.mark.parametrize("headers", [{}, {"Lightbus-Attempts": "1"}], ids=["an answer", "marked"])
async def test_a_message_on_the_subject_of_a_replay_does_not_stop_the_replay(
    bench: Bench, headers: dict[str, str]
) -> None:
    """Any client may have an answer stored there, before the listener that would refuse it runs."""
    transport = await bench.transport()
    (true,) = await give_up(bench, transport, "true")
    subject = naming.replay_subject(bench.prefix, true.place, true.number)
    await (await bench.replays(transport)).close()  # makes the stream of replays
    await bench.kit.store(naming.replay_stream(bench.prefix), subject, b"bogus", headers)
    assert await transport.dead_letters.replay(true)
    assert not await transport.dead_letters.replay(true)
    assert await take_and_ack(await bench.replays(transport), 1) == ["true"]
    assert await dead_letters(transport) == []


async def test_messages_that_nobody_takes_are_not_the_replay_of_a_dead_letter(bench: Bench) -> None:
    """Any client may have an answer stored in the stream of replays, on a subject of no listener."""
    transport = await bench.transport()
    (true,) = await give_up(bench, transport, "true")
    replays = await bench.replays(transport)
    stream = naming.replay_stream(bench.prefix)
    others = (replace(true.place, listener="nobody"), replace(true.place, stream="none"))
    subjects = [naming.replay_subject(bench.prefix, other, true.number) for other in others]
    for subject in (*subjects, f"{stream}.elsewhere", f"{stream}.no.body.x.{true.number}"):
        await bench.kit.store(stream, subject, b'{"stream": "s", "seq": 1}', {})
    assert await transport.dead_letters.replaying() == {(other, true.number) for other in others}

    async def selected() -> AsyncIterator[DeadLetter]:
        yield true

    replaying = asyncio.ensure_future(anext(replay(transport.dead_letters, selected(), lambda _: None)))
    assert await take_and_ack(replays, 1) == ["true"]
    assert (await asyncio.wait_for(replaying, BOUND)).outcome is ReplayOutcome.HANDLED


async def test_a_replay_that_was_handled_leaves_a_later_dead_letter(bench: Bench) -> None:
    """Its number is not that of the dead letter."""
    transport = await bench.transport()
    (first,) = await give_up(bench, transport, "x")
    replays = await bench.replays(transport)
    await transport.dead_letters.replay(first)
    await fail_again(replays, "again")
    (second,) = await dead_letters(transport)
    await transport.dead_letters.replay(first)  # an operator's list is out of date
    await (await take(replays)).ack()
    assert await dead_letters(transport) == [second]


async def test_what_is_no_replay_never_reaches_the_handler(bench: Bench) -> None:
    transport = await bench.transport()
    (true,) = await give_up(bench, transport, "true")
    stream = naming.replay_stream(bench.prefix)
    subject = naming.replay_subject(bench.prefix, true.place, true.number)
    replays = await bench.replays(transport)
    foreign = {"Lightbus-Attempts": "1", "Lightbus-Listener": "other"}
    for where, headers in ((subject, {}), (f"{subject}0", foreign), (subject.rpartition(".")[0], {})):
        await bench.kit.store(stream, where, b"bogus", headers)
    taking = asyncio.create_task(take(replays))
    async with asyncio.timeout(BOUND):
        while await transport.dead_letters.replaying():  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)
    assert not taking.done()
    assert await transport.dead_letters.replay(true)
    assert (await taking).body == b"true"
