"""Events as bytes: CloudEvents 1.0, structured JSON by default, binary mode read as well.

Pure: no I/O, no clock. The wire contract is docs/protocol.md; the source is the CloudEvents 1.0.2
specification with its JSON event format and its NATS protocol binding.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from lightbus.errors import UnreadableEvent
from lightbus.message import EventMessage

CONTENT_TYPE = "application/cloudevents+json"
MESSAGE_ID = "Nats-Msg-Id"  # the server drops a second message with the same value
HEADROOM = 2048  # bytes of `max_payload` that events leave free for the headers of their dead letters


class Envelope(msgspec.Struct, kw_only=True):
    """The attributes of a CloudEvent that the bus reads and writes, in their order on the wire.

    Attributes:
        type: the event's full name, `auth.user_created`.
        data: the payload, a JSON object; `UNSET` when the CloudEvent has none.
    """

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    time: Annotated[datetime, msgspec.Meta(tz=True)] | UnsetType = UNSET
    datacontenttype: str | UnsetType = UNSET
    dataschema: str | UnsetType = UNSET
    traceparent: str | UnsetType = UNSET
    tracestate: str | UnsetType = UNSET
    data: Any = UNSET

    @property
    def trace(self) -> dict[str, str]:
        """The trace context attributes that are present."""
        if self.traceparent is UNSET and self.tracestate is UNSET:
            return {}
        pairs = (("traceparent", self.traceparent), ("tracestate", self.tracestate))
        return {name: value for name, value in pairs if isinstance(value, str)}


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Envelope)
_json = msgspec.json.Decoder()


def encode(
    message: EventMessage, data: Mapping[str, Any], *, dataschema: str
) -> tuple[bytes, dict[str, str]]:
    """Write an event as structured JSON.

    Args:
        message: identity, time and source of the event.
        data: the payload as JSON values by wire name.
        dataschema: URI reference of the schema the payload follows.

    Returns:
        The body and the message headers.
    """
    envelope = Envelope(
        id=message.id,
        source=message.source,
        type=message.canonical_name,
        time=message.time,
        datacontenttype="application/json",
        dataschema=dataschema,
        data=data,
    )
    if message.trace:
        envelope.traceparent = message.trace.get("traceparent", UNSET)
        envelope.tracestate = message.trace.get("tracestate", UNSET)
    return _encoder.encode(envelope), {"Content-Type": CONTENT_TYPE, MESSAGE_ID: message.id}


def decode(body: bytes, headers: Mapping[str, str]) -> Envelope:
    """Read a CloudEvent in structured or binary mode.

    A body without any header is read as structured JSON, so that events fired with the `nats` command
    line work.

    Raises:
        UnreadableEvent: the message is not a CloudEvent 1.0 with JSON data; the text says why.
    """
    if headers.get("Content-Type") != CONTENT_TYPE:  # ours are structured and have exactly this type
        lowered = {name.lower(): value for name, value in headers.items()}
        if "ce-specversion" in lowered:
            return _decode_binary(body, lowered)
        content_type = lowered.get("content-type", CONTENT_TYPE).partition(";")[0].strip().lower()
        if content_type not in (CONTENT_TYPE, "application/json"):
            raise UnreadableEvent(f"its Content-Type is {content_type!r}, expected {CONTENT_TYPE!r}")
    try:
        envelope = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableEvent(f"its body is not a CloudEvent: {error}") from error
    return _checked(envelope)


def message_size(body: bytes, headers: Mapping[str, str]) -> int:
    """Return a message's size in bytes, headers included, as the server's `max_payload` counts it."""
    lines = sum(len(f"{name}: {value}\r\n".encode()) for name, value in headers.items())
    return len(body) + (len(b"NATS/1.0\r\n\r\n") + lines if headers else 0)


def _decode_binary(body: bytes, headers: Mapping[str, str]) -> Envelope:
    content_type = headers.get("content-type", "application/json")
    if not content_type.partition(";")[0].strip().lower().endswith("json"):
        raise UnreadableEvent(f"its Content-Type is {content_type!r}, expected JSON data")
    attributes: dict[str, Any] = {
        name.removeprefix("ce-"): value for name, value in headers.items() if name.startswith("ce-")
    }
    try:
        attributes["data"] = _json.decode(body)
        envelope = msgspec.convert(attributes, Envelope)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableEvent(f"it is not a CloudEvent in binary mode: {error}") from error
    return _checked(envelope)


def _checked(envelope: Envelope) -> Envelope:
    if envelope.specversion != "1.0":
        raise UnreadableEvent(f"its CloudEvents specversion is {envelope.specversion!r}, expected '1.0'")
    if not envelope.id:
        raise UnreadableEvent("its CloudEvents id is empty")
    if envelope.data is UNSET:
        raise UnreadableEvent("it has no data")
    return envelope
