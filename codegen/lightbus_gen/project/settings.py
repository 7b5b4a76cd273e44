"""The settings of `lightbus-gen`: `[tool.lightbus-gen]` of the nearest pyproject.toml."""

from __future__ import annotations

import difflib
import keyword
import os
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import click

from lightbus.errors import did_you_mean
from lightbus_gen.load.dialects import parse_dialects
from lightbus_gen.read.input_problems import InputError, InputProblem, input_error
from lightbus_gen.write.plan import HEADER


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """The settings; paths are relative to the working folder.

    Attributes:
        apis: modules or classes to export, `MODULE[:CLASS]`.
        schemas: the schemas folder.
        out: the folder of the generated package.
        package: import name of the generated package, "" for none.
        shared: globs of schema files that make no event.
        dialects: drafts to read schema files by, `URI=DRAFT`, for a `$schema` that is not one.
        distribution: name of the distribution for the package, "" for none.
        version: the distribution's version.
        root: the project's folder, which `apis` are imported from.
        breaking: intended breaks, as written in pyproject.toml.
        stubs: the folders in which mypy and pyright look for stubs of any package.
    """

    apis: tuple[str, ...] = ()
    schemas: Path = Path("schemas")
    out: Path = Path("generated")
    package: str = ""
    shared: tuple[str, ...] = ()
    dialects: tuple[str, ...] = ()
    distribution: str = ""
    version: str = ""
    root: Path = Path()
    breaking: tuple[dict[str, Any], ...] = ()
    stubs: tuple[Path, ...] = ()

    def checked_package(self) -> str:
        """Return the package name.

        Raises:
            InputError: it is missing, or not a module name.
        """
        if not self.package:
            fix = 'add --package NAME, or package = "NAME" under [tool.lightbus-gen] in pyproject.toml'
            raise input_error("NO_PACKAGE", "the package to generate has no name", fix)
        if not self.package.isidentifier() or keyword.iskeyword(self.package):
            raise input_error("NO_PACKAGE", f"{self.package!r} is no package name", "use an identifier")
        if self.package in {"lightbus", "lightbus_gen", *sys.stdlib_module_names}:
            raise input_error("NO_PACKAGE", f"{self.package!r} is another module's name", "choose another")
        return self.package


_KEYS = tuple(field.name for field in fields(ProjectSettings) if field.name not in ("root", "stubs"))


def read_settings(start: Path) -> ProjectSettings:
    """Read the settings from the nearest pyproject.toml in the working folder or above.

    Raises:
        InputError: the file or a setting cannot be used.
    """
    start = start.resolve()
    files = (folder / "pyproject.toml" for folder in (start, *start.parents))
    file = next((path for path in files if path.is_file() and not _is_generated(path)), None)
    if file is None:
        return ProjectSettings(root=start, stubs=_stubs({}, Path()))
    shown = os.path.relpath(file, start)
    try:
        tool = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise input_error(
            "INVALID_CONFIG", f"is not valid TOML: {error}", "correct it", path=shown
        ) from error
    folder = Path(os.path.relpath(file.parent, start))
    stubs = _stubs(tool, folder) if isinstance(tool, dict) else ()
    if isinstance(tool, dict) and "lightbus-gen" not in tool and (name := _misspelt(tool)):
        message = f"there is no table [tool.{name}] (did you mean [tool.lightbus-gen]?)"
        raise input_error("INVALID_CONFIG", message, "write [tool.lightbus-gen]", path=shown)
    tool = tool.get("lightbus-gen", {}) if isinstance(tool, dict) else tool
    if not isinstance(tool, dict):
        message = f"[tool.lightbus-gen] is not a table but {tool!r}"
        raise input_error("INVALID_CONFIG", message, "write [tool.lightbus-gen]", path=shown)
    problems = [problem for key, value in tool.items() if (problem := _problem(shown, key, value))]
    if problems:
        raise InputError(problems)
    parse_dialects(tool.get("dialects", ()), shown)
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in tool.items()
    }
    settings = ProjectSettings(**values, root=file.parent, stubs=stubs)
    return replace(settings, schemas=folder / settings.schemas, out=folder / settings.out)


def _misspelt(tool: Mapping[str, Any]) -> str | None:
    """Return the name of a table that is meant to be `lightbus-gen`, or None."""
    names = (
        name
        for name in tool
        if re.sub("[^a-z]", "", name.lower()) in ("lightbusgen", "lightbus", "lightbusnats")
    )
    close = difflib.get_close_matches("lightbus-gen", tool, n=1, cutoff=0.9)
    return next(names, None) or next(iter(close), None)


def _stubs(tool: Mapping[str, Any], folder: Path) -> tuple[Path, ...]:
    """Return the folders of stubs: pyright's default, and those that pyproject.toml and the environment name.

    Args:
        tool: the tables of pyproject.toml.
        folder: the project's folder, where type checkers run.
    """
    mypy, pyright = (
        table if isinstance(table := tool.get(name), dict) else {} for name in ("mypy", "pyright")
    )
    paths: list[object] = ["typings", pyright.get("stubPath")]
    paths += os.environ.get("MYPYPATH", "").split(os.pathsep)
    for setting in (mypy.get("mypy_path"), pyright.get("extraPaths")):
        if isinstance(setting, str):
            paths += re.split("[,:]", setting)
        elif isinstance(setting, list):
            paths += setting
    texts = (path.replace("$MYPY_CONFIG_FILE_DIR", ".").strip() for path in paths if isinstance(path, str))
    return tuple(dict.fromkeys(folder / text for text in texts if text))


def _is_generated(path: Path) -> bool:
    """Whether it is the pyproject.toml of a generated distribution, which is not a project of its own."""
    with path.open("rb") as file:
        return file.read(len(HEADER)) == HEADER.encode()


def _problem(path: str, key: str, value: object) -> InputProblem | None:
    if key not in _KEYS:
        message = f"[tool.lightbus-gen] has no key {key!r}{did_you_mean(key, _KEYS)}"
        return InputProblem(path, 0, 0, "INVALID_CONFIG", message, f"use {', '.join(_KEYS)}")
    if key == "breaking":
        is_valid = isinstance(value, list) and all(isinstance(item, dict) for item in value)
        kind = "an array of tables"
    elif key in ("apis", "shared", "dialects"):
        is_valid = isinstance(value, list) and all(isinstance(item, str) for item in value)
        kind = "a list of strings"
    else:
        is_valid, kind = isinstance(value, str), "a string"
    if is_valid:
        return None
    return InputProblem(path, 0, 0, "INVALID_CONFIG", f"{key} = {value!r} is not {kind}", f"write {kind}")


shared_option = click.option(
    "--shared", metavar="GLOB", multiple=True, help="Schema files that make no event. Repeatable."
)
dialect_option = click.option(
    "--dialect",
    "dialects",
    metavar="[URI]=DRAFT",
    multiple=True,
    help="Read files with this $schema (or none) by a draft: draft-04, draft-06, draft-07, 2019-09, 2020-12."
    " Repeatable.",
)
