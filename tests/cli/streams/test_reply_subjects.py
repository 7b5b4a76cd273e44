"""Which requests of the JetStream API a service has a strict server carry out, by naming them as its reply subject.

Every kind of request is tried with every kind of answer that a service can cause. Those that change anything are in the
table of docs/provisioning.md, and no others.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from lightbus.jetstream.connection.connection import Connection
from lightbus.jetstream.streams.resources import CONSUMER_NOT_FOUND, STREAM_NOT_FOUND
from tests.cli.streams.site import BY_NAME, DURABLE_OPERATIONS, GENERAL, STREAM_OPERATIONS, Intruder, Site
from tests.faults.waiting import until

DOCS = Path(__file__).parents[3] / "docs" / "provisioning.md"
INTRUDER = BY_NAME["a-b"]
(PULL,) = (f"$JS.API.CONSUMER.MSG.NEXT.{source}" for source in INTRUDER.sources if source.startswith("a-b."))
REFUSED = b'{"batch": 1, "idle_heartbeat": 1}'  # a pull that the server answers with a status
# Bodies of events that are requests; the last one has what several operations take
BODIES = (
    *(b"{}", b'{"seq": 1}', b'{"batch": 2}', b'{"name": "spare", "subjects": ["more"]}'),
    b'{"stream_name": "spare", "config": {"durable_name": "new", "ack_policy": "explicit"}, "name": "new", "seq": 1}',
)
# What a service makes the server send: a request and how often, by name
ANSWERS: dict[str, tuple[tuple[str, bytes], ...]] = {
    "the status of a pull": ((PULL, REFUSED),),
    "an event that it pulls": ((PULL, b'{"batch": %d}' % len(BODIES)),),
    "the acknowledgement of an event": ((INTRUDER.event, b"an event"),),
    "an answer of the API": (("$JS.API.INFO", b""), ("$JS.API.STREAM.INFO.a-b", b"")),
}
KINDS = (
    *(f"$JS.API.STREAM.{operation}.spare" for operation in STREAM_OPERATIONS),
    *(f"$JS.API.CONSUMER.{operation}.spare" for operation in ("CREATE", "LIST", "NAMES")),
    *(f"$JS.API.CONSUMER.{operation}.spare.d" for operation in DURABLE_OPERATIONS),
    *("$JS.API.CONSUMER.CREATE.spare.new", "$JS.API.CONSUMER.CREATE.spare.new.x", "$JS.FC.spare.d.1"),
    *("$JS.API.DIRECT.GET.spare", "$JS.API.DIRECT.GET.spare.x", "$JS.API.INFO", "$JS.API.STREAM.CREATE.new"),
    *(subject for subject in GENERAL if subject.startswith("$")),
)
SPARE = {"name": "spare", "sources": [{"name": "a-c-c"}], "allow_direct": True}
SINK = "_INBOX.sink"  # of the operator


async def prepare(admin: Connection) -> None:
    """Make a stream with events, and a durable that has one of them in flight."""
    for stream in ("new", "spare"):
        await admin.lookup(f"STREAM.DELETE.{stream}", absent=(STREAM_NOT_FOUND,))
    await admin.api("STREAM.CREATE.spare", SPARE)

    async def is_filled() -> bool:
        return bool((await admin.api("STREAM.INFO.spare"))["state"]["messages"] == 2)

    async def is_delivered() -> bool:
        return bool((await admin.api("CONSUMER.INFO.spare.d"))["num_ack_pending"] == 1)

    await until(is_filled, "the stream has its events")
    config = {"durable_name": "d", "ack_policy": "explicit"}
    await admin.api("CONSUMER.CREATE.spare.d", {"stream_name": "spare", "config": config})
    admin.send("$JS.API.CONSUMER.MSG.NEXT.spare.d", reply=SINK)
    await until(is_delivered, "an event is in flight")


async def state(admin: Connection) -> Any:
    """Return what a request may change."""
    streams = sorted((await admin.api("STREAM.NAMES"))["streams"])
    absent = (STREAM_NOT_FOUND, CONSUMER_NOT_FOUND)
    infos = [
        await admin.lookup(operation, absent=absent)
        for operation in ("STREAM.INFO.spare", "CONSUMER.INFO.spare.d")
    ]
    passing = {"ts", "cluster", "num_waiting", "sources"}
    return streams, [{key: info[key] for key in info.keys() - passing} for info in infos if info]


async def passed(admin: Connection, intruder: Intruder) -> None:
    """Wait until the server has carried out what it was made to send: the last of it is the removal of a stream."""
    await admin.api("STREAM.CREATE.canary", {"name": "canary", "subjects": ["canary"]})
    intruder.publish(PULL.encode(), REFUSED, reply=b"$JS.API.STREAM.DELETE.canary")

    async def is_deleted() -> bool:
        return await admin.lookup("STREAM.INFO.canary", absent=(STREAM_NOT_FOUND,)) is None

    await until(is_deleted, "the server has carried out everything")


async def acting(admin: Connection, intruder: Intruder, subject: str) -> set[str]:
    """Return the kinds of answers that change anything when the server sends them to a subject."""
    acts = set()
    for kind, requests in ANSWERS.items():
        await prepare(admin)
        for body in BODIES:
            await intruder.request(INTRUDER.event, body, reply=INTRUDER.inbox)
        before = await state(admin)
        for request, body in requests:
            intruder.publish(request.encode(), body, reply=subject.encode())
        await passed(admin, intruder)
        if await state(admin) != before:
            acts.add(kind)
    await intruder.flush()
    assert not intruder.denied
    return acts


def listed() -> set[str]:
    """Return the operations in the table's rows of a strict server, `STREAM.DELETE`."""
    section = DOCS.read_text().split("## What one account separates")[1]
    rows = [line for line in section.splitlines() if line.startswith("|") and "not strict" not in line]
    return set(re.findall(r"`\$JS\.API\.([A-Z.]+)\.<", "\n".join(rows)))


async def test_what_a_strict_server_carries_out_is_in_the_table(site: Site) -> None:
    acts = {}
    async with site.admin() as admin, site.intruder(INTRUDER) as intruder:
        await admin.subscribe(SINK, lambda _: None)
        for subject in KINDS:
            if kinds := await acting(admin, intruder, subject):
                acts[subject.removeprefix("$JS.API.").partition(".spare")[0]] = kinds
    assert acts.keys() == listed(), acts
