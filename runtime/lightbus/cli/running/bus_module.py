"""The user's bus module: its import, its bus, and the two functions that `lightbus run` calls."""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import inspect
import sys
from pathlib import Path
from types import ModuleType

from lightbus.bus.bus import Bus
from lightbus.cli.running.user_error import user_error
from lightbus.errors import LightbusError, UsageError, did_you_mean
from lightbus.listening.threads import DaemonThreads, Errand
from lightbus.logs import log

BEFORE_START = "before_server_start"
AFTER_STOP = "after_server_stopped"


def load_module(name: str) -> ModuleType:
    """Import a module by its dotted name; the current folder is searched first.

    Raises:
        LightbusError: there is no such module, or importing it raised; the message says where.
    """
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    if not _is_module_name(name):
        raise UsageError(f"{name!r} is not the name of a module{_suggest_module(name)}")
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
        UsageError: it holds none, or several of which none is named `bus`.
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


async def call_hook(module: ModuleType, name: str) -> None:
    """Call a function of the module, if it has it. A sync function runs in a thread, as it may block.

    Raises:
        LightbusError: the hook raised; the message says where.
    """
    hook = getattr(module, name, None)
    if hook is None:
        return
    log.info("calling %s()", name)
    is_async = inspect.iscoroutinefunction(hook)
    try:
        if is_async:
            await hook()
            return
        thread = DaemonThreads(1, name)
        context = contextvars.copy_context()
        errand = Errand(lambda: context.run(hook))
        try:
            await asyncio.get_running_loop().run_in_executor(thread, errand.run)
        finally:
            thread.shutdown()
        result = errand.take()
        if inspect.isawaitable(result):
            await result
    except (Exception, SystemExit, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise  # this task is being cancelled, by a signal
        call = f"{module.__name__}.{name}()"
        reproduce = (
            f"import asyncio, {module.__name__} as m; asyncio.run(m.{name}())"
            if is_async
            else f"import {module.__name__} as m; m.{name}()"
        )
        raise user_error(call, error, reproduce=reproduce) from error


def _raised(name: str, error: Exception) -> LightbusError:
    return user_error(f"importing {name!r}", error, reproduce=f"import {name}")


def _unknown(name: str) -> UsageError:
    folder = Path.cwd()
    modules = sorted(
        ".".join(path.relative_to(folder).with_suffix("").parts)
        for pattern in ("*.py", "*/*.py")
        for path in folder.glob(pattern)
    )
    buses = [module for module in modules if module.split(".")[-1] == "bus"]
    hint = did_you_mean(name, modules) or (f" (there is {', '.join(buses[:3])})" if buses else "")
    return UsageError(
        f"there is no module {name!r}{hint} in {folder}, nor is it installed.\n"
        "Name the module that creates the bus: --bus my_service.bus   (or set LIGHTBUS_MODULE)"
    )


def _only_a_folder(module: ModuleType) -> UsageError:
    folder, *_ = module.__path__
    modules = sorted(f"{module.__name__}.{path.stem}" for path in Path(folder).glob("[!_]*.py"))
    likely = (
        [name for name in modules if name.endswith(".bus")] or modules or [f"{module.__name__}.my_module"]
    )
    return UsageError(
        f"{module.__name__!r} is a folder that holds no bus itself ({folder}).\n"
        f"Name the module of it that creates the bus: --bus {likely[0]}"
    )


def _suggest_module(name: str) -> str:
    """Suggest the module meant by a path or by `module:variable`."""
    module = ".".join(Path(name.partition(":")[0].removesuffix(".py")).parts)
    return f"; write: --bus {module}" if _is_module_name(module) else ""


def _is_module_name(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))
