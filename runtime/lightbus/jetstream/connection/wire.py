"""A NATS message as it crosses the wire, and its header block (ADR-4). Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lightbus.event.envelope import CONTENT_TYPE, MESSAGE_ID

VERSION = b"NATS/1.0"
# the usual beginning of an event's headers
_USUAL = f"NATS/1.0\r\nContent-Type: {CONTENT_TYPE}\r\n{MESSAGE_ID}: ".encode()
_LINE_ENDS = str.maketrans("\r\n", "  ")


class Message(msgspec.Struct, frozen=True, eq=False):
    """A message that arrived.

    Attributes:
        subject, reply: its subjects; no reply is "".
        header: the header block, b"" without headers.
        body: the payload.
    """

    subject: str
    reply: str
    header: bytes
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        """The headers by name, without the server's status line."""
        return read_headers(self.header)

    @property
    def is_cut(self) -> bool:
        """Whether the header block has no end, so that the last header is incomplete."""
        return self.header != b"" and not self.header.endswith(b"\r\n\r\n")

    @property
    def status(self) -> tuple[str, str]:
        """The server's status and text, such as `("503", "No Responders")`; both "" for any other message."""
        line = self.header.partition(b"\r\n")[0].removeprefix(VERSION).strip().decode("utf-8", "replace")
        number, _, text = line.partition(" ")
        return number, text.strip()


def header_block(headers: Mapping[str, str]) -> bytes:
    """Encode headers as a block, b"" without any; line ends in values become spaces."""
    if not headers:
        return b""
    event_id = headers.get(MESSAGE_ID, "")
    if len(headers) == 2 and headers.get("Content-Type") == CONTENT_TYPE and event_id.isprintable():
        return _USUAL + event_id.strip().encode() + b"\r\n\r\n"
    lines = []
    for name, value in headers.items():
        text = value.strip()
        lines.append(f"{name}: {text if text.isprintable() else text.translate(_LINE_ENDS)}\r\n")
    return f"NATS/1.0\r\n{''.join(lines)}\r\n".encode()


def read_headers(block: bytes) -> dict[str, str]:
    """Decode a header block. Lines that are not headers are ignored; of a repeated name the last one counts."""
    if block.startswith(_USUAL) and block.find(b"\r\n", len(_USUAL)) == len(block) - 4:
        event_id = block[len(_USUAL) : -4].decode("utf-8", "replace").strip()
        return {"Content-Type": CONTENT_TYPE, MESSAGE_ID: event_id}
    headers: dict[str, str] = {}
    for line in block.decode("utf-8", "replace").split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        if colon and name.isascii() and len(name.split()) == 1:
            headers[name.strip()] = value.strip()
    return headers
