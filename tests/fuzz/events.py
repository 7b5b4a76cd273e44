"""Coverage-guided fuzzing of what a worker reads, with atheris: `make fuzz`.

The first byte says how many of the others form a header block. An exception other than the two that readers
may raise ends the run, and libFuzzer writes the input to a file.
"""

from __future__ import annotations

import contextlib
import sys

import atheris  # pyright: ignore[reportMissingModuleSource]

with atheris.instrument_imports(include=["lightbus"]):  # pyright: ignore[reportAttributeAccessIssue]
    from lightbus.errors import InvalidEvent, UnreadableEvent
    from lightbus.event.dead_letter import DeadLetter
    from lightbus.jetstream.connection.wire import header_block, read_headers
    from lightbus.listening.call import read

from tests.event.hostile import arrived
from tests.event.test_network_input import CONTRACTS, NOON, PLACE


def read_one(data: bytes) -> None:
    """Read a message as a worker does, and as a reader of dead letters does."""
    size = data[0] if data else 0
    headers, body = read_headers(b"NATS/1.0\r\n" + data[1 : 1 + size]), data[1 + size :]
    for contract in CONTRACTS:
        with contextlib.suppress(UnreadableEvent, InvalidEvent):
            read(arrived(body, headers), contract)
    dead_letter = DeadLetter.decode(PLACE, 1, headers, body, NOON, limit=1024 * 1024)
    header_block(dead_letter.encode({"Nats-Msg-Id": "1"}, 1024 * 1024))


if __name__ == "__main__":
    atheris.Setup(sys.argv, read_one)
    atheris.Fuzz()
