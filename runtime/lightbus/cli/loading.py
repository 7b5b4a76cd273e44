"""Finding the bus in a user's module, with errors for people."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from lightbus.bus import Bus
from lightbus.errors import LightbusError, UsageError


def load_module(name: str) -> ModuleType:
    """Import a module by dotted name, the current folder included.

    Raises:
        UsageError: there is no such module, or it raised; the message says where.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    if name.endswith(".py") or "/" in name:
        dotted = name.removesuffix(".py").strip("./").replace("/", ".")
        raise UsageError(f"{name!r} is a path; name the module instead: --bus {dotted}")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name == missing or name.startswith(f"{missing}."):
            raise UsageError(
                f"there is no module {name!r} here ({here}).\n"
                "Name the module that creates the bus: lightbus run --bus my_service.bus"
                "   (or set LIGHTBUS_MODULE)"
            ) from None
        raise _raised(name, error) from error
    except Exception as error:
        raise _raised(name, error) from error


def _raised(name: str, error: Exception) -> UsageError:
    place = ""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename
    ]
    users = [frame for frame in frames if f"{Path('lightbus')}" not in Path(frame.filename).parts] or frames
    if isinstance(error, SyntaxError):
        place = f"\n  {error.filename}:{error.lineno}"
    elif users:
        place = f"\n  {users[-1].filename}:{users[-1].lineno}   {users[-1].line}"
    what = str(error) if isinstance(error, LightbusError) else f"{type(error).__name__}: {error}"
    return UsageError(f"the bus module {name!r} cannot be imported:{place}\n  {what}")


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
    found = f"several ({', '.join(buses)}); name one of them bus" if buses else "none"
    raise UsageError(
        f"module {module.__name__!r} should hold one bus, and holds {found}.\n"
        "Write in it:  bus = lightbus.create(...)"
    )
