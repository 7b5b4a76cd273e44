"""Messages as bytes: header blocks, and how a stream of bytes is divided into messages."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nats.aio.client import Client
from nats.errors import ProtocolError
from nats.protocol.parser import Parser

from lightbus.event.envelope import CONTENT_TYPE, message_size
from lightbus.jetstream.connection.client import EventParser
from lightbus.jetstream.connection.wire import Message, header_block, read_headers

NAMES = st.text("abcXYZ-09_", min_size=1, max_size=12)
VALUES = st.text(max_size=40)


@given(
    st.dictionaries(NAMES, st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"])), max_size=5)
)
def test_headers_come_back_as_they_were(headers: dict[str, str]) -> None:
    block = header_block(headers)
    assert read_headers(block) == headers
    assert message_size(b"body", headers) == len(block) + 4


@given(st.dictionaries(NAMES, VALUES, max_size=5))
@example({"A": "1\r\nB: 2"})
def test_no_value_breaks_out_of_its_header(headers: dict[str, str]) -> None:
    assert read_headers(header_block(headers)).keys() == headers.keys()


@given(st.dictionaries(NAMES, VALUES, max_size=5))
def test_the_block_is_the_one_nats_py_reads(headers: dict[str, str]) -> None:
    block = header_block(headers)
    assert read_headers(block) == (Client._parse_header_lines(block[len(b"NATS/1.0\r\n") :]) if block else {})


@given(st.binary(max_size=30))
@example(b"one")
@example(b"one\r\nA: 1")
@example(b" one \xff")
def test_the_headers_of_an_event_are_read_like_any_others(end: bytes) -> None:
    block = header_block({"Content-Type": CONTENT_TYPE, "Nats-Msg-Id": "id"})[:-6] + end + b"\r\n\r\n"
    assert read_headers(block) == read_headers(block.replace(b"NATS/1.0", b"NATS/1.0 "))


@given(st.binary(max_size=200))
def test_any_bytes_can_be_read_as_a_header_block(block: bytes) -> None:
    message = Message("s", "", block, b"")
    assert all(name and name.isascii() for name in message.headers)
    assert all(isinstance(part, str) for part in message.status)


@pytest.mark.parametrize(
    ("block", "status", "headers"),
    [
        (b"NATS/1.0 503\r\n\r\n", ("503", ""), {}),
        (b"NATS/1.0 503 No Responders\r\n\r\n", ("503", "No Responders"), {}),
        (
            b"NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 3\r\n\r\n",
            ("408", "Request Timeout"),
            {"Nats-Pending-Messages": "3"},
        ),
        (b"NATS/1.0\r\nA: 1\r\nA: 2\r\nB:3\r\nno header\r\na b: 4\r\n\r\n", ("", ""), {"A": "2", "B": "3"}),
        (b"", ("", ""), {}),
    ],
)
def test_a_status_and_headers(block: bytes, status: tuple[str, str], headers: dict[str, str]) -> None:
    message = Message("s", "", block, b"")
    assert (message.status, message.headers) == (status, headers)


# -- the parser ------------------------------------------------------------------------------------


class Heard:
    """Replaces nats-py's client behind a parser, and records its calls."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    async def _process_msg(self, *message: Any) -> None:
        self.heard.append(message)

    async def _process_err(self, text: str) -> None:
        self.heard.append(("err", text))

    async def _process_ping(self) -> None:
        self.heard.append(("ping",))

    async def _process_pong(self) -> None:
        self.heard.append(("pong",))

    async def _process_info(self, info: Any) -> None:
        self.heard.append(("info", info))


TOKEN = st.text("abc.$_", min_size=1, max_size=8).map(str.encode)
BODY = st.one_of(st.binary(max_size=60), st.sampled_from([b"\r\n", b"MSG a 1 0\r\n\r\n", b"PING\r\n", b""]))


@st.composite
def operations(draw: st.DrawFn) -> bytes:
    kind = draw(st.sampled_from(["MSG", "HMSG", "PING", "PONG", "+OK", "-ERR", "INFO"]))
    if kind in ("PING", "PONG", "+OK"):
        return f"{kind}\r\n".encode()
    if kind == "-ERR":
        return b"-ERR 'Permissions Violation'\r\n"
    if kind == "INFO":
        return b'INFO {"max_payload": 5}\r\n'
    subject, reply, body = draw(TOKEN), draw(st.one_of(st.none(), TOKEN)), draw(BODY)
    head = b" ".join([subject, b"%d" % draw(st.integers(1, 12)), *([reply] if reply else [])])
    if kind == "MSG":
        return b"MSG %b %d\r\n%b\r\n" % (head, len(body), body)
    header = header_block(draw(st.dictionaries(NAMES, NAMES, min_size=1, max_size=2)))
    return b"HMSG %b %d %d\r\n%b%b\r\n" % (head, len(header), len(header) + len(body), header, body)


@given(st.lists(operations(), max_size=8).map(b"".join), st.lists(st.integers(1, 50), max_size=30))
def test_bytes_are_cut_as_nats_py_cuts_them_however_they_arrive(stream: bytes, pieces: list[int]) -> None:
    async def parse() -> None:
        expected, found = Heard(), Heard()
        theirs = Parser(expected)

        def deliver(number: int, subject: bytes, reply: bytes, header: bytes, body: bytes) -> bool:
            if number % 2:  # as for subscriptions with a receiver
                found.heard.append((number, subject, reply, body, header or None))
            return bool(number % 2)

        ours = EventParser(found, deliver)
        position = 0
        for size in [*pieces, len(stream)]:
            piece = stream[position : position + size]
            position += size
            if piece:
                await theirs.parse(piece)
                await ours.parse(piece)
        assert found.heard == expected.heard
        assert (ours.state, bytes(ours.buf)) == (theirs.state, bytes(theirs.buf))

    asyncio.run(parse())


@pytest.mark.parametrize(
    "line",
    [
        b"MSG a",
        b"MSG a b c",
        b"HMSG a 1 x 5",
        b"MSG a 1 -",
        b"MSG",
        b"MSG a 1 -5",
        b"HMSG a 1 9 5",
        b"HMSG a 1 -9 5",
    ],
)
async def test_a_malformed_line_is_an_error_of_the_protocol(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        await EventParser(Heard(), lambda *_: True).parse(line + b"\r\n")
