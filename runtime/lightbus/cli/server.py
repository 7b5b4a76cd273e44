"""`lightbus server`: the embedded nats-server in the foreground."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from lightbus.server import ServerError, find_binary

STORE = Path(".lightbus") / "nats"


def serve(port: int) -> int:
    """Run the server until a signal ends it, its log on standard output.

    Args:
        port: TCP port on the loopback interface.

    Returns:
        The server's exit code.

    Raises:
        ServerError: no binary is installed, or the port is taken.
    """
    check_port(port)
    binary = find_binary()
    print(f"nats-server with JetStream on nats://127.0.0.1:{port}, events in {STORE}/ (stop with Ctrl-C)")
    sys.stdout.flush()
    arguments = [binary, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(STORE)]
    os.execv(binary, arguments)  # the server takes this process over: its signals and its exit code


def check_port(port: int) -> None:
    """Make sure a loopback port is free.

    Raises:
        ServerError: something listens there already.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise ServerError(
                f"port {port} is taken, perhaps by a NATS server that runs already. Use --port, or stop that one."
            ) from None
