"""nats-py's parser, with a short way for messages that are in the buffer whole.

nats-py tries up to seven regular expressions on a message's first line, copies it out of a `bytearray`, and awaits a
coroutine for it: half of what receiving took (measured on 2.16). Here the message is cut out of the bytes that were
read. Whatever is not a whole message (its other half comes later, or it is another operation) goes to nats-py's
parser, exactly that and no more. Source: the NATS client protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nats.errors import ProtocolError
from nats.protocol.parser import AWAITING_CONTROL_LINE, Parser


class EventParser(Parser):
    """Finds the messages in what is read, and hands each to the client.

    Args:
        client: the nats-py client; its `deliver` is asked first, and then its own way of processing.
        deliver: takes a message (subscription, subject, reply, header block, body), or says that it does not.
    """

    def __init__(self, client: Any, deliver: Callable[[int, bytes, bytes, bytes, bytes], bool]) -> None:
        super().__init__(client)
        self._client, self._deliver = client, deliver

    async def parse(self, data: bytes = b"") -> None:
        """Take in what was read from the socket."""
        if self.state != AWAITING_CONTROL_LINE:  # the rest of a message whose first part came before
            missing = self.needed + 2 - len(self.buf)
            await super().parse(data[:missing])
            data = data[missing:]
        elif self.buf:
            data = bytes(self.buf) + data
            self.buf.clear()
        position = 0
        while (end := data.find(b"\r\n", position)) >= 0:
            line = data[position:end].split()
            start = end + 2
            try:
                operation = line[0] if line else b""
                if operation == b"MSG":
                    headed, reply = start, line[3] if len(line) == 5 else b""
                elif operation == b"HMSG":
                    headed, reply = start + int(line[-2]), line[3] if len(line) == 6 else b""
                else:
                    await super().parse(data[position:start])
                    position = start
                    continue
                number, stop = int(line[2]), start + int(line[-1])
            except (ValueError, IndexError) as error:
                raise ProtocolError("nats: malformed message") from error
            if not start <= headed <= stop:
                raise ProtocolError("nats: malformed message")
            if len(data) < stop + 2:
                break
            position = stop + 2
            header, body = data[start:headed], data[headed:stop]
            if not self._deliver(number, line[1], reply, header, body):
                await self._client._process_msg(number, line[1], reply, body, header or None)
        if position < len(data):
            await super().parse(data[position:])
