"""`lightbus server`: the embedded nats-server in the foreground."""

from __future__ import annotations

import os
from pathlib import Path

from lightbus.cli.terminal.console import log, log_to_console
from lightbus.server import check_port, find_binary, lock_store

STORE = Path(".lightbus") / "nats"


def serve(port: int) -> int:
    """Become the server until a signal ends it; its log goes to standard error.

    Args:
        port: TCP port on the loopback interface.

    Returns:
        Never: the server takes this process over, with its signals and its exit code.

    Raises:
        ServerError: no binary is installed, the port is taken, or the store is in use.
    """
    log_to_console()
    binary = find_binary()
    check_port(port)
    lock_store(STORE)  # the server inherits the claim and keeps it until it ends
    log.info("nats-server with JetStream on nats://127.0.0.1:%d, events in %s/, Ctrl-C stops", port, STORE)
    os.execv(binary, [binary, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(STORE)])
