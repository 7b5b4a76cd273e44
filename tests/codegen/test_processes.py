"""Work that several processes share comes back whole and in order, whatever becomes of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lightbus_gen.processes import LEAST_WEIGHT, spread
from tests.bench.generator import project as write_project
from tests.codegen.project.project import Project

SCRIPT = """
import os, signal, sys
from lightbus_gen import processes
processes._processors = lambda: int(sys.argv[1])
parent = os.getpid()

def work(item):
    if os.getpid() != parent:
        {in_child}
    return item * item

print(processes.spread(work, range(9), lambda item: processes.LEAST_WEIGHT), end=" ")
try:
    os.wait()
except ChildProcessError:
    print("no child is left")
"""


@pytest.mark.parametrize("processes", [1, 2, 4])
@pytest.mark.parametrize(
    "in_child",
    [
        "pass",
        "raise ValueError(item)",
        "os._exit(0)",
        "os.kill(os.getpid(), signal.SIGKILL)",
        "return lambda: 'no pickle holds this'",
        "sys.exit('goodbye')",
    ],
)
def test_results_are_in_order_whatever_happens_to_the_processes(processes: int, in_child: str) -> None:
    ran = _run(SCRIPT.format(in_child=in_child), str(processes))
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "[0, 1, 4, 9, 16, 25, 36, 49, 64] no child is left\n"


def test_an_error_is_raised_as_if_there_were_one_process() -> None:
    script = SCRIPT.format(in_child="pass").replace("return item * item", "return 1 // (item - 5)")
    ran = _run(script, "2")
    assert ran.returncode == 1
    assert ran.stderr.endswith("ZeroDivisionError: integer division or modulo by zero\n")


@pytest.mark.parametrize("count", [0, 1, 7, 100])
def test_results_are_in_the_order_of_the_items(count: int) -> None:
    results = spread(lambda item: item * item, range(count), lambda item: LEAST_WEIGHT)
    assert results == [item * item for item in range(count)]


@pytest.mark.skipif(sys.platform != "linux", reason="one process is used")
def test_what_fails_in_another_process_fails_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightbus_gen.processes._processors", lambda: 2)
    seen: list[int] = []

    def work(item: int) -> int:
        seen.append(item)
        if item == 9:
            raise ValueError("nine")
        return item

    with pytest.raises(ValueError, match="nine"):
        spread(work, range(10), lambda item: LEAST_WEIGHT)
    assert sorted(seen) == [*range(10)]  # this process did its share, and that of the process that failed


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="only Linux chooses the processors of a process"
)
def test_many_processors_make_the_same_bytes_as_one(tmp_path: Path) -> None:
    several, single = (Project(write_project(tmp_path / name, 600), {}) for name in ("several", "single"))
    assert several.run("--quiet").returncode == 0
    usable = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(usable)})
    try:
        assert single.run("--quiet").returncode == 0
    finally:
        os.sched_setaffinity(0, usable)
    assert several.texts("generated") == single.texts("generated")
    broken = several.folder / "schemas/api3.json"
    broken.write_text(broken.read_text().replace('"#/$defs/Address"', '"#/$defs/Gone"', 1))
    ran = several.run("--check")
    assert ran.returncode == 2
    assert ran.stderr.count("UNRESOLVED_REF") == 1


def _run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
