"""A demonstration of the bus, run by `make demo`.

Three services run as separate processes on a real nats-server: auth fires, mailer and audit listen.
Events arrive, a worker is killed while it handles one, and lightbus-gen, mypy and the runtime catch mistakes.
"""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

import lightbus
from acme_bus import Bus
from lightbus.server import NatsServer

ROOT = Path(__file__).resolve().parent.parent
BOUND = 30.0  # seconds that a step may take before the demo gives up

console = Console(highlight=False, soft_wrap=True)
colours = {"auth": "magenta", "mailer": "cyan", "mailer 2": "blue", "audit": "green"}


class DemoError(Exception):
    """A step had an unexpected outcome."""


class Service:
    """A service in its own process: `lightbus run --bus examples.<name>.bus`."""

    def __init__(self, name: str, module: str, url: str) -> None:
        self.name = name
        self.lines: list[str] = []
        self._new: queue.Queue[str | None] = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lightbus", "run", "--bus", module],
            cwd=ROOT,
            env={**os.environ, "NATS_URL": url},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()
        self.expect("ready")

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._new.put(line.rstrip())
        self._new.put(None)

    def expect(self, words: str, *, show: bool = True) -> str:
        """Wait for a line that contains `words`, and print it unless `show` is false."""
        deadline = time.monotonic() + BOUND
        while True:
            try:
                line = self._new.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise DemoError(f"{self.name} never said {words!r}; it said:\n" + "\n".join(self.lines))
            self.lines.append(line)
            if words in line:
                if show:
                    say(self.name, line)
                return line

    def kill(self) -> None:
        """Kill the process, as a crash would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Stop the service with SIGTERM and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(BOUND)


def chapter(title: str, *sentences: str) -> None:
    console.print()
    console.rule(Text(title, "bold"), align="left", style="dim")
    for sentence in sentences:
        console.print(Text(sentence))
    console.print()


def say(who: str, what: str) -> None:
    console.print(Text.assemble((f"{who:>10} ", f"bold {colours.get(who, 'white')}"), ("│ ", "dim"), what))


def show_command(words: str) -> None:
    console.print(Text.assemble(("  $ ", "dim"), (words, "bold")))


def show_output(text: str, *, keep: Callable[[str], bool] = lambda line: True, most: int = 14) -> None:
    lines = [line for line in text.splitlines() if line.strip() and keep(line)]
    for line in lines[:most]:
        style = "green" if line.startswith("+") else "red" if line.startswith("-") else ""
        console.print(Text(f"    {line}", style))
    if len(lines) > most:
        console.print(Text(f"    ... and {len(lines) - most} more lines", "dim"))


def main() -> int:
    started = time.monotonic()
    console.print(Text("lightbus-nats: typed, durable events between Python services", "bold"))
    folder = Path(tempfile.mkdtemp(prefix="lightbus-demo-"))
    services: list[Service] = []
    try:
        with NatsServer() as server:
            try:
                deliver(server, services)
                survive_a_crash(server, services)
            finally:
                for service in services:
                    service.stop()
        catch_drift(folder)
        catch_mistakes(folder)
    except DemoError as error:
        console.print(Text(f"\nThe demo failed: {error}", "bold red"))
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    console.print()
    console.rule(style="dim")
    console.print(
        Text(f"The demo took {time.monotonic() - started:.0f} seconds. Nothing is left running.", "bold")
    )
    console.print("Next, read README.md. The services are in examples/, their schema in schemas/auth.json.")
    return 0


def deliver(server: NatsServer, services: list[Service]) -> None:
    chapter(
        "1. Three services",
        "A real nats-server stores the events. Two services listen, each in its own process.",
        "Neither imports the code of auth, only the client generated from its schema.",
    )
    say("server", f"nats-server with JetStream on {server.url}")
    for name in ("mailer", "audit"):
        services.append(Service(name, f"examples.{name}.bus", server.url))
    mailer, audit = services
    chapter(
        "2. Each listener gets each event",
        "auth fires; fire() returns when the server has stored the event.",
    )
    with lightbus.create(Bus, url=server.url, service_name="auth") as bus:
        for username in ("ada", "alan", "edsger"):
            event = bus.auth.user_created.fire(username=username, email=f"{username}@example.com")
            say("auth", f"fired {event.canonical_name}(username={username!r}), id {event.id[:8]}")
            mailer.expect(f"welcomed {username}")
            audit.expect(f"noted {username}")
        bus.auth.user_deleted.fire(username="alan")
        say("auth", "fired auth.user_deleted(username='alan')")
        audit.expect("alan left")
    for username in ("ada", "alan", "edsger"):
        times = sum(f"welcomed {username}" in line for line in mailer.lines)
        if times != 1:
            raise DemoError(f"{username} was welcomed {times} times")


def survive_a_crash(server: NatsServer, services: list[Service]) -> None:
    chapter(
        "3. A worker dies while it handles an event",
        "grace signs up. Her mail takes a while, and the mailer is killed (SIGKILL) while it writes.",
        "A second mailer shares the same durable, mailer-welcome, and gets the event.",
    )
    mailer, audit = services
    with lightbus.create(Bus, url=server.url, service_name="auth") as bus:
        bus.auth.user_created.fire(username="grace", email="grace@example.com")
    say("auth", "fired auth.user_created(username='grace')")
    mailer.expect("writing to grace@example.com (attempt 1)")
    audit.expect("noted grace")
    mailer.kill()
    say("mailer", "killed")
    second = Service("mailer 2", "examples.mailer.bus", server.url)
    services[0] = second
    second.expect("writing to grace@example.com (attempt 2)")
    second.expect("welcomed grace")
    for service in services:
        if code := service.stop():
            raise DemoError(f"{service.name} ended with exit code {code}")
        say(service.name, "SIGTERM: drained, exit code 0")


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=BOUND * 2,
    )


def catch_drift(folder: Path) -> None:
    chapter(
        "4. Drift is caught in CI",
        "The Api class, the schema and the client are all in git. In a copy of this project, a parameter is",
        "renamed and lightbus-gen is not run; CI runs the check:",
    )
    for name in ("examples", "schemas", "generated"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    clean = run("lightbus_gen", "--check", folder=folder)
    if clean.returncode != 0:
        raise DemoError(
            f"lightbus-gen --check found drift in the project itself:\n{clean.stdout}{clean.stderr}"
        )
    bus_module = folder / "examples/auth/bus.py"
    bus_module.write_text(bus_module.read_text().replace('"new_email"', '"new_address"'))
    show_command("lightbus-gen --check")
    drift = run("lightbus_gen", "--check", folder=folder)
    if drift.returncode != 1:
        raise DemoError(f"the drift went unnoticed (exit code {drift.returncode})")
    show_output(drift.stdout + drift.stderr, keep=lambda line: line.startswith(("+", "-")), most=8)
    console.print(Text("    exit code 1", "dim"))


MISTAKES = """\
import lightbus
from acme_bus import Bus

bus = lightbus.create(Bus)


def remember(username: str, email: str) -> None: ...


bus.auth.user_created.fire(username="adam", password="adam@example.com")
bus.auth.user_updated.listen(remember, listener_name="remember")
"""


def catch_mistakes(folder: Path) -> None:
    chapter(
        "5. Mistakes are caught by mypy, and at run time",
        "The documentation of the original Lightbus contains two mistakes: fire() with a `password` that the event",
        "does not have, and a handler with `email` where the event has `new_email`. mypy reports:",
    )
    for number, line in enumerate(MISTAKES.splitlines(), 1):
        if number >= 7 and line:
            console.print(Text.assemble((f"  {number:>3} ", "dim"), line))
    console.print()
    (folder / "mistakes.py").write_text(MISTAKES)
    show_command("mypy --strict mistakes.py")
    cache = f"--cache-dir={folder / 'mypy-cache'}"
    checked = run("mypy", "--strict", "--config-file=", cache, "mistakes.py", folder=folder)
    if checked.returncode != 1:
        raise DemoError(f"mypy found nothing:\n{checked.stdout}{checked.stderr}")
    show_output(checked.stdout, keep=lambda line: "error:" in line)
    console.print("\nMistakes in unchecked code raise when it runs, before anything is sent:\n")
    with lightbus.create(Bus, url="memory://demo") as bus:
        auth: Any = bus.auth  # hides the types, as unchecked code would
        mistakes: list[Callable[[], object]] = [
            lambda: auth.user_created.fire(username="adam", password="adam@example.com"),
            lambda: auth.user_updated.listen(remember, listener_name="remember"),
        ]
        for mistake in mistakes:
            try:
                mistake()
            except lightbus.LightbusError as error:
                show_output(f"{type(error).__name__}: {error}")
                console.print()
            else:
                raise DemoError("the runtime accepted a mistake")


def remember(username: str, email: str) -> None: ...


if __name__ == "__main__":
    sys.exit(main())
