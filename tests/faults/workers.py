"""Worker processes: `lightbus run` with the service of the fault tests."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.cli.kit import Command
from tests.faults.ledger import Ledger
from tests.faults.waiting import BOUND

ROOT = Path(__file__).parent.parent.parent
SERVICE = "tests.faults.service"


class Workers:
    """Starts worker processes, and stops all of them at the end.

    Args:
        url: the server's address.
        ledger: the file that their handlers append to.
        home: their home folder.
    """

    def __init__(self, url: str, ledger: Ledger, home: Path) -> None:
        self._url, self._ledger, self._home = url, ledger, home
        self._started: list[Command] = []

    def start(
        self, *, url: str = "", context: str = "", grace: float = 30.0, **listeners: dict[str, Any]
    ) -> Command:
        """Start a worker process and return before it is ready.

        Args:
            url: another address than usual.
            context: name of a NATS CLI context that has the address instead.
            grace: seconds that its handlers get to finish after SIGTERM.
            listeners: options by listener_name; by default, one named `one`.
        """
        where = {"NATS_CONTEXT": context} if context else {"NATS_URL": url or self._url}
        environment = self._environment(listeners) | where | {"GRACE": str(grace)}
        arguments = ("lightbus", "run", "--bus", SERVICE)
        self._started.append(Command(*arguments, folder=ROOT, environment=environment))
        return self._started[-1]

    def ready(
        self, *, url: str = "", context: str = "", grace: float = 30.0, **listeners: dict[str, Any]
    ) -> Command:
        """Start a worker process and wait until it takes events; see `start`."""
        worker = self.start(url=url, context=context, grace=grace, **listeners)
        worker.ready()
        return worker

    async def ask(self, *arguments: str, **listeners: dict[str, Any]) -> tuple[int, list[dict[str, Any]]]:
        """Run a `lightbus` command in the workers' environment; return its exit code and output."""
        command = [sys.executable, "-m", "lightbus", *arguments, "--format", "json"]
        environment = self._environment(listeners) | {"NATS_URL": self._url}
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=BOUND
        )
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    def _environment(self, listeners: dict[str, dict[str, Any]]) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith("NATS_")}
        return {
            **ours,
            "HOME": str(self._home),
            "XDG_CONFIG_HOME": str(self._home / ".config"),
            "LEDGER": str(self._ledger.path),
            "GAPS": str(self._ledger.gaps_path),
            "LISTENERS": json.dumps(listeners or {"one": {}}),
            "PYTHONUNBUFFERED": "1",
        }

    def clean_up(self) -> None:
        """Stop all processes."""
        for worker in self._started:
            worker.clean_up()
