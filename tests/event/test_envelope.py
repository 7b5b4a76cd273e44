"""Events as bytes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightbus.errors import UnreadableEvent
from lightbus.event import envelope
from lightbus.message import EventMessage

MESSAGE = EventMessage(
    id="0f1e",
    api_name="auth",
    event_name="user_created",
    kwargs={},
    time=datetime(2026, 1, 2, 3, 4, 5, 600, UTC),
    source="/auth",
    trace={"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
)


def test_the_bytes_on_the_wire() -> None:
    body, headers = envelope.encode(MESSAGE, {"username": "ada"}, dataschema="lightbus:auth#/events/x")
    assert headers == {"Content-Type": "application/cloudevents+json", "Nats-Msg-Id": "0f1e"}
    assert json.loads(body) == {
        "specversion": "1.0",
        "id": "0f1e",
        "source": "/auth",
        "type": "auth.user_created",
        "time": "2026-01-02T03:04:05.000600Z",
        "datacontenttype": "application/json",
        "dataschema": "lightbus:auth#/events/x",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "data": {"username": "ada"},
    }


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), json_values))
def test_any_payload_survives(data: dict[str, Any]) -> None:
    body, headers = envelope.encode(MESSAGE, data, dataschema="x:y")
    read = envelope.decode(body, headers)
    assert read.data == data
    assert (read.id, read.type, read.time, read.trace) == (
        "0f1e",
        "auth.user_created",
        MESSAGE.time,
        MESSAGE.trace,
    )


def test_binary_mode_from_other_producers_is_read() -> None:
    headers = {
        "ce-specversion": "1.0",
        "CE-Id": "7",
        "ce-source": "/go-service",
        "ce-type": "auth.user_created",
        "ce-time": "2026-01-02T03:04:05Z",
        "Content-Type": "application/json; charset=utf-8",
    }
    read = envelope.decode(b'{"username": "ada"}', headers)
    assert (read.id, read.source, read.data) == ("7", "/go-service", {"username": "ada"})


def test_a_bare_body_is_read_as_structured_json() -> None:
    body = b'{"specversion":"1.0","id":"1","source":"/cli","type":"a.b","data":{}}'
    assert envelope.decode(body, {}).data == {}


GOOD = {"specversion": "1.0", "id": "1", "source": "/s", "type": "a.b", "data": {}}


@pytest.mark.parametrize(
    ("body", "headers", "words"),
    [
        (b"", {}, "not a CloudEvent"),
        (b"\xff\xfe", {}, "not a CloudEvent"),
        (b"[1]", {}, "not a CloudEvent"),
        (json.dumps({**GOOD, "id": 5}).encode(), {}, "not a CloudEvent"),
        (json.dumps({**GOOD, "id": ""}).encode(), {}, "id is empty"),
        (json.dumps({**GOOD, "specversion": "0.3"}).encode(), {}, "specversion is '0.3'"),
        (json.dumps({k: v for k, v in GOOD.items() if k != "data"}).encode(), {}, "no data"),
        (json.dumps(GOOD).encode(), {"Content-Type": "text/xml"}, "Content-Type is 'text/xml'"),
        (b"{", {"ce-specversion": "1.0", "ce-id": "1"}, "binary mode"),
        (b"{}", {"ce-specversion": "1.0", "ce-id": "1"}, "binary mode"),
        (b"[" * 100_000, {}, "not a CloudEvent"),
    ],
)
def test_what_cannot_be_read_says_why(body: bytes, headers: dict[str, str], words: str) -> None:
    with pytest.raises(UnreadableEvent, match=words):
        envelope.decode(body, headers)


@given(
    st.binary(max_size=200),
    st.dictionaries(st.sampled_from(["Content-Type", "ce-specversion", "ce-id"]), st.text()),
)
def test_garbage_never_raises_anything_else(body: bytes, headers: dict[str, str]) -> None:
    try:
        envelope.decode(body, headers)
    except UnreadableEvent as error:
        assert str(error)
