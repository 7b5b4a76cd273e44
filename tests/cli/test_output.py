"""Where the output of commands goes: terminals without UTF-8, full disks, readers that went away, loggers of services."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import forks
from tests.cli.conftest import Fire, Run, Start, Write
from tests.cli.kit import BOUND

COMMANDS = [("inspect",), ("inspect", "--format", "json"), ("status",), ("dead-letters", "list")]
LISTEN = """
def before_server_start():
    bus.auth.user_created.listen(fail, listener_name="welcome", retries=0)

def fail(**_):
    raise ValueError("cannot")
"""


@pytest.fixture
def failed(start: Start, write: Write, fire: Fire) -> None:
    """An event that is stored, and is among the dead letters."""
    write(LISTEN)
    service = start("run")
    service.ready()
    fire("Жанна")
    service.wait_for("goes to the dead letters")


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_a_terminal_without_utf_8_shows_every_line(
    run: Run, failed: None, prefix: str, encoding: str
) -> None:
    settings = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    for command in (
        *COMMANDS,
        ("dead-letters", "show", "1"),
        ("dead-letters", "show", "1", "--format", "json"),
    ):
        done = run(*command, "--prefix", prefix, **settings)
        assert done.code == 0, done.err
        if "json" in command:
            assert done.objects and "\\u0416" in done.out
        elif command[-1] in ("inspect", "1"):
            assert "?????" in done.out


@contextmanager
def full_disk() -> Iterator[int]:
    with Path("/dev/full").open("w") as file:
        yield file.fileno()


@contextmanager
def closed_pipe() -> Iterator[int]:
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("command", COMMANDS)
def test_output_that_cannot_be_written_is_an_error_and_no_answer(
    failed: None, prefix: str, folder: Path, environment: dict[str, str], command: tuple[str, ...]
) -> None:
    expected = {
        full_disk: "error: standard output cannot be written: No space left on device\n",
        closed_pipe: "",
    }
    for output, text in expected.items():
        with output() as out, (folder / "errors").open("w+") as errors, Path(os.devnull).open() as nothing:
            code = forks.run_on(
                (nothing.fileno(), out, errors.fileno()),
                *("lightbus", *command, "--prefix", prefix),
                folder=folder,
                environment=environment,
                timeout=BOUND,
            )
            errors.seek(0)
            assert (code, errors.read()) == (2, text)
    shell = ["sh", "-c", 'exec "$0" -m lightbus "$@" >&-', sys.executable, *command, "--prefix", prefix]
    done = subprocess.run(
        shell, env=environment, cwd=folder, timeout=BOUND, stderr=subprocess.PIPE, text=True
    )
    assert (done.returncode, done.stderr) == (2, "error: standard output is closed\n")


HANDLER = """
import logging
handler = logging.StreamHandler()
handler.setFormatter(logging.Formatter("MINE %(message)s"))
logging.getLogger("lightbus").addHandler(handler)
"""
QUIET = """
import logging
logging.getLogger("lightbus").addHandler(logging.NullHandler())
"""
DISABLED = """
import logging.config
logging.config.dictConfig({"version": 1})
"""
ELSEWHERE = """
import logging.config
logging.config.dictConfig({
    "version": 1,
    "formatters": {"mine": {"format": "MINE %(message)s"}},
    "handlers": {"mine": {"class": "logging.StreamHandler", "formatter": "mine"}},
    "root": {"handlers": ["mine"]},
})
"""


@pytest.mark.parametrize(
    ("logging", "is_mine"),
    [(HANDLER, True), (QUIET, False), (DISABLED, False), (ELSEWHERE, True)],
    ids=["a handler", "no handler", "disabled", "disabled, with a handler"],
)
def test_a_dead_letter_is_shown_once_however_a_service_logs(
    start: Start, write: Write, fire: Fire, logging: str, is_mine: bool
) -> None:
    write(logging + LISTEN)
    service = start("run")
    service.wait_for("ready (process")
    fire("ada")
    line = service.wait_for("goes to the dead letters")
    assert line.startswith("MINE ") is is_mine
    service.wait_for("ValueError: cannot")
    service.clean_up()
    assert service.output.count("goes to the dead letters") == 1
    assert service.output.count("listening to auth.user_created") == 1
