"""`lightbus server`, an embedded server, and `lightbus dev`, which adds a service restarted when its code changes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lightbus.cli.terminal.console import log_to_console
from lightbus.errors import UsageError
from lightbus.logs import log
from lightbus.server import NatsServer, PortTaken, check_port, find_binary, lock_store

STORE = Path(".lightbus") / "nats"
_POLL = 200  # milliseconds between looks at the service while no file changes
_STOP_TIMEOUT = 30.0  # seconds until SIGKILL; more than the 25 s that handlers have to finish by default


def serve(port: int) -> int:
    """Replace this process by the embedded server, which logs on standard error until a signal stops it.

    Raises:
        ServerError: no binary is installed, the port is taken, or the store is in use.
    """
    log_to_console()
    binary = find_binary()
    check_port(port)
    lock_store(STORE)  # the server inherits the lock and keeps it until it ends
    log.info("nats-server with JetStream on nats://127.0.0.1:%d, events in %s/, Ctrl-C stops", port, STORE)
    os.execv(binary, [binary, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(STORE)])


def develop(module: str, service_name: str | None, port: int, *, port_is_given: bool) -> int:
    """Run the server and the service of a bus module until Ctrl-C or SIGTERM; returns the exit code, 0.

    Args:
        module: dotted name.
        service_name: overrides the name that the module gives its bus.
        port: port of the embedded server, unless `NATS_URL` names another server.
        port_is_given: whether the user named the port.

    Raises:
        UsageError: the watchfiles package is missing. ServerError: the server cannot start.
    """
    try:
        import watchfiles
    except ImportError:
        raise UsageError(
            "lightbus dev watches your files with the watchfiles package, which is not installed.\n"
            "Install it with: pip install watchfiles   (lightbus run works without)"
        ) from None
    log_to_console()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, *([] if sys.platform == "win32" else [signal.SIGHUP])):
        signal.signal(number, lambda *_: stopped.set())
    folder = Path.cwd()
    changes = watchfiles.watch(
        folder,
        watch_filter=watchfiles.PythonFilter(
            ignore_paths=[folder / STORE.parent], extra_extensions=(".json", ".toml")
        ),
        stop_event=stopped,
        rust_timeout=_POLL,
        yield_on_timeout=True,
        raise_interrupt=False,
    )
    command = [sys.executable, "-m", "lightbus", "run", "--bus", module]
    command += ["--service-name", service_name] if service_name is not None else []
    if not os.environ.get("NATS_URL"):  # nobody else creates the streams of an embedded server
        command += ["--provision", "create"]
    elif port_is_given:
        log.warning("--port %d is ignored, because NATS_URL names a server", port)
    with _server(port) as url:
        service = ServiceProcess(command, {**os.environ, "NATS_URL": url})
        try:
            for change in changes:
                service.reload(sorted({os.path.relpath(path, folder) for _, path in change}))
        finally:
            service.stop()
    return 0


@contextmanager
def _server(port: int) -> Iterator[str]:
    """Yield the address of the server in `NATS_URL`, of one that already uses the port, or of an embedded one."""
    if url := os.environ.get("NATS_URL"):
        log.info("using the server in NATS_URL")
        yield url
        return
    try:
        check_port(port)
    except PortTaken:
        log.info("using the server that already runs on port %d", port)
        yield f"nats://127.0.0.1:{port}"
        return
    with NatsServer(STORE, port=port) as server:
        log.info("nats-server on %s, events in %s/", server.url, STORE)
        yield server.url
        log.info("stopping the nats-server")


class ServiceProcess:
    """The process of `lightbus run`, restarted after each change."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._command, self._environment = command, environment
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = False

    def reload(self, changed: list[str]) -> None:
        """Start the process, restart it when files changed, or log once that it ended by itself."""
        if changed:
            log.info("%s changed, reloading", ", ".join(changed[:3]) + (", ..." if changed[3:] else ""))
            self.stop()
        if self._process is None:
            self._process = subprocess.Popen(self._command, env=self._environment)
            self._ended = False
        elif not self._ended and (code := self._process.poll()) is not None:
            self._ended = True
            log.info("the service ended with exit code %d; waiting for a change", code)

    def stop(self) -> None:
        """Send SIGTERM, and wait until the process has ended."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
