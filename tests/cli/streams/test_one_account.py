"""What one account does not separate: a service may not do it, and has the server do it by naming a reply subject.

These are facts about nats-server. A test that fails here means that docs/provisioning.md has to change.
"""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path

import pytest

from lightbus.errors import UnreadableEvent
from lightbus.event.dead_letter import DeadLetter, Filter
from lightbus.event.envelope import decode
from lightbus.jetstream import JetStreamTransport
from lightbus.jetstream.connection.connection import Connection
from lightbus.jetstream.connection.wire import Message, header_block
from lightbus.jetstream.streams.plan import connected
from lightbus.jetstream.streams.resources import CONSUMER_NOT_FOUND, STREAM_NOT_FOUND
from lightbus.testing import NatsServer
from tests.cli.streams.site import BY_NAME, Site, connect
from tests.faults.waiting import BOUND, until

VICTIM, INTRUDER = BY_NAME["a"], BY_NAME["a-b"]
SOURCE = VICTIM.sources[0]
NOTHING_FOUND = 10037  # error code of the server
PULL, PULL_OF_SHARED = (
    f"$JS.API.CONSUMER.MSG.NEXT.{source}"
    for api in ("a-b.", "a-a.")
    for source in INTRUDER.sources
    if source.startswith(api)
)
# A pull that the server answers with a status, which is a message without a body
REFUSED = b'{"batch": 1, "idle_heartbeat": 1}'


async def stored(admin: Connection, stream: str, subject: str) -> bytes:
    """Return the body of the last message on a subject, b"" when there is none."""
    request = {"last_by_subj": subject}
    answer = await admin.lookup(f"STREAM.MSG.GET.{stream}", request, absent=(NOTHING_FOUND,))
    return b"" if answer is None else base64.b64decode(answer["message"].get("data", ""))


@pytest.mark.parametrize(
    ("stream", "subject"),
    [
        ("a-a", VICTIM.event),
        ("a-dead-letters", f"a-dead-letters.{SOURCE}.3.3"),
        ("a-dead-letters-replays", f"a-dead-letters-replays.{SOURCE}.1.1.9"),
    ],
    ids=["event", "dead letter", "replay"],
)
async def test_answers_are_stored_where_the_service_may_not_publish(
    site: Site, stream: str, subject: str
) -> None:
    async with site.admin() as admin, site.intruder(INTRUDER) as intruder:
        intruder.publish(INTRUDER.event.encode(), b"an event", reply=subject.encode())
        expected = {"stream", "seq"}  # the acknowledgement, whose text the service cannot choose

        async def is_acknowledgement() -> bool:
            body = await stored(admin, stream, subject)
            return body.startswith(b"{") and json.loads(body).keys() == expected

        await until(is_acknowledgement, "the acknowledgement is stored")
        with pytest.raises(UnreadableEvent):
            decode(await stored(admin, stream, subject), {})
        other = f"{subject}0" if stream == "a-dead-letters" else subject  # which keeps the first
        intruder.publish(b"$JS.API.INFO", reply=other.encode())

        async def is_answer() -> bool:
            return b"account_info_response" in await stored(admin, stream, other)

        await until(is_answer, "the answer of the API is stored")
        with pytest.raises(UnreadableEvent):
            decode(await stored(admin, stream, other), {})
        await intruder.flush()
        assert not intruder.denied


@pytest.mark.parametrize("is_guarded", [True, False], ids=["now", "before server 2.14"])
async def test_answers_replace_no_dead_letter(site: Site, is_guarded: bool) -> None:
    """Answers of a kind come in the order of the requests, so the dead letter was met when the next one is stored."""
    letters, requests = "a-dead-letters", ((INTRUDER.event, b"x"), (PULL, REFUSED), ("$JS.API.INFO", b""))
    async with site.admin() as admin, site.intruder(VICTIM) as victim, site.intruder(INTRUDER) as intruder:
        config = (await admin.api(f"STREAM.INFO.{letters}"))["config"]
        if not is_guarded:
            earlier = {"discard_new_per_subject": False, "allow_rollup_hdrs": False}
            await admin.api(f"STREAM.UPDATE.{letters}", {**config, **earlier})
        for number, (subject, body) in enumerate(requests):
            letter, free = (f"{letters}.{SOURCE}.{kind}.{number}{is_guarded:d}" for kind in (4, 5))
            await victim.request(letter, b"a dead letter", reply=VICTIM.inbox)
            for reply in (letter, free):
                intruder.publish(subject.encode(), body, reply=reply.encode())

            async def is_answered(free: str = free) -> bool:
                request = {"last_by_subj": free}
                absent = (NOTHING_FOUND,)
                return await admin.lookup(f"STREAM.MSG.GET.{letters}", request, absent=absent) is not None

            await until(is_answered, f"the answer to {subject} is stored")
            assert (await stored(admin, letters, letter) == b"a dead letter") is is_guarded
        await admin.api(f"STREAM.UPDATE.{letters}", config)
        await intruder.flush()
        assert not intruder.denied


async def test_an_event_that_is_pulled_to_another_subject_keeps_its_own(site: Site) -> None:
    """It lies in the other stream, and no listener's filter matches it."""
    listener = next(source for source in BY_NAME["A"].sources if source.startswith("a-a."))
    async with site.admin() as admin, site.intruder(INTRUDER) as intruder:
        before = await admin.api(f"CONSUMER.INFO.{listener}")
        await intruder.request(INTRUDER.event, b"an event", reply=INTRUDER.inbox)
        intruder.publish(PULL.encode(), b'{"batch": 1}', reply=VICTIM.event.encode())

        async def is_stored() -> bool:
            return await stored(admin, "a-a", INTRUDER.event) == b"an event"

        await until(is_stored, "the event lies in the other stream")
        after = await admin.api(f"CONSUMER.INFO.{listener}")
        assert after["num_pending"] == before["num_pending"]


async def test_a_listener_can_have_events_that_it_hears_stored_again_for_all_listeners(site: Site) -> None:
    """Those whose ids the stream has forgotten, and those without: both listeners of the event get them again."""
    listeners = [
        source for name in ("A", "a_b") for source in BY_NAME[name].sources if source.startswith("a-a.")
    ]
    event = base64.b64encode(b"the victim's event").decode()
    async with site.admin() as admin, site.intruder(VICTIM) as victim, site.intruder(INTRUDER) as intruder:
        await victim.request(VICTIM.event, b"the victim's event", reply=VICTIM.inbox)

        async def pending() -> list[int]:
            return [(await admin.api(f"CONSUMER.INFO.{source}"))["num_pending"] for source in listeners]

        before, last = await pending(), (await admin.api("STREAM.INFO.a-a"))["state"]["last_seq"]
        intruder.publish(
            PULL_OF_SHARED.encode(), b'{"batch": 1000, "no_wait": true}', reply=VICTIM.event.encode()
        )

        async def is_stored_again() -> bool:
            newest = (await admin.api("STREAM.INFO.a-a"))["state"]["last_seq"]
            messages = [
                await admin.api("STREAM.MSG.GET.a-a", {"seq": sequence})
                for sequence in range(last + 1, newest + 1)
            ]
            return any(each["message"].get("data") == event for each in messages)

        await until(is_stored_again, "the event is stored again")
        assert all(now > then for now, then in zip(await pending(), before, strict=True))
        await intruder.flush()
        assert not intruder.denied


async def test_an_inbox_is_reached_by_whoever_learns_its_name(site: Site) -> None:
    async with site.intruder(VICTIM) as victim, site.intruder(INTRUDER) as intruder:
        intruder.publish(INTRUDER.event.encode(), b"an event", reply=VICTIM.inbox.encode())
        assert json.loads(await victim.receive())["stream"] == "a-b"


async def test_no_acknowledgement_is_sent_by_an_answer(site: Site) -> None:
    async with site.intruder(INTRUDER) as intruder:
        reply = f"$JS.ACK.{SOURCE}.1.1.1.1.1"
        intruder.publish(INTRUDER.event.encode(), b"an event", reply=reply.encode())
        await intruder.flush()
        assert intruder.denied == {reply}


async def test_a_listener_can_have_any_stream_and_durable_deleted(site: Site) -> None:
    """The status of a pull is an empty message, and that is what these requests of the API are."""
    async with site.admin() as admin, site.intruder(INTRUDER) as intruder:
        await admin.api("STREAM.CREATE.spare", {"name": "spare", "subjects": ["spare"]})
        config = {"durable_name": "d", "ack_policy": "explicit"}
        await admin.api("CONSUMER.CREATE.spare.d", {"stream_name": "spare", "config": config})

        async def is_deleted(what: str) -> bool:
            return await admin.lookup(what, absent=(STREAM_NOT_FOUND, CONSUMER_NOT_FOUND)) is None

        intruder.publish(PULL.encode(), REFUSED, reply=b"$JS.API.CONSUMER.DELETE.spare.d")
        await until(lambda: is_deleted("CONSUMER.INFO.spare.d"), "the durable is deleted")
        intruder.publish(PULL.encode(), REFUSED, reply=b"$JS.API.STREAM.DELETE.spare")
        await until(lambda: is_deleted("STREAM.INFO.spare"), "the stream is deleted")
        await intruder.flush()
        assert not intruder.denied


async def test_a_listener_can_have_the_events_of_any_durable_delivered_to_nobody(site: Site) -> None:
    """Each event that it pulls serves as a pull from the other durable."""
    event = b'{"specversion": "1.0"}'
    async with site.admin() as admin, site.intruder(INTRUDER) as intruder:
        for _ in range(2):
            await intruder.request(INTRUDER.event, event, reply=INTRUDER.inbox)
        before = await admin.api(f"CONSUMER.INFO.{SOURCE}")
        reply = f"$JS.API.CONSUMER.MSG.NEXT.{SOURCE}".encode()
        intruder.publish(PULL.encode(), b'{"batch": 1000}', reply=reply)

        async def are_gone() -> bool:
            return not (await admin.api(f"CONSUMER.INFO.{SOURCE}"))["num_pending"]

        await until(are_gone, "the events are delivered")
        assert before["num_pending"]
        await intruder.flush()
        assert not intruder.received
        assert not intruder.denied


async def test_a_listener_sees_whose_dead_letters_there_are_and_can_delete_them(site: Site) -> None:
    letter, own = f"a-dead-letters.{SOURCE}.2.2", f"a-dead-letters.{INTRUDER.sources[0]}.2.2"
    async with site.intruder(VICTIM) as victim, site.intruder(INTRUDER) as intruder:
        number = json.loads(await victim.request(letter, b"a dead letter", reply=VICTIM.inbox))["seq"]
        info = await intruder.request(
            "$JS.API.STREAM.INFO.a-dead-letters", b'{"subjects_filter": ">"}', reply=INTRUDER.inbox
        )
        assert letter in json.loads(info)["state"]["subjects"]
        info = await intruder.request(
            "$JS.API.STREAM.INFO.a-dead-letters-replays", b'{"subjects_filter": ">"}', reply=INTRUDER.inbox
        )
        assert any(SOURCE in subject for subject in json.loads(info)["state"]["subjects"])
        request = json.dumps({"seq": number}).encode()
        answer = await intruder.request(
            "$JS.API.STREAM.MSG.DELETE.a-dead-letters", request, reply=INTRUDER.inbox
        )
        assert json.loads(answer)["success"]
        intruder.publish(
            own.encode(), header=header_block({"Nats-Rollup": "all"}), reply=INTRUDER.inbox.encode()
        )
        number = json.loads(await intruder.receive())["seq"]
        info = await intruder.request("$JS.API.STREAM.INFO.a-dead-letters", reply=INTRUDER.inbox)
        assert json.loads(info)["state"]["first_seq"] == number


async def test_an_event_that_is_pulled_into_the_dead_letters_is_listed_and_discarded(site: Site) -> None:
    """It keeps its own subject there."""
    async with site.intruder(VICTIM) as victim, site.intruder(INTRUDER) as intruder:
        await victim.request(VICTIM.event, b"no dead letter", reply=VICTIM.inbox)
        letter = f"a-dead-letters.{SOURCE}.3.3"
        intruder.publish(PULL_OF_SHARED.encode(), b'{"batch": 1000, "no_wait": true}', reply=letter.encode())
        await intruder.flush()
    transport = JetStreamTransport(site.admin_url, service_name="", prefix="a")
    await transport.connect()
    store = transport.dead_letters

    async def foreign() -> list[DeadLetter]:
        problem = "its subject is not that of a dead letter"
        return [each async for each in store.find(Filter()) if each.problem == problem]

    async def is_listed() -> bool:
        return bool(await foreign())

    try:
        await until(is_listed, "the event is listed")
        for dead_letter in await foreign():
            assert await store.discard(dead_letter)
        assert not await foreign()
    finally:
        await transport.close()


async def test_an_event_that_is_pulled_into_the_replays_stays_until_it_is_purged(site: Site) -> None:
    """It keeps its own subject there, too, which no listener's replays have."""
    replays = "a-dead-letters-replays"
    async with site.admin() as admin, site.intruder(VICTIM) as victim, site.intruder(INTRUDER) as intruder:
        await victim.request(VICTIM.event, b"no replay", reply=VICTIM.inbox)
        replay = f"{replays}.{SOURCE}.3.3"
        intruder.publish(PULL_OF_SHARED.encode(), b'{"batch": 1000, "no_wait": true}', reply=replay.encode())

        async def is_stored() -> bool:
            return await stored(admin, replays, VICTIM.event) == b"no replay"

        await until(is_stored, "the event lies among the replays")
        await admin.api(f"STREAM.PURGE.{replays}", {"filter": VICTIM.event})
        assert not await is_stored()


STRICTNESS = """
jetstream {{ store_dir: {store}, strict: {strict} }}
authorization {{ users = [
  {{ user: admin, password: x }}
  {{ user: shop, password: x, permissions: {{ publish: {{ allow: [ lightbus.shop.paid ] }} }} }}
] }}
"""


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "lax"])
@pytest.mark.parametrize(("operation", "left"), [("PURGE", 1), ("MSG.DELETE", 2)])
async def test_a_server_that_is_not_strict_deletes_any_events_for_whoever_fires(
    tmp_path: Path, operation: str, left: int, strict: bool
) -> None:
    """The acknowledgement of an event, `{"stream": ..., "seq": ...}`, serves as a request of the API."""
    request = f"$JS.API.STREAM.{operation}.lightbus-auth"
    config = STRICTNESS.format(store=json.dumps(str(tmp_path)), strict=json.dumps(strict))
    with NatsServer(jetstream=False, config=config) as server:
        async with (
            connected(server.url.replace("//", "//admin:x@"), origin="the test") as admin,
            connect(server.url, "shop", "x") as shop,
        ):
            for name, count in (("auth", 3), ("shop", 2)):
                await admin.api(
                    f"STREAM.CREATE.lightbus-{name}",
                    {"name": f"lightbus-{name}", "subjects": [f"lightbus.{name}.*"]},
                )
                for _ in range(count):
                    await admin.request(f"lightbus.{name}.created", b"an event", BOUND)
            answers: asyncio.Queue[Message] = asyncio.Queue()
            await admin.subscribe("$JS.EVENT.ADVISORY.API", answers.put_nowait)
            await admin.processed()
            shop.publish(b"lightbus.shop.paid", b"an event", reply=request.encode())
            advisory = json.loads((await asyncio.wait_for(answers.get(), BOUND)).body)
            assert advisory["subject"] == request
            info = await admin.api("STREAM.INFO.lightbus-auth")
            assert info["state"]["messages"] == (3 if strict else left)
            await shop.flush()
            assert not shop.denied


ACCOUNTS = """
accounts {
  SHOP { jetstream: enabled, users = [ { user: shop, password: x } ] }
  ADS { jetstream: enabled, users = [ { user: ads, password: x } ] }
}
"""


async def test_accounts_separate_even_users_who_may_do_everything() -> None:
    with NatsServer(config=ACCOUNTS) as server:
        async with connect(server.url, "shop", "x") as shop, connect(server.url, "ads", "x") as ads:
            shop.subscribe("_INBOX.shop")
            ads.subscribe(">")
            config = b'{"name": "lightbus-auth", "subjects": ["lightbus.auth.*"]}'
            await shop.request("$JS.API.STREAM.CREATE.lightbus-auth", config, reply="_INBOX.shop")
            for subject in (
                *("lightbus.auth.user_created", "$JS.API.STREAM.DELETE.lightbus-auth", "_INBOX.shop"),
                *("$JS.API.STREAM.PURGE.lightbus-auth", "$JS.API.STREAM.MSG.GET.lightbus-auth"),
            ):
                ads.publish(subject.encode())
                ads.publish(b"$JS.API.INFO", reply=subject.encode())
            await ads.flush()
            await shop.request("lightbus.auth.user_created", b"an event", reply="_INBOX.shop")
            answer = await shop.request("$JS.API.STREAM.INFO.lightbus-auth", reply="_INBOX.shop")
            assert json.loads(answer)["state"]["last_seq"] == 1
            await ads.flush()
            assert all(b"an event" not in body for _, body in ads.received)
