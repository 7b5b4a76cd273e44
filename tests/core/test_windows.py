"""What Windows lacks is taken away, and everything that is said to work there still does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.kit import BOUND, Command

TAKE_AWAY = """
import asyncio, os, runpy, signal, sys
import click, jsonschema, nats, packaging, rich.console, yaml  # which look at the platform themselves
import multiprocessing.connection, shutil, subprocess, sysconfig, tempfile, uuid

sysconfig.get_config_vars()

def not_there(*_):
    raise NotImplementedError

asyncio.SelectorEventLoop.add_signal_handler = not_there
sys.modules["fcntl"] = sys.modules["uvloop"] = sys.modules["resource"] = None
for module, names in {
    os: "fork register_at_fork getuid geteuid sched_getaffinity killpg waitstatus_to_exitcode",
    signal: "SIGHUP SIGKILL SIGUSR1 pthread_sigmask pthread_kill setitimer",
}.items():
    for name in names.split():
        delattr(module, name)
sys.platform = "win32"
del sys.argv[0]
if sys.argv[0] == "lightbus":
    from lightbus.cli import main
elif sys.argv[0] == "lightbus-gen":
    from lightbus_gen.cli import main
else:
    main = lambda: runpy.run_path(sys.argv[0], run_name="__main__")
main()
"""
BUS = """
import lightbus
from lightbus import Api, Event, Parameter

class AuthApi(Api):
    user_created = Event(parameters=(Parameter("username", str),))

    class Meta:
        name = "auth"

bus = lightbus.create(service_name="mailer")

def before_server_start():
    bus.auth.user_created.listen(lambda username: print("hello", username, flush=True), listener_name="welcome")
    bus.auth.user_created.fire(username="ada")
"""
SCRIPT = """
import threading
import lightbus.testing, bus
heard = threading.Event()
bus.bus.auth.user_created.listen(lambda username: heard.set(), listener_name="test")
bus.bus.auth.user_created.fire(username="bob")
assert heard.wait(20)
bus.bus.close()
print("heard")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "as_on_windows.py").write_text(TAKE_AWAY)
    (tmp_path / "bus.py").write_text(BUS)
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.lightbus-gen]\napis = ["bus:AuthApi"]\nschemas = "schemas"\nout = "."\npackage = "acme_bus"\n'
    )
    return tmp_path


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "as_on_windows", *arguments],
        cwd=project,
        env={**os.environ, "NATS_URL": "memory://windows", "HOME": str(project)},
        capture_output=True,
        text=True,
        timeout=BOUND,
    )


def test_a_script_fires_and_listens(project: Path) -> None:
    done = run(project, "script.py")
    assert (done.returncode, done.stdout) == (0, "heard\n"), done.stderr


def test_code_is_generated_and_checked(project: Path) -> None:
    for arguments in ([], ["--check"]):
        done = run(project, "lightbus-gen", *arguments)
        assert done.returncode == 0, done.stderr
    assert (project / "acme_bus/auth.py").exists()


@pytest.fixture
def service(project: Path) -> Iterator[Command]:
    environment = {**os.environ, "NATS_URL": "memory://windows", "HOME": str(project)}
    command = Command("as_on_windows", "lightbus", "run", folder=project, environment=environment)
    yield command
    command.clean_up()


def test_a_service_runs_until_ctrl_c(service: Command) -> None:
    service.wait_for("hello ada", "ready (process")
    service.signal(signal.SIGINT)
    assert service.end() == 0
    assert service.output.endswith("stopped")


def test_no_server_is_started(project: Path) -> None:
    done = run(project, "lightbus", "server")
    assert done.returncode == 1
    assert done.stderr.startswith("error: lightbus starts no nats-server on Windows.\n")
