"""Files are written atomically, only where they differ, and only where lightbus-gen wrote them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lightbus_gen.read.input_problems import InputError
from lightbus_gen.write.apply import apply
from lightbus_gen.write.plan import HEADER, Plan, plan

OURS = f"{HEADER}from x. DO NOT EDIT.\n"
DOCUMENT = '{"lightbus": 1, "api": "auth"}\n'
FILES = {
    "bus/__init__.py": OURS,
    "bus/auth.py": f"{OURS}x = 1\n",
    "bus/py.typed": "",
    "bus/schemas/auth.json": DOCUMENT,
}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    apply(_plan(tmp_path, FILES))
    return tmp_path


def _plan(folder: Path, files: dict[str, str], *, remove_stale: bool = True) -> Plan:
    return plan(folder, files, within="bus", remove_stale=remove_stale)


def _kinds(planned: Plan) -> dict[str, str]:
    return {change.path.name: change.kind for change in planned.changes}


def _texts(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()
    }


def test_writes_exactly_the_files(written: Path) -> None:
    assert _texts(written) == FILES


def test_unchanged_files_are_not_touched(written: Path) -> None:
    for name in FILES:
        os.utime(written / name, (1, 1))
    changed = FILES | {"bus/auth.py": f"{OURS}x = 2\n"}
    planned = _plan(written, changed)
    assert _kinds(planned) == {"auth.py": "changed"} and planned.unchanged == 3
    apply(planned)
    assert _texts(written) == changed
    assert {name: (written / name).stat().st_mtime == 1 for name in FILES} == {
        name: name != "bus/auth.py" for name in FILES
    }


def test_line_ends_of_a_checkout_count_as_the_same(written: Path) -> None:
    (written / "bus/auth.py").write_bytes(FILES["bus/auth.py"].replace("\n", "\r\n").encode())
    assert _plan(written, FILES) == Plan((), 4)


@pytest.mark.parametrize("text", ["\ufffd", "?"])
def test_bytes_that_are_not_text_count_as_a_change(text: str, written: Path) -> None:
    path = written / "bus/auth.py"
    path.write_bytes(f"{OURS}x = 1  # ".encode() + b"\xff\n")
    planned = _plan(written, FILES | {"bus/auth.py": f"{OURS}x = 1  # {text}\n"})
    (change,) = planned.changes
    assert "-x = 1  # \\xff\n" in change.diff()
    apply(planned)
    assert path.read_text() == f"{OURS}x = 1  # {text}\n"


def test_stale_files_of_ours_are_removed(written: Path) -> None:
    left = {name: text for name, text in FILES.items() if "auth" not in name}
    planned = _plan(written, left)
    assert _kinds(planned) == {"auth.py": "removed", "auth.json": "removed"}
    apply(planned)
    assert _texts(written) == left


def test_stale_files_stay_when_only_some_apis_are_written(written: Path) -> None:
    assert _plan(written, {"bus/py.typed": ""}, remove_stale=False) == Plan((), 1)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("bus/mine.py", "x = 1\n"),
        ("bus/notes.txt", OURS),
        ("bus/schemas/mine.json", '{"type": "object"}'),
        ("bus/schemas/broken.json", "{"),
        ("bus/below/deeper.py", OURS),
        ("outside.py", OURS),
    ],
)
def test_files_of_others_are_not_removed(written: Path, name: str, text: str) -> None:
    (written / name).parent.mkdir(exist_ok=True)
    (written / name).write_text(text)
    assert _plan(written, FILES) == Plan((), 4)


def test_documents_stay_in_a_folder_that_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "bus/schemas").mkdir(parents=True)
    (tmp_path / "bus/__init__.py").write_text("")
    (tmp_path / "bus/schemas/other.json").write_text(DOCUMENT)
    (tmp_path / "bus/__init__.py").unlink()
    planned = _plan(tmp_path, FILES)
    assert set(_kinds(planned).values()) == {"written"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("bus/__init__.py", "import os\n"),
        ("bus/py.typed", "partial\n"),
        ("bus/schemas/auth.json", '{"type": "object"}'),
    ],
)
def test_files_of_others_are_not_overwritten(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match="NOT_OURS"):
        apply(_plan(tmp_path, FILES))
    assert _texts(tmp_path) == {name: text}


def test_links_do_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "out/bus").mkdir(parents=True)
    (tmp_path / "out/bus/schemas").symlink_to(outside)
    with pytest.raises(InputError, match="OUTSIDE leads out of"):
        apply(_plan(tmp_path / "out", FILES))
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("name", ["../evil.py", "bus/../../evil.py", "/evil.py", "other/evil.py"])
def test_names_do_not_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="OUTSIDE"):
        apply(_plan(tmp_path / "out", {name: OURS}))


def test_no_temporary_files_are_left_when_writing_fails(tmp_path: Path) -> None:
    (tmp_path / "bus").write_text("a file where the folder should be")
    with pytest.raises(InputError, match="NOT_WRITABLE"):
        apply(_plan(tmp_path, {"bus/auth.py": OURS}))
    assert [path.name for path in tmp_path.iterdir()] == ["bus"]


def test_diffs_show_all_three_kinds(written: Path) -> None:
    files = FILES | {"bus/auth.py": f"{OURS}x = 2\n", "bus/shop.py": OURS}
    del files["bus/schemas/auth.json"]
    diffs = {change.kind: change.diff() for change in _plan(written, files).changes}
    assert "-x = 1\n+x = 2\n" in diffs["changed"]
    assert diffs["written"].startswith("--- /dev/null\n+++ b/")
    assert diffs["removed"].splitlines()[1] == "+++ /dev/null"
