"""Worker processes: `lightbus run` with the service of the fault tests."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tests.cli.kit import Command
from tests.faults.ledger import Ledger

ROOT = Path(__file__).parent.parent.parent


class Workers:
    """Starts worker processes, and leaves none behind.

    Args:
        url: the server's address.
        ledger: what their handlers append to.
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
            grace: seconds its handlers get to finish after SIGTERM.
            listeners: options by listener_name; one named `one` when left out.
        """
        ours = {name: value for name, value in os.environ.items() if not name.startswith("NATS_")}
        environment = {
            **ours,
            "HOME": str(self._home),
            "XDG_CONFIG_HOME": str(self._home / ".config"),
            **({"NATS_CONTEXT": context} if context else {"NATS_URL": url or self._url}),
            "LEDGER": str(self._ledger.path),
            "LISTENERS": json.dumps(listeners or {"one": {}}),
            "GRACE": str(grace),
            "PYTHONUNBUFFERED": "1",
        }
        arguments = ("lightbus", "run", "--bus", "tests.faults.service")
        self._started.append(Command(*arguments, folder=ROOT, environment=environment))
        return self._started[-1]

    def ready(
        self, *, url: str = "", context: str = "", grace: float = 30.0, **listeners: dict[str, Any]
    ) -> Command:
        """Start a worker process and wait until it takes events; see `start`."""
        worker = self.start(url=url, context=context, grace=grace, **listeners)
        worker.ready()
        return worker

    def clean_up(self) -> None:
        """Leave nothing behind."""
        for worker in self._started:
            worker.clean_up()
