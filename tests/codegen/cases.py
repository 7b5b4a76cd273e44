"""Golden cases: folders of schemas, and what the generator makes of each. `make golden` rewrites them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from lightbus_gen.export import export
from lightbus_gen.generate import generate
from lightbus_gen.load.dialects import parse_dialects
from lightbus_gen.read.input_problems import InputError, InputProblem

HERE = Path(__file__).parent
CASES = sorted(path.name for path in (HERE / "golden").iterdir() if (path / "schemas").is_dir())
ERRORS = sorted(path.name for path in (HERE / "errors").iterdir() if (path / "schemas").is_dir())
PACKAGE = "acme_bus"


def generated(case: str) -> dict[str, str]:
    """Generate the package of a golden case."""
    return _generate(HERE / "golden" / case)


def exported() -> dict[str, str]:
    """Export the Api classes of the case `ten_events`."""
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
    """Return the problems of an error case, as they are printed."""
    return "".join(f"{problem}\n" for problem in problems_in(HERE / "errors" / case))


def problems_in(folder: Path) -> tuple[InputProblem, ...]:
    """Return the problems found in the schemas of a case."""
    try:
        _generate(folder)
    except InputError as error:
        return error.problems
    return ()


class Options(TypedDict):
    """Arguments of `generate` other than folder and package."""

    shared: Sequence[str]
    dialects: Mapping[str, str]


def options_of(case: str) -> Options:
    """Return the options of a golden case."""
    return _options(HERE / "golden" / case)


def _generate(folder: Path) -> dict[str, str]:
    with contextlib.chdir(folder):
        return generate(Path("schemas"), PACKAGE, **_options(Path()))


def _options(folder: Path) -> Options:
    path = folder / "options.json"
    options = json.loads(path.read_text()) if path.exists() else {}
    return {"shared": options.get("shared", ()), "dialects": parse_dialects(options.get("dialects", ()))}
