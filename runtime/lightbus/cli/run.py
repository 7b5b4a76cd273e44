"""`lightbus run`: one service, from its hooks to its drain."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any

from lightbus.bus import Bus
from lightbus.cli.loading import find_bus, load_module
from lightbus.errors import ListenerFailed, UsageError

log = logging.getLogger("lightbus")

OK, FAILED = 0, 1


def run_service(module_name: str, service_name: str | None) -> int:
    """Run a bus module until a signal or a failing listener ends it.

    Args:
        module_name: dotted name of the module.
        service_name: overrides the name the module gives its bus.

    Returns:
        The exit code: 0 after SIGTERM or SIGINT, 1 when a listener shut the service down.

    Raises:
        LightbusError: the service cannot start; the message says why.
    """
    _log_to_stderr()
    module = load_module(module_name)
    bus = find_bus(module)
    if service_name is not None:
        bus._use_service_name(service_name)
    return asyncio.run(_serve(module, bus))


async def _serve(module: ModuleType, bus: Bus) -> int:
    stopped = _catch_signals()
    bus._adopt(asyncio.get_running_loop())
    try:
        await _call_hook(module, "before_server_start")
        await bus._session().all_started()
        bus._raise_failure()
        listeners = bus._listeners.values()
        if not listeners:
            raise UsageError(
                f"module {module.__name__!r} sets up no listeners, so there is nothing to run.\n"
                "Call bus.<api>.<event>.listen(handler, listener_name=...) in before_server_start()."
            )
        for listener in listeners:
            log.info("listening to %s as %s", listener.event, listener.durable)
        log.info("ready: %d listener(s), stop with Ctrl-C", len(listeners))
        failure = await _until_end(bus, stopped)
    finally:
        await bus.close_async()
    await _call_hook(module, "after_server_stopped")
    if failure is not None:
        print(f"error: {failure}", file=sys.stderr)
        return FAILED
    log.info("stopped")
    return OK


async def _until_end(bus: Bus, stopped: asyncio.Future[signal.Signals]) -> ListenerFailed | None:
    """Wait for a signal or a failure, whichever is first."""
    failing = asyncio.create_task(bus.wait_async())
    ends: list[asyncio.Future[Any]] = [failing, stopped]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    if failing.done() and isinstance(failure := failing.exception(), ListenerFailed):
        return failure
    failing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await failing
    if stopped.done():
        log.info("%s: finishing the events in hand", stopped.result().name)
    return None


def _catch_signals() -> asyncio.Future[signal.Signals]:
    """Return a future for the first SIGTERM or SIGINT; a second one ends the process as usual."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[signal.Signals] = loop.create_future()

    def received(number: signal.Signals) -> None:
        for other in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(other)
        stopped.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, received, number)
    return stopped


async def _call_hook(module: ModuleType, name: str) -> None:
    """Call a function of the module if it has it; a plain one in a thread, as it may block."""
    hook: Callable[[], Awaitable[Any]] | None = getattr(module, name, None)
    if hook is None:
        return
    if inspect.iscoroutinefunction(hook):
        await hook()
        return
    result = await asyncio.to_thread(hook)
    if inspect.isawaitable(result):
        await result


def _log_to_stderr() -> None:
    """Show the library's lifecycle lines, unless the service has set up logging itself."""
    if logging.getLogger().handlers or log.handlers:
        return
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING,
        format="%(asctime)s %(levelname)-7s %(message)s",
        datefmt="%H:%M:%S",
    )
    log.setLevel(logging.INFO)
