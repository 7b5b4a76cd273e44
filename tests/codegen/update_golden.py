"""Rewrite the expected files of all golden cases; review the diff. Run by `make golden`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.codegen.cases import CASES, ERRORS, HERE, exported, generated, reported


def main() -> None:
    """Rewrite them all."""
    for name, text in exported().items():
        (HERE / "golden/ten_events/schemas" / name).write_bytes(text.encode())
    for case in CASES:
        folder = HERE / "golden" / case / "expected"
        shutil.rmtree(folder, ignore_errors=True)
        for name, text in generated(case).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
    for case in ERRORS:
        (HERE / "errors" / case / "expected.txt").write_bytes(reported(case).encode())
    print(f"{len(CASES)} packages, {len(ERRORS)} reports")


if __name__ == "__main__":
    main()
