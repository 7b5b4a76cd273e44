"""Commands in forks of a process that has imported them, as starting Python takes longer than most commands do.

Each has its own process, with the arguments, folder, environment and streams that `python -m` would have. This file
is also the script of the process that forks.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

IMPORTED = ("lightbus.cli", "lightbus_gen.cli", "jsonschema_rs", "nats.aio.client", "rich.progress")
"""What the two commands import at once, and the largest packages of other projects that they import later."""
_starting = threading.Lock()


def run(
    *arguments: str, folder: Path, environment: Mapping[str, str], timeout: float
) -> tuple[int, str, str]:
    """Run `python -m` with arguments to its end; return its exit code, standard output and standard error."""
    with (
        tempfile.TemporaryFile("w+", newline="") as out,
        tempfile.TemporaryFile("w+", newline="") as err,
        open(os.devnull) as nothing,  # noqa: PTH123
    ):
        streams = (nothing.fileno(), out.fileno(), err.fileno())
        code = run_on(streams, *arguments, folder=folder, environment=environment, timeout=timeout)
        out.seek(0)
        err.seek(0)
        return code, out.read(), err.read()


def run_on(
    streams: tuple[int, int, int],
    *arguments: str,
    folder: Path,
    environment: Mapping[str, str],
    timeout: float,
) -> int:
    """Run `python -m` with arguments to its end; return its exit code.

    Args:
        streams: file descriptors of its standard input, output and error.
        arguments: a module and its arguments.
        folder: its working directory.
        environment: its whole environment.
        timeout: seconds after which it is killed.

    Raises:
        subprocess.TimeoutExpired: it was killed.
    """
    if _for_python(environment) != _for_python(os.environ):
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=folder,
            env=environment,
            stdin=streams[0],
            stdout=streams[1],
            stderr=streams[2],
            timeout=timeout,
        ).returncode
    with _starting:
        _, path = _forking()
    request = {"arguments": arguments, "folder": str(folder), "environment": dict(environment)}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        socket.send_fds(connection, [b" "], streams)
        connection.sendall(json.dumps(request).encode())
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(timeout)
        with connection.makefile() as answers:
            pid = int(answers.readline())
            try:
                return int(answers.readline())
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(arguments, timeout) from None


def _for_python(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that Python reads when it starts, which is too late for a fork."""
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(("PYTHON", "LC_", "LANG")) and name != "PYTHONUNBUFFERED"
    }


@functools.cache
def _forking() -> tuple[subprocess.Popen[str], str]:
    """Start the process that forks, which ends with this one; return it and the path of its socket."""
    process = subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().rstrip()


# -- in the process that forks ---------------------------------------------------------------------------


def _serve(listener: socket.socket) -> None:
    """Fork for each connection, and return in each fork, ready for its command.

    Raises:
        EOFError: standard input has ended, with the process that started this one.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # leaves no zombies
    while listener in select.select([listener, sys.stdin], [], [])[0]:
        connection, _ = listener.accept()
        if os.fork():
            connection.close()
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        listener.close()
        _, streams, _, _ = socket.recv_fds(connection, 1, 3)
        with connection.makefile() as lines:
            request = json.loads(lines.read())
        if pid := os.fork():
            _report(pid, connection)
        connection.close()
        return _become(streams, **request)
    raise EOFError


def _report(pid: int, connection: socket.socket) -> NoReturn:
    """Send the id and the exit code of a process."""
    with contextlib.suppress(BrokenPipeError):  # after a timeout
        connection.sendall(b"%d\n" % pid)
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    os._exit(0)


def _become(streams: list[int], arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    """Take on all that a new process would have been given."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv, sys.path[0] = arguments, str(Path.cwd())
    unbuffered = "PYTHONUNBUFFERED" in environment
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, name)
        new = open(number, old.mode, encoding=old.encoding, errors=old.errors, closefd=False)  # noqa: SIM115
        if number:
            new.reconfigure(line_buffering=new.isatty() or name == "stderr", write_through=unbuffered)
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


def _main() -> None:
    for name in IMPORTED:
        importlib.import_module(name)
    folder = tempfile.mkdtemp(prefix="forks-")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/socket")
        listener.listen()
        print(f"{folder}/socket", flush=True)
        try:
            _serve(listener)
        except EOFError:
            shutil.rmtree(folder)
            sys.exit()


if __name__ == "__main__":
    _main()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
