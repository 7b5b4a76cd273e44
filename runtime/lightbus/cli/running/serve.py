"""`lightbus server`: the embedded nats-server in the foreground."""

from __future__ import annotations

import os
from pathlib import Path

from lightbus.cli.terminal.console import log_to_console
from lightbus.logs import log
from lightbus.server import check_port, find_binary, lock_store

STORE = Path(".lightbus") / "nats"


def serve(port: int) -> int:
    """Replace this process by the server, which logs on standard error until a signal stops it.

    Args:
        port: TCP port on the loopback interface.

    Returns:
        Never; signals and exit code are the server's.

    Raises:
        ServerError: no binary is installed, the port is taken, or the store is in use.
    """
    log_to_console()
    binary = find_binary()
    check_port(port)
    lock_store(STORE)  # the server inherits the lock and keeps it until it ends
    log.info("nats-server with JetStream on nats://127.0.0.1:%d, events in %s/, Ctrl-C stops", port, STORE)
    os.execv(binary, [binary, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(STORE)])
