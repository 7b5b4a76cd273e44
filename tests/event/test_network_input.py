"""Network input is read, or refused with a reason; no other exception is ever raised."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lightbus import Parameter, naming
from lightbus.errors import InvalidEvent, TransportError, UnreadableEvent
from lightbus.event.dead_letter import DeadLetter, Failure, failure_of, id_of
from lightbus.event.envelope import message_size
from lightbus.jetstream.acknowledgements import Acknowledgements, Answer
from lightbus.jetstream.connection.wire import Message, header_block, read_headers
from lightbus.jetstream.consuming.delivery import Deliveries, Origins
from lightbus.jetstream.consuming.subscription import PullSubscription
from lightbus.jetstream.stored import direct_get
from lightbus.listening.call import read
from lightbus.message import EventMessage
from lightbus.naming import Place
from lightbus.schema import EventContract
from tests.event.hostile import arrived, body_of, mutated, structured
from tests.schema.build import declared, exported, written

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PLACE = Place("stream", "durable", 1, NOON)
BOUND = 20.0
LIMIT = 1024 * 1024

PARAMETERS = (
    Parameter("name", str),
    Parameter("number", int, default=1),
    Parameter("share", float | None, default=None),
    Parameter("when", datetime | None, default=None),
    Parameter("anything", Any, default=None),
    Parameter("tags", list[str] | dict[str, int] | None, default=None),
    Parameter("data", bytes, default=b""),
)
TREE = written(
    {
        "type": "object",
        "properties": {"tree": {"$ref": "#/$defs/Tree"}, "name": {"type": "string", "pattern": "^(a+)+$"}},
        "additionalProperties": {"type": "array", "uniqueItems": True},
    },
    **{
        "$defs": {
            "Tree": {
                "type": "object",
                "properties": {"in": {"$ref": "#/$defs/Tree"}},
                "additionalProperties": False,
            }
        }
    },
)
CONTRACTS = [declared(*PARAMETERS), exported(*PARAMETERS), TREE]


def read_or_refuse(contract: EventContract, body: bytes, headers: dict[str, str]) -> EventMessage | None:
    """Read input as a worker does; any unexpected exception fails the test."""
    try:
        event = read(arrived(body, headers), contract)
    except (UnreadableEvent, InvalidEvent) as error:
        failure = failure_of(error, str(error))
        dead_letter = DeadLetter.first(
            *(PLACE, "p.shop.sold", headers, body),
            attempts=1,
            failure=failure,
            now=NOON,
        )
        assert (dead_letter.body, dead_letter.failure.reason) == (body, str(error))
        assert message_size(body, dead_letter.encode({"Nats-Msg-Id": "1"}, LIMIT)) <= LIMIT
        return None
    assert event.id and event.time.tzinfo is not None and isinstance(event.kwargs, dict)
    msgspec.json.encode(event)  # a handler can pass on whatever it receives
    return event


# -- bodies and headers ----------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
payloads = st.fixed_dictionaries(
    {},
    optional={
        **{parameter.name: json_values for parameter in PARAMETERS},
        "tree": json_values,
        "undeclared": json_values,
    },
)
attributes = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("specversion", "id", "source", "type", "time", "data"), json_values),
        **dict.fromkeys(("datacontenttype", "dataschema", "traceparent", "tracestate"), json_values),
        "unknown": json_values,
    },
)
NAMES = ["Content-Type", "content-type", "Nats-Msg-Id", "Lightbus-Attempts"]
NAMES += [f"ce-{name}" for name in ("specversion", "id", "source", "type", "time", "data", "")]
VALUES = ["1.0", "shop.sold", "application/json", "application/cloudevents+json", "text/plain", "9" * 5000]
VALUES += ["2026-11-23T12:00:00Z", "2026-11-23T12:00:00", "9999-12-31T23:59:60-23:59", "\ufffd", ""]
text = st.text(st.characters(codec="utf-8"), max_size=20)
headers = st.dictionaries(st.sampled_from(NAMES) | text, st.sampled_from(VALUES) | text, max_size=8).map(
    lambda given: read_headers(header_block(given))  # as they arrive
) | st.binary(max_size=80).map(lambda lines: read_headers(b"NATS/1.0\r\n" + lines + b"\r\n\r\n"))


@given(st.sampled_from(CONTRACTS), attributes, payloads, st.booleans(), headers)
def test_attributes_and_payloads_of_any_type(
    contract: EventContract, changed: dict[str, Any], data: dict[str, Any], keeps: bool, heads: dict[str, str]
) -> None:
    event = {**structured(data), **(changed if not keeps else {})}
    read_or_refuse(contract, json.dumps(event).encode(), heads if not keeps else {})


@given(st.sampled_from(CONTRACTS), mutated(), headers)
def test_bytes_that_were_damaged(contract: EventContract, body: bytes, heads: dict[str, str]) -> None:
    read_or_refuse(contract, body, heads)
    read_or_refuse(contract, body, {})


@given(st.sampled_from(CONTRACTS), st.binary(max_size=300), headers)
def test_binary_mode_with_any_headers(contract: EventContract, body: bytes, heads: dict[str, str]) -> None:
    mode = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "shop.sold"}
    read_or_refuse(contract, body, {**mode, **heads})
    read_or_refuse(contract, b'{"name": "aa"}', {**mode, **heads})


NUMBERS = ["NaN", "-Infinity", "Infinity", "1e400", "-1e400", "1e-400", "-0", "0.1" + "1" * 10_000]
NUMBERS += ["1" * 30, "1" * 4_000, "1" * 5_000, "9" * 900_000, "01", "+1", "1.", ".5", "0x10", "1_0"]


@pytest.mark.parametrize("contract", CONTRACTS, ids=["declared", "exported", "tree"])
class TestOneOfAKind:
    @pytest.mark.parametrize("number", NUMBERS, ids=lambda text: f"{text[:9]}-{len(text)}")
    @pytest.mark.parametrize("name", ["number", "share", "anything", "undeclared"])
    def test_numbers(self, contract: EventContract, name: str, number: str) -> None:
        read_or_refuse(contract, body_of(f'{{"name": "a", "{name}": {number}}}'), {})

    @pytest.mark.parametrize("depth", [99, 100, 101, 500, 990, 10_000, 140_000])
    @pytest.mark.parametrize(("opening", "inmost", "closing"), [("[", "", "]"), ('{"in":', "1", "}")])
    @pytest.mark.parametrize("name", ["anything", "tree", "undeclared", "tags"])
    def test_depth(
        self, contract: EventContract, name: str, opening: str, inmost: str, closing: str, depth: int
    ) -> None:
        value = opening * depth + inmost + closing * depth
        event = read_or_refuse(contract, body_of(f'{{"name": "a", "{name}": {value}}}'), {})
        if name == "anything" and contract is not TREE:
            assert (event is not None) == (depth < 100)

    @pytest.mark.parametrize(
        "text",
        [
            *(b'"\\ud800"', b'"\\udc00\\ud800"', b'"\xff"', b'"\xed\xa0\x80"', b'"\xc0\x80"', b'"\\u0000"'),
            *(
                b'"\x00"',
                b'"\n"',
                b'"\\x"',
                b'"' + b"a" * 900_000 + b'!"',
                b'"' + b"\\u00e9" * 150_000 + b'"',
            ),
        ],
        ids=lambda text: f"{text[:9]}-{len(text)}",
    )
    def test_texts(self, contract: EventContract, text: bytes) -> None:
        for body in (b'{"name": %b}' % text, b'{"name": "a", %b: [1]}' % text):
            read_or_refuse(contract, body_of(body), {})

    @pytest.mark.parametrize(
        "data",
        [
            *("null", "true", "1", '"x"', "[]", "[{}]", "", "{", '{"name": "a", "name": 1}'),
            *(
                '{"name": "a", "tags": [%s1]}' % ('"x",' * 200_000),
                '{"anything": {%s"a": 1}}' % ('"a": 1,' * 100_000),
            ),
            '{"name": "a", "undeclared": [%s1]}' % ("2," * 200_000),
            json.dumps(dict.fromkeys(map(str, range(60_000)), 1)),
        ],
        ids=lambda data: f"{data[:20]}-{len(data)}",
    )
    def test_payloads(self, contract: EventContract, data: str) -> None:
        read_or_refuse(contract, body_of(data), {})

    @pytest.mark.parametrize(
        "before", [b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b"\x1f\x8b", b" ", b"[", b"{}"]
    )
    def test_what_stands_before_a_body(self, contract: EventContract, before: bytes) -> None:
        event = read_or_refuse(contract, before + body_of('{"name": "aa"}'), {})
        assert (event is not None) == (before == b" ")


def test_a_time_without_zone_is_refused() -> None:
    body = json.dumps({**structured({"name": "a"}), "time": "2026-11-23T12:00:00"}).encode()
    with pytest.raises(UnreadableEvent, match="time"):
        read(arrived(body, {}), CONTRACTS[0])


# -- requests to a server --------------------------------------------------------------------------


class Wire:
    """Replaces the connection, without a server: what is sent goes nowhere, and tests supply the replies."""

    is_up = True
    max_payload = 1024 * 1024

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.receive: Callable[[Message], None] = lambda message: None

    def new_inbox(self) -> str:
        return "_INBOX.abc"

    async def subscribe(self, subject: str, receive: Callable[[Message], None]) -> Callable[[], Any]:
        self.receive = receive

        async def end() -> None:
            pass

        return end

    def send(self, subject: str, body: bytes = b"", *, reply: str = "", header: bytes = b"") -> None:
        self.sent.append((subject, reply))

    async def api(self, operation: str) -> dict[str, Any]:
        raise TransportError("nobody answers")

    async def processed(self) -> None: ...

    def when_down(self, callback: object) -> None: ...

    def when_up(self, callback: object) -> None: ...

    def when_denied(self, callback: object) -> None: ...

    def forget(self, *callbacks: object) -> None: ...


tokens = st.sampled_from(
    ["0", "1", "2", "-1", "9" * 19, "9" * 400, "٣", "", "1.1", "x", "*", ">", "\ufffd", "+1", "1_0"]
)
blocks = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda status, name, value: f"NATS/1.0{status}\r\n{name}: {value}\r\n\r\n".encode(),
        st.sampled_from(
            ["", " 503", " 408 Request Timeout", " 409", " 100", " 999 x", " x", " \u0663\u0663\u0663"]
        ),
        st.sampled_from(["Nats-Pending-Messages", "Nats-Sequence", "A"]),
        st.sampled_from(["1", "-1", "9" * 5000, "٣", "x"]),
    ),
)
answers = st.one_of(
    st.binary(max_size=60),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("stream", "seq", "duplicate", "error", "x"), json_values)
    ).map(lambda value: json.dumps(value).encode()),
    st.sampled_from(
        [b'{"error": {}}', b'{"error": {"code": "x"}}', b"[" * 100_000, b'{"stream": "s", "seq": 0}']
    ),
)


@given(st.lists(st.tuples(tokens, blocks, answers), max_size=10))
@example([("1", b"", b"{}"), ("1", b"", b'{"error": {}}'), ("9" * 5000, b"", b"")])
def test_the_inbox_of_acknowledgements_takes_only_answers(forged: list[tuple[str, bytes, bytes]]) -> None:
    async def answer() -> None:
        wire = Wire()
        acknowledgements = Acknowledgements(wire)  # type: ignore[arg-type]
        await acknowledgements.start()
        loop = asyncio.get_running_loop()
        asked = acknowledgements.send("s", b"", b"", loop.time() + 60, "a")
        refused = 0
        for number, block, body in forged:
            was_done = asked.done()
            wire.receive(Message(f"_INBOX.abc.{number}", "", block, body))
            if asked.done() and not was_done:
                assert number == "1"
            elif number != "1":
                refused += 1
        assert acknowledgements.refusals.count >= refused
        if not asked.done():
            assert acknowledgements.refusals.count == len(forged)
            wire.receive(Message("_INBOX.abc.1", "", b"", b'{"stream": "a", "seq": 5}'))
            assert await asked == Answer("a", 5)
        result = await asked
        assert result is None or result.error is not None or (result.stream and result.seq > 0)

    asyncio.run(answer())


replies = st.one_of(
    st.builds(lambda parts: ".".join(["$JS.ACK", *parts]), st.lists(tokens, max_size=12)),
    st.builds(
        lambda parts: ".".join(["$JS.ACK.stream.durable", *parts]), st.lists(tokens, min_size=5, max_size=5)
    ),
    st.builds(
        lambda parts: ".".join(["$JS.ACK.hub.abc.stream.durable", *parts]),
        st.lists(tokens, min_size=5, max_size=7),
    ),
    st.text(max_size=30),
)
GENUINE = [
    "$JS.ACK.stream.durable.1.17.3.1795435200123456789.0",
    "$JS.ACK._.ABCdef.stream.durable.1.17.3.1795435200123456789.0",
    "$JS.ACK.hub.ABCdef.stream.durable.1.17.3.1795435200123456789.0.x7",
]


@pytest.mark.parametrize("reply", GENUINE)
def test_where_a_delivery_comes_from(reply: str) -> None:
    origin = Origins("stream", "durable").read(reply)
    assert origin is not None
    assert (origin.attempt, origin.sequence) == (1, 17)
    assert origin.time == datetime(2026, 11, 23, 12, 0, 0, 123456, UTC)


@given(replies)
@example("$JS.ACK.stream.durable.1.1.1.9999999999999999999.1")
@example("$JS.ACK.stream.durable.1.1.1.99999999999999999999.1")
@example("$JS.ACK.other.durable.1.1.1.1.1")
@example("$JS.ACK.stream.durable.1.17.3.1.0\n")
def test_any_reply_subject_is_read_or_refused(reply: str) -> None:
    origin = Origins("stream", "durable").read(reply)
    if origin is not None:
        assert origin.time and origin.sequence > 0 and origin.attempt > 0
        assert not set(reply) & set("*> \r\n")


@given(
    st.lists(st.tuples(st.booleans(), replies, blocks, st.binary(max_size=20)), max_size=10),
    st.sampled_from(
        [
            ("event", "prefix.shop.sold", b""),
            ("replay", naming.replay_subject("prefix", PLACE, 5), header_block({"Lightbus-Attempts": "1"})),
        ]
    ),
)
def test_the_inbox_of_a_listener_takes_only_deliveries_and_statuses(
    forged: list[tuple[bool, str, bytes, bytes]], genuine: tuple[str, str, bytes]
) -> None:
    kind, subject, header = genuine

    async def take() -> None:
        wire = Wire()
        source = Deliveries(wire, None, "stream", "durable")  # type: ignore[arg-type]
        subscription = PullSubscription(
            wire,  # type: ignore[arg-type]
            source.event if kind == "event" else source.replay,
            stream="stream",
            durable="durable",
            ack_wait=30.0,
        )
        await subscription.start()
        taking = asyncio.create_task(subscription.take())
        for _ in range(3):  # slots pull together, once a turn
            await asyncio.sleep(0)
        asked = wire.sent[-1][1]
        expected = 0
        for is_status, reply, block, body in forged:
            before = subscription.refusals.count
            message = Message(asked if is_status else "_INBOX.abc.x", "" if is_status else reply, block, body)
            wire.receive(message)
            if message.reply and Origins("stream", "durable").read(message.reply) is None:
                assert subscription.refusals.count == before + 1
            expected += subscription.refusals.count - before
        assert subscription.refusals.count == expected
        wire.receive(Message(subject, GENUINE[0], header, b"good"))
        try:
            delivery = await asyncio.wait_for(taking, BOUND)
        except TransportError:
            assert any(is_status and block.startswith(b"NATS/1.0 ") for is_status, _, block, _ in forged)
        else:
            assert delivery is not None and delivery.sequence > 0 and delivery.time
        await subscription.close()

    asyncio.run(take())


# -- dead letters and replays by other writers -----------------------------------------------------

own = ["Subject", "Attempts", "Event-Id", "Replays", "First-Failed", "Error", "Digest", "Reason", "Traceback"]
header_sets = st.dictionaries(
    st.sampled_from([f"Lightbus-{name}" for name in own]) | text,
    st.sampled_from(
        [
            "9" * 5000,
            "-1",
            "٣",
            "1e9",
            "%ff%ZZ%",
            "2026-11-23",
            "9999-12-31T23:59:59-23:59",
            "ü\n",
            "x" * 9000,
        ]
    )
    | text,
    max_size=8,
)


@given(header_sets, st.binary(max_size=40))
@example({"Lightbus-Attempts": "9" * 5000, "Lightbus-Replays": "٣"}, b"")
def test_any_headers_make_a_dead_letter(heads: dict[str, str], body: bytes) -> None:
    heads = read_headers(header_block(heads))
    dead_letter = DeadLetter.decode(PLACE, 5, heads, body, NOON, limit=1024 * 1024)
    assert 0 <= dead_letter.attempts < 10**9 and 0 <= dead_letter.replays < 10**9
    assert dead_letter.first_failed.tzinfo is not None
    again = dead_letter.encode({"Nats-Msg-Id": "1"}, 1024 * 1024)
    assert len(header_block(again)) <= 65_535
    assert id_of(body, heads) is not None


@given(st.lists(tokens | st.sampled_from(["p", "s", "d", "1795435200123456"]), max_size=8).map(".".join))
@example("p.s.d.1.99999999999999999")
@example("p.s.d.99999999999999999999.1.1")
def test_any_subject_is_a_place_or_none(subject: str) -> None:
    found = naming.place_of(subject)
    if found is not None:
        place, number = found
        assert 0 <= place.sequence < 2**64 and 0 <= number < 2**64 and place.stored.tzinfo is not None


@given(header_sets)
def test_any_headers_make_a_replay(heads: dict[str, str]) -> None:
    message = Message("p-replays.stream.durable.7.1.5", GENUINE[0], header_block(heads), b"x")
    origin = Origins("stream", "durable").read(GENUINE[0])
    assert origin is not None
    source = Deliveries(Wire(), None, "stream", "durable")  # type: ignore[arg-type]
    delivery = source.replay(message, origin)
    if any(name.startswith("Lightbus-") for name in read_headers(message.header)):
        assert delivery is not None
        assert (delivery.replay_of, delivery.sequence, delivery.attempt) == (5, 7, 1)
    else:  # no operator wrote it
        assert delivery is None


@pytest.mark.parametrize("filler", [b"A: \xff" + b"\xff" * 30_000 + b"\r\n", b"A%d:1\r\n"])
def test_headers_that_grow_when_written_again_still_fit(filler: bytes) -> None:
    lines = filler if b"%d" not in filler else b"".join(filler % number for number in range(8_000))
    heads = read_headers(b"NATS/1.0\r\n" + lines + b"\r\n")
    dead_letter = DeadLetter.first(PLACE, "p.a.b", heads, b"x", attempts=1, failure=Failure("no"), now=NOON)
    assert len(header_block(dead_letter.encode({"Nats-Msg-Id": "1"}, 1024 * 1024))) <= 65_535


# -- stored messages -------------------------------------------------------------------------------


class Server(Wire):
    """Answers each request with the same messages."""

    def __init__(self, messages: list[Message]) -> None:
        super().__init__()
        self._messages = messages

    def send(self, subject: str, body: bytes = b"", *, reply: str = "", header: bytes = b"") -> None:
        for message in self._messages:
            self.receive(message)


stored = st.dictionaries(
    st.sampled_from(["Nats-Sequence", "Nats-Subject", "Nats-Time-Stamp", "Nats-Num-Pending"]),
    st.sampled_from(
        ["1", "0", "-5", "9" * 5000, "x", "", "2026-11-23T12:00:00.123456789Z", "2026-11-23", "٣"]
    ),
).flatmap(lambda heads: st.sampled_from([heads, {"Nats-Stream": "s", **heads}]))


@given(st.lists(stored, min_size=1, max_size=3))
def test_any_answer_to_a_reader_ends(batch: list[dict[str, str]]) -> None:
    async def go_through() -> None:
        answers = [
            Message("_INBOX.abc", "", header_block(heads) or b"NATS/1.0\r\n\r\n", b"x") for heads in batch
        ]
        server = Server([*answers, Message("_INBOX.abc", "", b"NATS/1.0 204 EOB\r\n\r\n", b"")])
        try:
            found = [m async for m in direct_get.messages(server, "s", ">", 1, 3)]  # type: ignore[arg-type]
        except TransportError:
            return
        assert all(1 <= message.sequence <= 3 for message in found)

    asyncio.run(asyncio.wait_for(go_through(), BOUND))
