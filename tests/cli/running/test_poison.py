"""Events that once stopped or occupied a service for ever: each ends as a dead letter or is handled."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

from lightbus import naming
from lightbus.event.dead_letter import Failure, Filter
from lightbus.jetstream import JetStreamTransport
from tests.cli.conftest import Start
from tests.cli.kit import BOUND
from tests.conformance.kits import look_into
from tests.schema.build import EXPRESSION, expression

LINE = {"type": "object", "properties": {"sku": {"type": "string"}}, "additionalProperties": False}
PAYLOAD = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "lines": {"type": "object", "additionalProperties": LINE},
        "sum": {"$ref": "#/$defs/Expr"},
    },
    "required": ["name"],
}
DOCUMENT = {
    "lightbus": 1,
    "api": "shop",
    "events": {"sold": {"parameters": PAYLOAD}},
    "$defs": {"Expr": EXPRESSION},
}
SERVICE = """\
import os
import lightbus
from lightbus.event import envelope

decode = envelope.decode

def defective(body, headers):
    if b"defect" in body:
        raise KeyError(42)
    return decode(body, headers)

envelope.decode = defective
bus = lightbus.create(service_name="till", prefix={prefix!r}, schemas=".")

def before_server_start():
    bus.shop.sold.listen(sold, listener_name="count")

def sold(event: lightbus.EventMessage):
    os.write(1, ("sold " + event.kwargs["name"] + " " + ascii(event.kwargs.get("lines")) + "\\n").encode())
"""


def publish(url: str, subject: str, *payloads: dict[str, Any]) -> None:
    async def send() -> None:
        async with look_into(url) as server:
            for payload in payloads:
                event = {"specversion": "1.0", "id": payload["name"], "source": "/x", "type": "shop.sold"}
                body = json.dumps({**event, "data": payload}).encode()
                await server.request(subject, body, BOUND)

    asyncio.run(send())


async def dead_letters(url: str, prefix: str) -> dict[str, Failure]:
    """Return the failures of all dead letters by the ids of the events."""
    transport = JetStreamTransport(url, service_name="look-into", prefix=prefix)
    await transport.connect()
    try:
        return {letter.event_id: letter.failure async for letter in transport.dead_letters.find(Filter())}
    finally:
        await transport.close()


def test_no_event_stops_or_occupies_a_service(
    start: Start, folder: Path, prefix: str, on_server: str
) -> None:
    (folder / "bus.py").write_text(SERVICE.format(prefix=prefix))
    (folder / "shop.json").write_text(json.dumps(DOCUMENT))
    service = start("run")
    service.ready()
    newer = {"sku": "s", "qty": 1}
    publish(
        on_server,
        naming.subject(prefix, "shop", "sold"),
        {"name": "numeric", "lines": {"42": newer}},
        {"name": "empty", "lines": {"": newer}},
        {"name": "newer", "sum": expression(90, {"op": "num", "v": 1, "new": 2})},
        {"name": "bomb", "sum": expression(90, {"op": "num", "v": "x"})},
        {"name": "defect"},
        {"name": "good"},
    )
    service.wait_for("sold numeric {'42': {'sku': 's'}}")
    service.wait_for("sold empty {'': {'sku': 's'}}")
    service.wait_for("sold newer None")
    service.wait_for("sold good None")
    service.signal(signal.SIGTERM)
    assert service.end() == 0
    failures = asyncio.run(dead_letters(on_server, prefix))
    assert {event_id: failure.error for event_id, failure in failures.items()} == {
        "bomb": "InvalidEvent",
        "": "KeyError",  # the defect keeps the id from being read, too
    }
    assert "KeyError: 42" in failures[""].reason
    assert "in defective" in failures[""].traceback
