"""Writes the schema documents of `Api` classes, as text."""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import json
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

import lightbus.api
from lightbus.api import Api, registry
from lightbus.errors import LightbusError, did_you_mean
from lightbus.schema import api_document
from lightbus_gen.read.input_problems import InputError, InputProblem, input_error


def export(specifications: Sequence[str], root: Path, package: str = "") -> dict[str, str]:
    """Return the schema documents of Api classes.

    A module may import the package that is generated from its own classes. Where the package is missing, broken
    or out of date, so that an import fails, the modules are imported again with a stand-in for it.

    Args:
        specifications: `MODULE` or `MODULE:CLASS` each; a module means all classes it defines.
        root: the folder to import modules from first.
        package: import name of the generated package, "" for none.

    Returns:
        The text of each document, by file name.

    Raises:
        InputError: a module cannot be imported, has no such class, or an API has no valid document.
    """
    modules, apis = set(sys.modules), dict(registry)
    with _importing_from(root):
        try:
            return _documents(specifications)
        except InputError as error:
            if not package or _IMPORT_RULES.isdisjoint(problem.rule for problem in error.problems):
                raise
            registry.clear()
            registry.update(apis)
            _forget_modules(set(sys.modules) - modules, root, package)
            with _stand_in(package) as stand_in:
                try:
                    return _documents(specifications)
                except InputError as second:
                    raise (second if stand_in.is_used else error) from None


_IMPORT_RULES = frozenset({"NO_MODULE", "IMPORT_FAILED"})


def _documents(specifications: Sequence[str]) -> dict[str, str]:
    texts: dict[str, str] = {}
    problems: list[InputProblem] = []
    for specification in specifications:
        try:
            for api in _apis(specification):
                texts[f"{api.api_name}.json"] = document_text(api)
        except InputError as error:
            problems += error.problems
        except LightbusError as error:
            message = f"{specification}: {error}"
            problems.append(InputProblem("", 0, 0, "INVALID_DEFINITION", message, "correct the class"))
    if problems:
        raise InputError(problems)
    return texts


def document_text(api: type[Api]) -> str:
    """Return the canonical text of an API's schema document."""
    return json.dumps(api_document(api), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _apis(specification: str) -> list[type[Api]]:
    module_name, _, class_name = specification.partition(":")
    module = _import(module_name)
    defined = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Api) and "api_name" in vars(value)
    }
    if not class_name:
        own = [
            api
            for api in dict.fromkeys(defined.values())
            if f"{api.__module__}.".startswith(f"{module.__name__}.")
        ]
        if not own:
            raise input_error(
                "NO_API",
                f"module {module_name!r} defines no Api class",
                "name another module, or MODULE:CLASS",
            )
        return own
    if class_name not in defined:
        listed = ", ".join(defined) or "none"
        raise input_error(
            "NO_API",
            f"module {module_name!r} has no Api class {class_name!r}{did_you_mean(class_name, defined)}",
            f"name one of its Api classes: {listed}",
        )
    return [defined[class_name]]


def _import(name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise input_error("NO_MODULE", f"{name!r} is not a module name", "write MODULE or MODULE:CLASS")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise input_error(
                "NO_MODULE",
                f"there is no module {name!r}",
                "run from the project's root, or correct the name",
            ) from error
        raise _failed(name, error) from error
    except (Exception, SystemExit) as error:
        raise _failed(name, error) from error


def _failed(name: str, error: BaseException) -> InputError:
    """Return the error for a module that cannot be imported, with the place in the user's code."""
    if isinstance(error, SyntaxError):
        path, line = error.filename or "", error.lineno or 0
    else:
        path, line = next(_frames(error.__traceback__), ("", 0))
    reason = traceback.format_exception_only(error)[-1].strip()
    message = f"module {name!r} cannot be imported: {reason}"
    problem = InputProblem(path, line, 1 if line else 0, "IMPORT_FAILED", message, "correct the module")
    return InputError([problem])


def _frames(trace: TracebackType | None) -> Iterator[tuple[str, int]]:
    """Yield the (path, line) of each frame of the user's code in a traceback, the innermost first."""
    foreign = tuple(str(Path(file).parent) for file in (__file__, lightbus.api.__file__, contextlib.__file__))
    for frame in reversed(traceback.extract_tb(trace)):
        if not frame.filename.startswith((*foreign, "<")):
            yield frame.filename, frame.lineno or 0


@contextlib.contextmanager
def _importing_from(root: Path) -> Iterator[None]:
    """Put a folder first on `sys.path`, and write no bytecode.

    Python considers bytecode current if the source has the same size and second of modification: the next run
    could miss an edit made right after this one.
    """
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        sys.path.remove(str(root))
        sys.dont_write_bytecode = before


def _forget_modules(names: Iterable[str], root: Path, package: str) -> None:
    """Remove modules of the project from `sys.modules`; those of installed packages may not load twice."""
    for name in names:
        path = Path(getattr(sys.modules[name], "__file__", None) or "")
        is_own = path.suffix == ".py" and path.is_relative_to(root) and "site-packages" not in path.parts
        if is_own or f"{name}.".startswith(f"{package}."):
            del sys.modules[name]


@contextlib.contextmanager
def _stand_in(package: str) -> Iterator[_StandIn]:
    """Have a stand-in imported in place of a package and its modules."""
    stand_in = _StandIn(package)
    sys.meta_path.insert(0, stand_in)
    try:
        yield stand_in
    finally:
        sys.meta_path.remove(stand_in)


class _StandIn:
    """Finds and loads a package that is not generated yet: its `Bus` has every API, its modules have every name.

    Attributes:
        is_used: whether anything imported it.
    """

    def __init__(self, package: str) -> None:
        self.is_used = False
        self._package = package

    def find_spec(self, name: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        """Find the package and its modules; see `importlib.abc.MetaPathFinder`."""
        if not f"{name}.".startswith(f"{self._package}."):
            return None
        self.is_used = True
        return importlib.machinery.ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]

    def create_module(self, _: object) -> None:
        """Leave the creation to Python."""

    def exec_module(self, module: ModuleType) -> None:
        """Give a module its names."""
        anything = _Anything(module.__name__)
        vars(module)["__getattr__"] = anything.__getattr__
        if module.__name__ == self._package:
            base = importlib.import_module("lightbus").Bus  # as the generated package does
            methods = {"__getattr__": lambda _, name: anything.__getattr__(name)}
            vars(module).update(Bus=type("Bus", (base,), methods), __all__=["Bus"])


class _Anything:
    """A name in a package that is not generated yet. It can be called, listened to, and used in annotations."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{self} has no attribute {name!r}")
        return _Anything(f"{self._name}.{name}")

    def __call__(self, *_: object, **__: object) -> Any:
        return self

    def __getitem__(self, _: object) -> Any:
        return self

    def __or__(self, _: object) -> Any:
        return self

    __ror__ = __or__

    def __mro_entries__(self, _: object) -> tuple[type, ...]:
        return ()

    def __repr__(self) -> str:
        return f"{self._name} (not generated yet)"
