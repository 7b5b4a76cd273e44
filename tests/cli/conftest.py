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
from tests.cli.kit import Command, service_code


def clean_environment(home: Path) -> dict[str, str]:
    """A user's environment without settings of NATS or Lightbus."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("NATS_", "LIGHTBUS_"))}
    return {
        **ours,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "COLUMNS": "100",
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of the commands a test starts."""
    return clean_environment(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The user's project."""
    path = tmp_path / "project"
    path.mkdir()
    return path


Start = Callable[..., Command]


@pytest.fixture
def start(folder: Path, environment: dict[str, str]) -> Iterator[Start]:
    """Start `lightbus` with arguments, and settings of the environment by name; None unsets one."""
    commands: list[Command] = []

    def start_command(*arguments: str, python: str | None = None, **settings: str | None) -> Command:
        given = {**environment, **settings}
        chosen = {name: value for name, value in given.items() if value is not None}
        interpreter = {} if python is None else {"python": python}
        commands.append(Command("lightbus", *arguments, folder=folder, environment=chosen, **interpreter))
        return commands[-1]

    yield start_command
    for command in commands:
        command.clean_up()


Write = Callable[..., None]


@pytest.fixture
def write(folder: Path, prefix: str) -> Write:
    """Write a bus module, `bus.py` unless named, on the test's own streams."""

    def write_module(body: str, name: str = "bus.py", **options: object) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(service_code(prefix, body, **options))

    return write_module


@pytest.fixture
def on_server(environment: dict[str, str], nats_server: NatsServer) -> str:
    """Point the user's environment to the real server, and return its address."""
    environment["NATS_URL"] = nats_server.url
    return nats_server.url


Fire = Callable[[str], Any]


@pytest.fixture
def producer(prefix: str) -> Iterator[Callable[[str], DynamicBus]]:
    """Open buses of another service that knows the same API."""

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
    """Fire `auth.user_created` for a user name."""
    bus = producer(on_server)
    return lambda username: bus.auth.user_created.fire(username=username, email=f"{username}@example.com")
