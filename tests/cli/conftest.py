"""Fixtures of the command line's tests: a user's folder, environment and shell."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import lightbus
from lightbus import Api, DynamicBus, Event, Parameter
from lightbus.testing import NatsServer
from tests.cli.kit import Command, Result, run_to_end, service_code


def clean_environment(home: Path) -> dict[str, str]:
    """Return a user's environment without settings for NATS or Lightbus."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("NATS_", "LIGHTBUS_"))
    }
    return {
        **inherited,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "COLUMNS": "100",
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of the commands that a test starts."""
    return clean_environment(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the user's project."""
    path = tmp_path / "project"
    path.mkdir()
    return path


Start = Callable[..., Command]


@pytest.fixture
def start(folder: Path, environment: dict[str, str]) -> Iterator[Start]:
    """Start `lightbus` with arguments and environment variables; None unsets a variable."""
    commands: list[Command] = []

    def start_command(*arguments: str, python: str | None = None, **settings: str | None) -> Command:
        variables = {**environment, **settings}
        chosen = {name: value for name, value in variables.items() if value is not None}
        interpreter = {} if python is None else {"python": python}
        commands.append(Command("lightbus", *arguments, folder=folder, environment=chosen, **interpreter))
        return commands[-1]

    yield start_command
    for command in commands:
        command.clean_up()


Run = Callable[..., Result]


@pytest.fixture
def run(folder: Path, environment: dict[str, str], on_server: str) -> Run:
    """Run `lightbus` to its end, with the real server."""
    return lambda *arguments, **settings: run_to_end(
        *arguments, folder=folder, environment={**environment, **settings}
    )


Write = Callable[..., None]


@pytest.fixture
def write(folder: Path, prefix: str) -> Write:
    """Write a bus module, by default `bus.py`, with the test's own prefix."""

    def write_module(body: str, name: str = "bus.py", **options: object) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(service_code(prefix, body, **options))

    return write_module


@pytest.fixture
def on_server(environment: dict[str, str], nats_server: NatsServer) -> str:
    """Set `NATS_URL` to the real server, and return its address."""
    environment["NATS_URL"] = nats_server.url
    return nats_server.url


Fire = Callable[[str], Any]


@pytest.fixture
def producer(prefix: str) -> Iterator[Callable[[str], DynamicBus]]:
    """Open buses of another service with the same API."""

    class AuthApi(Api):
        user_created = Event(parameters=(Parameter("username", str), Parameter("email", str)))
        user_deleted = Event(parameters=("username",))

        class Meta:
            name = "auth"

    buses: list[DynamicBus] = []

    def open_bus(url: str) -> DynamicBus:
        buses.append(lightbus.create(url=url, service_name="auth", prefix=prefix, apis=[AuthApi]))
        return buses[-1]

    yield open_bus
    for bus in buses:
        bus.close()


@pytest.fixture
def fire(producer: Callable[[str], DynamicBus], on_server: str) -> Fire:
    """Fire `auth.user_created` for a username."""
    bus = producer(on_server)
    return lambda username: bus.auth.user_created.fire(username=username, email=f"{username}@example.com")
