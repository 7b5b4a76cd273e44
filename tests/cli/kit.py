"""Helpers for the tests of the command line: commands as a user starts them, and the state of the server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightbus import naming
from tests import forks
from tests.conformance.kits import Found, look_into, stored_messages

BOUND = 30.0  # seconds that any awaited outcome may take on a slow machine

SERVICE = """\
import os
import lightbus
from lightbus import Api, Backoff, Event, EventMessage, OnError, Parameter

class AuthApi(Api):
    user_created = Event(parameters=(Parameter("username", str), Parameter("email", str)))
    user_deleted = Event(parameters=("username",))

    class Meta:
        name = "auth"

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())  # whole lines, whatever else is written

"""


class Result:
    """The output and exit code of a command that has ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def lines(self) -> list[str]:
        """The lines of standard output."""
        return self.out.splitlines()

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Standard output as one JSON object a line."""
        return [json.loads(line) for line in self.lines]


def run_to_end(*arguments: str, folder: Path, environment: Mapping[str, str]) -> Result:
    """Run `python -m lightbus` to its end, without a terminal."""
    result = Result(
        *forks.run("lightbus", *arguments, folder=folder, environment=environment, timeout=BOUND * 2)
    )
    assert "Traceback (most" not in result.err, result.err
    return result


class Command:
    """A running command. Both of its output streams are read line by line, as one.

    Args:
        arguments: what follows `python -m`.
        folder: its working directory.
        environment: its whole environment.
        python: the interpreter.
    """

    def __init__(
        self, *arguments: str, folder: Path, environment: Mapping[str, str], python: str = sys.executable
    ) -> None:
        self._process = subprocess.Popen(
            [python, "-m", *arguments],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # a process group, as in a terminal, so that Ctrl-C reaches all of it
        )
        self.pid = self._process.pid
        self._lines: list[str] = []
        self._seen = 0
        self._news = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self._lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    @property
    def output(self) -> str:
        """All lines so far."""
        with self._news:
            return "\n".join(self._lines)

    def wait_for(self, *texts: str) -> str:
        """Wait for a line that contains the text, after the lines of earlier calls, and return it.

        Several texts may come in any order; then the last of their lines is returned.
        """
        with self._news:
            self._news.wait_for(
                lambda: self._ended or all(self._find(text) is not None for text in texts), BOUND
            )
            places = [at for text in texts if (at := self._find(text)) is not None]
            assert len(places) == len(texts), f"never printed {texts}, but:\n" + "\n".join(self._lines)
            self._seen = max(places) + 1
            return self._lines[max(places)]

    def _find(self, text: str) -> int | None:
        return next((at for at in range(self._seen, len(self._lines)) if text in self._lines[at]), None)

    def ready(self) -> int:
        """Wait until a service is ready, and return its process id."""
        match = re.search(r"ready \(process (\d+)\)", self.wait_for("ready (process"))
        assert match is not None
        return int(match[1])

    def release(self) -> None:
        """Resume one handler that waits in `os.read(0, 1)`."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    @property
    def has_ended(self) -> bool:
        """Whether the command has ended."""
        return self._process.poll() is not None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the command's process."""
        self._process.send_signal(number)

    def ctrl_c(self) -> None:
        """Send SIGINT to the command's process group, as a terminal does."""
        os.killpg(self.pid, signal.SIGINT)

    def end(self) -> int:
        """Wait until the command has ended, and return its exit code."""
        self._reader.join(BOUND)  # the output ends with the process; `wait()` with a timeout would poll
        return self._process.wait(BOUND)

    def clean_up(self) -> None:
        """End the process and close its pipes, whatever the test did."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)  # lets `lightbus dev` stop its children
            self._reader.join(BOUND / 2)
            self._process.kill()
            self._process.wait()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._reader.join(BOUND)
        assert self._process.stdout is not None
        self._process.stdout.close()


def service_code(prefix: str, body: str, **options: object) -> str:
    """Return a bus module: the API, `bus` with these options of `create()`, and a body."""
    settings = {"service_name": "mailer", "prefix": prefix, **options}
    arguments = ", ".join(f"{name}={value!r}" for name, value in settings.items())
    return f"{SERVICE}bus = lightbus.create({arguments})\n{textwrap.dedent(body)}"


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_listening(port: int) -> bool:
    """Whether somebody listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_running(pid: int) -> bool:
    """Whether there is a process with this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def durable(url: str, prefix: str, name: str) -> dict[str, Any]:
    """Return the server's information on a durable of the `auth` API."""

    async def ask() -> dict[str, Any]:
        async with look_into(url) as server:
            return await server.api(f"CONSUMER.INFO.{naming.stream(prefix, 'auth')}.{name}")

    return asyncio.run(ask())


def dead_letters(url: str, prefix: str) -> list[Found]:
    """Return the dead letters of a prefix."""

    async def ask() -> list[Found]:
        async with look_into(url) as server:
            return await stored_messages(server, naming.dead_letter_stream(prefix))

    return asyncio.run(ask())
