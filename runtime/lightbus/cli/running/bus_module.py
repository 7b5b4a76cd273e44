"""Finding the bus in a user's module, with errors for people."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

from lightbus.bus.bus import Bus
from lightbus.cli.running.blame import user_error
from lightbus.errors import LightbusError, UsageError, did_you_mean


def load_module(name: str) -> ModuleType:
    """Import a module by dotted name, the current folder included.

    Raises:
        LightbusError: there is no such module, or it raised; the message says where.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    if not _is_module_name(name):
        raise UsageError(f"{name!r} is not the name of a module{_as_module(name)}")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name == missing or name.startswith(f"{missing}."):
            raise _unknown(name) from None
        raise _raised(name, error) from error
    except Exception as error:
        raise _raised(name, error) from error


def find_bus(module: ModuleType) -> Bus:
    """Return the module's bus: its variable `bus`, or the only bus it holds.

    Raises:
        UsageError: it holds none, or several without one named `bus`.
    """
    bus = vars(module).get("bus")
    if isinstance(bus, Bus):
        return bus
    buses = {name: value for name, value in vars(module).items() if isinstance(value, Bus)}
    if len(buses) == 1:
        return next(iter(buses.values()))
    if hasattr(module, "__path__"):
        raise _only_a_folder(module)
    where = f"module {module.__name__!r} ({module.__file__})"
    if buses:
        raise UsageError(f"{where} holds several buses: {', '.join(buses)}.\nName the one to run: bus")
    raise UsageError(f"{where} holds no bus.\nWrite in it: bus = lightbus.create(...)")


def _raised(name: str, error: Exception) -> LightbusError:
    return user_error(f"importing {name!r}", error, reproduce=f"import {name}")


def _unknown(name: str) -> UsageError:
    here = Path.cwd()
    found = sorted(
        ".".join(path.relative_to(here).with_suffix("").parts)
        for pattern in ("*.py", "*/*.py")
        for path in here.glob(pattern)
    )
    like = did_you_mean(name, found) or _others(
        [module for module in found if module.split(".")[-1] == "bus"]
    )
    return UsageError(
        f"there is no module {name!r}{like} in {here}, nor is it installed.\n"
        "Name the module that creates the bus: --bus my_service.bus   (or set LIGHTBUS_MODULE)"
    )


def _only_a_folder(module: ModuleType) -> UsageError:
    folder, *_ = module.__path__
    inside = sorted(f"{module.__name__}.{path.stem}" for path in Path(folder).glob("[!_]*.py"))
    likely = [name for name in inside if name.endswith(".bus")] or inside or [f"{module.__name__}.my_module"]
    return UsageError(
        f"{module.__name__!r} is a folder that holds no bus itself ({folder}).\n"
        f"Name the module of it that creates the bus: --bus {likely[0]}"
    )


def _others(modules: list[str]) -> str:
    return f" (there is {', '.join(modules[:3])})" if modules else ""


def _as_module(name: str) -> str:
    """Suggest the module that a path, or `module:variable`, stands for."""
    module = ".".join(Path(name.partition(":")[0].removesuffix(".py")).parts)
    return f"; write: --bus {module}" if _is_module_name(module) else ""


def _is_module_name(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))
