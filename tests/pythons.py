"""Run the tests of definitions, schemas and generator under every installed supported Python. Run by `make
pythons`.

The golden folders require the same bytes of each. Pythons are looked for on PATH, among pyenv's versions, and
in the arguments: `make pythons PYTHONS="/opt/python3.14/bin/python3.14"`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".venv-pythons"
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
TESTS = ("tests/core", "tests/schema", "tests/codegen")


def main(given: list[str]) -> int:
    """Run the tests under each Python that is found, and return the exit code."""
    found = {version: python for version in SUPPORTED if (python := _find(version, given)) is not None}
    missing = [version for version in SUPPORTED if version not in found]
    if missing:
        print(f"not found: {', '.join(f'python{version}' for version in missing)}", flush=True)
    results = {version: _test(version, python) for version, python in found.items()}
    for version, passed in results.items():
        print(f"Python {version}: {'passed' if passed else 'FAILED'}")
    return 0 if results and all(results.values()) else 1


def _find(version: str, given: list[str]) -> str | None:
    """Find a working interpreter of a version."""
    name, pyenv = f"python{version}", _output("pyenv", "root")
    installed = sorted(Path(pyenv).glob(f"versions/{version}.*/bin/{name}")) if pyenv else []
    for python in (*given, shutil.which(name), *map(str, reversed(installed))):
        if python and _output(python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])") == version:
            return python
    return None


def _output(*command: str) -> str:
    """Return what a command prints, "" if it fails."""
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return ran.stdout.strip() if ran.returncode == 0 else ""


def _test(version: str, python: str) -> bool:
    print(f"\n-- Python {version}: {python}", flush=True)
    folder = FOLDER / version
    if not (folder / "ready").exists():
        quiet = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        install = (str(folder / "bin/python"), *quiet)
        steps = (
            (python, "-m", "venv", "--clear", str(folder)),
            (*install, "--require-hashes", "--requirement", "requirements.lock"),
            (*install, "--no-deps", "--no-build-isolation", "--editable", "."),
        )
        if not all(_runs(*step) for step in steps):
            return False
        (folder / "ready").touch()
    ours = str(folder / "bin/python")
    return _runs(ours, "-m", "lightbus_gen", "--check") and _runs(ours, "-m", "pytest", *TESTS)


def _runs(*command: str) -> bool:
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
