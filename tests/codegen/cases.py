"""Golden cases: folders of schemas, and what the generator makes of each. `make golden` rewrites that."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from lightbus_gen.export import export
from lightbus_gen.generate import generate
from lightbus_gen.problems import InputError

HERE = Path(__file__).parent
CASES = sorted(path.name for path in (HERE / "golden").iterdir() if (path / "schemas").is_dir())
ERRORS = sorted(path.name for path in (HERE / "errors").iterdir() if (path / "schemas").is_dir())
PACKAGE = "acme_bus"


def generated(case: str) -> dict[str, str]:
    """Generate the package of a golden case."""
    return _generate(HERE / "golden" / case)


def exported() -> dict[str, str]:
    """Export the Api classes that the case `ten_events` is made from."""
    return export(["tests.codegen.orders:OrdersApi"], HERE.parents[1])


def expected(case: str) -> dict[str, str]:
    """Read the files expected of a golden case."""
    folder = HERE / "golden" / case / "expected"
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().decode()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def reported(case: str) -> str:
    """Return the problems found in an error case, as they are printed."""
    try:
        _generate(HERE / "errors" / case)
    except InputError as error:
        return f"{error}\n"
    return ""


def shared_of(case: str) -> tuple[str, ...]:
    """Return the shared globs of a golden case."""
    return _shared(HERE / "golden" / case)


def _generate(folder: Path) -> dict[str, str]:
    with contextlib.chdir(folder):
        return generate(Path("schemas"), PACKAGE, shared=_shared(folder))


def _shared(folder: Path) -> tuple[str, ...]:
    options = folder / "options.json"
    return tuple(json.loads(options.read_text())["shared"]) if options.exists() else ()
