"""Changes are made completely or not at all, whatever fails and whenever a run is killed."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lightbus_gen.read.input_problems import InputError
from lightbus_gen.write.apply import apply
from lightbus_gen.write.plan import HEADER, SUFFIX, Plan, plan
from tests.codegen.project.project import API, Project, shop

COUNT = 20


def _files(version: int, *, size: int = 1) -> dict[str, str]:
    """Return twenty files of a version: half of them only in that version, the others changed by it."""
    text = f"{HEADER}from x. DO NOT EDIT.\n" + f"version = {version}\n" * size
    names = [f"same_{number}" for number in range(COUNT // 2)]
    names += [f"only_{version}_{number}" for number in range(COUNT // 2)]
    return {"bus/__init__.py": text} | {f"bus/{name}.py": text for name in names}


def _plan(folder: Path, files: dict[str, str]) -> Plan:
    return plan(folder, files, within="bus", remove_stale=True)


def _state(folder: Path) -> dict[str, tuple[str, int]]:
    """Return everything in a folder: text, and when it was written."""
    return {
        path.relative_to(folder).as_posix(): (path.read_text(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def written(tmp_path: Path) -> Path:
    apply(_plan(tmp_path / "out", _files(1)))
    return tmp_path / "out"


@contextmanager
def _file_size_limit(limit: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_that_gets_too_large_leaves_everything_as_it_was(written: Path) -> None:
    before = _state(written)
    files = _files(2) | {"bus/zz_large.py": _files(2, size=1000)["bus/__init__.py"]}
    planned = _plan(written, files)
    with (
        _file_size_limit(4096),
        pytest.raises(InputError, match=r"zz_large.py: NOT_WRITABLE cannot be written: File too large"),
    ):
        apply(planned)
    assert _state(written) == before


def _block(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


@pytest.mark.parametrize(
    ("name", "spoil", "words"),
    [
        ("bus/only_2_9.py", _block, "cannot be written: Is a directory"),
        ("bus/same_9.py", _block, "cannot be changed: Is a directory"),
        ("bus/only_1_9.py", Path.unlink, "cannot be removed: No such file"),
    ],
)
def test_what_gets_in_the_way_of_a_run_leaves_everything_else_as_it_was(
    written: Path, name: str, spoil: Callable[[Path], None], words: str
) -> None:
    planned = _plan(written, _files(2))
    spoil(written / name)
    before = _state(written)
    with pytest.raises(InputError) as caught:
        apply(planned)
    assert words in str(caught.value) and "fix: move what is in the way" in str(caught.value)
    assert _state(written) == before


def test_folders_made_for_nothing_are_removed(tmp_path: Path) -> None:
    files = {"bus/a/b/c.py": HEADER, "bus/large.py": f"{HEADER}{'x' * 5000}"}
    with _file_size_limit(4096), pytest.raises(InputError):
        apply(plan(tmp_path / "out", files, within="bus"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a file system")
def test_a_full_disk_leaves_everything_as_it_was(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], check=False)
    if mounted.returncode != 0:
        pytest.skip("file systems cannot be mounted here")
    try:
        apply(_plan(disk, _files(1)))
        before = _state(disk)
        with pytest.raises(InputError, match=r"No space left on device\n  fix: free some space"):
            apply(_plan(disk, _files(2, size=2000)))
        assert _state(disk) == before
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_files_of_killed_runs_are_removed(written: Path) -> None:
    (written / f"bus/.0123{SUFFIX}").write_text("x = ")
    planned = _plan(written, _files(1))
    assert planned.changes == ()
    apply(planned)
    assert sorted(_state(written)) == sorted(_files(1))


# Alternates between two versions of the files until it is killed, and prints when it has begun.
RESTLESS = """
import itertools, signal, sys
from pathlib import Path
from lightbus_gen.write.apply import apply, exclusive
from lightbus_gen.write.plan import plan
from tests.codegen.write.test_apply import _files

signal.signal(signal.SIGINT, signal.default_int_handler)  # which may be ignored where the tests run
folder = Path(sys.argv[1])
versions = [_files(1), _files(2)]
for number in itertools.count():
    with exclusive(folder):
        apply(plan(folder, versions[number % 2], within="bus", remove_stale=True))
    print(number, flush=True)
"""


@contextmanager
def _restless(folder: Path) -> Iterator[subprocess.Popen[str]]:
    root = Path(__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, "-c", RESTLESS, str(folder)],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _rounds(process: subprocess.Popen[str], count: int) -> None:
    assert process.stdout is not None
    for _ in range(count):
        assert process.stdout.readline(), "the process has ended"


def _wait_for_files_in_the_making(folder: Path, count: int) -> None:
    deadline = time.monotonic() + 30
    while sum(path.suffix == SUFFIX for path in folder.iterdir()) < count:
        assert time.monotonic() < deadline


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_run_leaves_whole_files_and_the_next_one_repairs(
    written: Path, number: signal.Signals
) -> None:
    versions = [_files(1), _files(2)]
    for prepared in (1, 10, 20, 30, 40):
        with _restless(written) as process:
            _rounds(process, 1)
            _wait_for_files_in_the_making(written / "bus", prepared)
            process.send_signal(number)
            process.communicate(timeout=30)
        state = {name: text for name, (text, _) in _state(written).items()}
        for name, text in state.items():
            assert name.endswith(SUFFIX) or text in {files.get(name) for files in versions}, name
        if number is not signal.SIGKILL:
            assert state in versions, "asked to end, it does so before or after its changes"
        apply(_plan(written, _files(1)))
        assert {name: text for name, (text, _) in _state(written).items()} == _files(1)


def test_runs_at_the_same_time_wait_for_each_other(written: Path) -> None:
    with _restless(written) as one, _restless(written) as other:
        for process in (one, other):
            _rounds(process, 20)
    apply(_plan(written, _files(2)))
    assert {name: text for name, (text, _) in _state(written).items()} == _files(2)


def test_commands_at_the_same_time_agree(tmp_path: Path) -> None:
    project = shop(tmp_path)
    apis = {version: API.replace('"count"', f'"count_{version}"') for version in range(3)}
    for version, text in apis.items():
        project.write(f"bus_{version}.py", text)
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "lightbus_gen", "--apis", f"bus_{version}"],
            cwd=project.folder,
            env=os.environ | {"XDG_CACHE_HOME": str(tmp_path.with_name("cache"))},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        for version in apis
    ]
    assert [(run.communicate(timeout=60)[1], run.returncode) for run in runs] == [("", 0)] * len(runs)
    left = project.texts("schemas", "generated")
    [version] = [version for version in apis if f"count_{version}" in left["schemas/shop.json"]]
    shutil.rmtree(project.folder / "generated")
    assert project.run("--apis", f"bus_{version}").returncode == 0
    assert Project(tmp_path, {}).texts("schemas", "generated") == left
