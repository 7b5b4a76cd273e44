"""The contract of `lightbus.transport`, which every transport fulfils."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from lightbus import naming
from lightbus.errors import ConsumerLost, EventTooLarge, ProvisionError
from lightbus.transport import Since
from tests.conformance.bench import BOUND, Bench, outgoing, publish, take, take_and_ack

SHORT_WAIT = 1.0  # ack_wait of durables that time out in a test


async def test_publish_acknowledges_with_stream_and_sequence(bench: Bench) -> None:
    transport = await bench.transport()
    acks = [await transport.publish(outgoing("x"), timeout=BOUND) for _ in range(3)]
    assert [ack.sequence for ack in acks] == [1, 2, 3]
    assert {ack.stream for ack in acks} == {naming.stream(bench.prefix, "shop")}
    assert not any(ack.duplicate for ack in acks)


async def test_the_same_id_is_stored_once(bench: Bench) -> None:
    transport = await bench.transport()
    first = await transport.publish(outgoing("once", id="same"), timeout=BOUND)
    second = await transport.publish(outgoing("once", id="same"), timeout=BOUND)
    assert (second.duplicate, second.sequence) == (True, first.sequence)
    assert len(await bench.kit.stored(first.stream)) == 1


async def test_events_published_together_are_stored_in_their_order(bench: Bench) -> None:
    transport = await bench.transport()
    bodies = [f"{number}" for number in range(50)]
    publishing = []
    for body in bodies:
        await transport.room()
        publishing.append(transport.publish(outgoing(body), timeout=BOUND))
    acks = [await each for each in publishing]
    assert [ack.sequence for ack in acks] == list(range(1, 51))
    assert await take_and_ack(await bench.subscribe(transport), 50) == bodies


async def test_an_event_arrives_whole(bench: Bench) -> None:
    transport = await bench.transport()
    before = datetime.now(UTC) - timedelta(seconds=1)
    ack = await transport.publish(outgoing("bödy"), timeout=BOUND)
    delivery = await take(await bench.subscribe(transport))
    assert delivery.body == "bödy".encode()
    assert delivery.subject == naming.subject(bench.prefix, "shop", "created")
    assert delivery.headers["Content-Type"] == "text/plain"
    assert (delivery.sequence, delivery.attempt) == (ack.sequence, 1)
    assert before < delivery.time < datetime.now(UTC) + timedelta(seconds=1)


async def test_events_arrive_in_order_and_only_those_of_the_event(bench: Bench) -> None:
    transport = await bench.transport()
    await publish(transport, "a")
    await publish(transport, "other", event="deleted")
    await publish(transport, "b", "c")
    assert await take_and_ack(await bench.subscribe(transport), 3) == ["a", "b", "c"]


async def test_an_event_published_later_wakes_a_waiting_take(bench: Bench) -> None:
    transport = await bench.transport()
    waiting = asyncio.create_task((await bench.subscribe(transport)).take())
    await publish(transport, "late")
    delivery = await asyncio.wait_for(waiting, BOUND)
    assert delivery is not None and delivery.body == b"late"


async def test_every_durable_gets_every_event(bench: Bench) -> None:
    transport = await bench.transport()
    await publish(transport, "a", "b")
    for durable in ("one", "two"):
        assert await take_and_ack(await bench.subscribe(transport, durable), 2) == ["a", "b"]


async def test_workers_of_one_durable_share_its_events(bench: Bench) -> None:
    first = await bench.subscribe(await bench.transport())
    second = await bench.subscribe(await bench.transport())
    takes = [asyncio.create_task(take(subscription)) for subscription in (first, second)]
    await publish(await bench.transport(), "a", "b")
    deliveries = await asyncio.wait_for(asyncio.gather(*takes), BOUND)
    assert {delivery.body for delivery in deliveries} == {b"a", b"b"}
    for delivery in deliveries:
        await delivery.ack()


async def test_an_acknowledged_event_is_done(bench: Bench) -> None:
    transport = await bench.transport()
    await publish(transport, "a", "b")
    first = await bench.subscribe(transport)
    await take_and_ack(first, 1)
    await first.close()
    again = await bench.subscribe(transport)
    assert await take_and_ack(again, 1) == ["b"]


async def test_retry_delivers_again_and_counts(bench: Bench) -> None:
    transport = await bench.transport()
    await publish(transport, "again")
    subscription = await bench.subscribe(transport)
    for attempt in (1, 2, 3):
        delivery = await take(subscription)
        assert (delivery.body, delivery.attempt) == (b"again", attempt)
        await delivery.retry(0)


async def test_a_delayed_retry_lets_others_pass(bench: Bench) -> None:
    transport = await bench.transport()
    await publish(transport, "slow", "fast")
    subscription = await bench.subscribe(transport)
    slow = await take(subscription)
    await slow.retry(0.5)
    fast = await take(subscription)
    assert fast.body == b"fast"
    await fast.ack()
    again = await take(subscription)
    assert (again.body, again.attempt) == (b"slow", 2)


async def test_an_unsettled_event_returns_after_ack_wait(bench: Bench) -> None:
    transport = await bench.transport()
    await publish(transport, "forgotten")
    subscription = await bench.subscribe(transport, ack_wait=SHORT_WAIT)
    assert subscription.ack_wait == SHORT_WAIT
    first, second = await take(subscription), await take(subscription)
    assert (first.sequence, second.attempt) == (second.sequence, 2)


async def test_in_progress_restarts_ack_wait(bench: Bench) -> None:
    transport = await bench.transport()
    await publish(transport, "long work")
    subscription = await bench.subscribe(transport, ack_wait=SHORT_WAIT)
    delivery = await take(subscription)
    again = asyncio.create_task(subscription.take())
    for _ in range(8):  # two and a half times ack_wait
        await delivery.in_progress()
        done, _ = await asyncio.wait({again}, timeout=SHORT_WAIT / 3)
        assert not done
    await delivery.ack()
    await subscription.close()
    assert await asyncio.wait_for(again, BOUND) is None


async def test_an_ordered_durable_waits_until_each_event_is_done(bench: Bench) -> None:
    transport = await bench.transport()
    await publish(transport, "a", "b")
    subscription = await bench.subscribe(transport, ordered=True)
    subscription.ahead = 10
    bodies = []
    for attempt in (1, 2, 3):
        delivery = await take(subscription)
        assert (delivery.body, delivery.attempt) == (b"a", attempt)
        await delivery.retry(0.2 if attempt == 1 else 0)
    delivery = await take(subscription)
    await delivery.ack()
    bodies.append(delivery.body)
    assert bodies == [b"a"] and await take_and_ack(subscription, 1) == ["b"]


async def test_what_is_asked_for_ahead_comes_in_order_and_is_there(bench: Bench) -> None:
    transport = await bench.transport()
    bodies = [f"{number}" for number in range(40)]
    await publish(transport, *bodies)
    subscription = await bench.subscribe(transport)
    subscription.ahead = 10
    found: list[str] = []
    while len(found) < len(bodies):
        delivery = subscription.next() or await take(subscription)
        await delivery.ack()
        found.append(delivery.body.decode())
    assert found == bodies
    assert subscription.next() is None


async def test_shed_gives_untaken_events_to_others(bench: Bench) -> None:
    transport = await bench.transport()
    bodies = [f"{number}" for number in range(20)]
    await publish(transport, *bodies)
    slow = await bench.subscribe(transport)
    slow.ahead = 10
    first = await take(slow)
    await slow.shed(lambda _: True)
    assert (slow.ahead, len(slow.buffered)) == (0, 0)
    others = await take_and_ack(await bench.subscribe(transport), len(bodies) - 1)
    assert sorted([first.body.decode(), *others]) == sorted(bodies)
    await first.ack()


async def test_shed_keeps_what_may_not_go(bench: Bench) -> None:
    transport = await bench.transport()
    await publish(transport, *(f"{number}" for number in range(10)))
    slow = await bench.subscribe(transport)
    slow.ahead = 10
    first = await take(slow)
    await slow.shed(lambda delivery: delivery.sequence % 2 == 0)
    assert all(delivery.sequence % 2 for delivery in slow.buffered)
    found = [first, *[await take(slow) for _ in range(9)]]
    assert sorted(delivery.sequence for delivery in found) == list(range(1, 11))
    assert all(delivery.attempt == 1 for delivery in found if delivery.sequence % 2)


@pytest.mark.parametrize(("since", "expected"), [("beginning", ["old", "new"]), ("now", ["new"])])
async def test_where_a_new_durable_starts(bench: Bench, since: Since, expected: list[str]) -> None:
    transport = await bench.transport()
    await publish(transport, "old")
    subscription = await bench.subscribe(transport, since=since)
    await publish(transport, "new")
    assert await take_and_ack(subscription, len(expected)) == expected


async def test_a_new_durable_starts_at_a_time(bench: Bench) -> None:
    transport = await bench.transport()
    looking = await bench.subscribe(transport, "looking")
    await publish(transport, "old")
    old = await take(looking)
    await publish(transport, "new")
    new = await take(looking)
    between = old.time + (new.time - old.time) / 2
    assert await take_and_ack(await bench.subscribe(transport, "late", since=between), 1) == ["new"]


async def test_an_existing_durable_keeps_its_place(bench: Bench) -> None:
    transport = await bench.transport()
    await publish(transport, "a", "b")
    first = await bench.subscribe(transport)
    await take_and_ack(first, 1)
    await first.close()
    assert await take_and_ack(await bench.subscribe(transport, since="now"), 1) == ["b"]


async def test_close_ends_waiting_takes(bench: Bench) -> None:
    subscription = await bench.subscribe(await bench.transport())
    waiting = [asyncio.create_task(subscription.take()) for _ in range(3)]
    await asyncio.sleep(0)
    await subscription.close()
    assert await asyncio.wait_for(asyncio.gather(*waiting), BOUND) == [None, None, None]
    assert await subscription.take() is None


async def test_close_gives_untaken_events_back(bench: Bench) -> None:
    transport = await bench.transport()
    first = await bench.subscribe(transport)
    takes = [asyncio.create_task(first.take()) for _ in range(2)]
    await asyncio.sleep(0)
    takes[1].cancel()  # requested, and then cancelled
    await publish(transport, "a", "b")
    delivery = await asyncio.wait_for(takes[0], BOUND)
    assert delivery is not None
    await delivery.ack()
    await first.close()
    assert await take_and_ack(await bench.subscribe(transport), 1) == ["b"]


async def test_a_deleted_durable_is_reported(bench: Bench) -> None:
    transport = await bench.transport()
    subscription = await bench.subscribe(transport)
    waiting = asyncio.create_task(subscription.take())
    await asyncio.sleep(0)
    await bench.kit.delete_durable("shop", "listener")
    with pytest.raises(ConsumerLost):
        await asyncio.wait_for(waiting, BOUND)


async def test_a_durable_belongs_to_one_event(bench: Bench) -> None:
    transport = await bench.transport()
    await bench.subscribe(transport, event="created")
    with pytest.raises(ProvisionError, match="another listener_name"):
        await bench.subscribe(transport, event="deleted")


async def test_an_event_over_the_limit_is_refused_before_sending(bench: Bench) -> None:
    transport = await bench.transport()
    with pytest.raises(EventTooLarge) as caught:
        await transport.publish(outgoing("x" * 1024 * 1024), timeout=BOUND)
    assert caught.value.size > caught.value.limit
    ack = await transport.publish(outgoing("still connected"), timeout=BOUND)
    assert ack.sequence == 1
