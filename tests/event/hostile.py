"""Hostile input: events that are damaged, by accident or on purpose."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from lightbus.transport import Delivery

_BEFORE = b'{"specversion":"1.0","id":"1","source":"/s","type":"shop.sold","data":'


def arrived(body: bytes, headers: Mapping[str, str]) -> Delivery:
    """Return the first delivery of a message, to be read only."""
    time = datetime(2026, 11, 23, tzinfo=UTC)
    return Delivery("", body, headers, 1, 1, time, 0, None)  # type: ignore[arg-type]


def structured(data: Any) -> dict[str, Any]:
    """Return a CloudEvent with the given payload."""
    return {"specversion": "1.0", "id": "1", "source": "/s", "type": "shop.sold", "data": data}


def body_of(data: str | bytes) -> bytes:
    """Return the bytes of a CloudEvent whose payload is the given JSON, valid or not."""
    return _BEFORE + (data.encode() if isinstance(data, str) else data) + b"}"


GOOD = json.dumps(
    structured(
        {"name": "ada", "number": 1, "when": "2026-11-23T12:00:00Z", "tags": ["a"], "tree": {"in": {}}}
    )
    | {"time": "2026-11-23T12:00:00Z", "traceparent": "00-1-1-01", "dataschema": "x:y"}
).encode()
_INSERTED = [
    b"\xff",
    b"\x00",
    b'"',
    b"{",
    b"}",
    b"[",
    b",",
    b":",
    b"\\ud800",
    b"NaN",
    b"1e999",
    b"null",
    b"\\",
    b"\xef\xbb\xbf",
]


@st.composite
def mutated(draw: st.DrawFn, body: bytes = GOOD) -> bytes:
    """Draw a valid body with some damage: bits flipped, parts cut out, doubled, replaced or inserted."""
    for _ in range(draw(st.integers(1, 4))):
        start, stop = sorted((draw(st.integers(0, len(body))), draw(st.integers(0, len(body)))))
        match draw(st.sampled_from(["flip", "cut", "truncate", "double", "insert"])):
            case "flip" if start < len(body):
                body = body[:start] + bytes([body[start] ^ 1 << draw(st.integers(0, 7))]) + body[start + 1 :]
            case "cut":
                body = body[:start] + body[stop:]
            case "truncate":
                body = body[:start]
            case "double":
                body = body[:stop] + body[start:stop] + body[stop:]
            case _:
                body = body[:start] + draw(st.sampled_from(_INSERTED)) + body[start:]
    return body
