"""`lightbus run`: one service, from its hooks to its drain."""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
import os
from types import ModuleType

from lightbus import naming
from lightbus.bus.bus import Bus
from lightbus.bus.create import Host, host_buses
from lightbus.bus.portal import new_loop
from lightbus.bus.session import Settings
from lightbus.cli.running.blame import places
from lightbus.cli.running.bus_module import find_bus, load_module
from lightbus.cli.running.hooks import AFTER_STOP, BEFORE_START, call_hook
from lightbus.cli.terminal.console import log_to_console, print_error
from lightbus.cli.terminal.signals import first_signal, unless
from lightbus.errors import LightbusError, ListenerFailed, UsageError
from lightbus.transport import Provision

log = logging.getLogger("lightbus")

OK, FAILED = 0, 1


def run_service(module_name: str, service_name: str | None, provision: Provision | None) -> int:
    """Run a bus module until a signal or a failing listener ends it.

    Args:
        module_name: dotted name of the module.
        service_name: overrides the name the module gives its bus.
        provision: overrides what the module says about missing streams and durables.

    Returns:
        The exit code: 0 after SIGTERM or SIGINT, 1 when the service could not start or go on; the reason
        was printed.

    Raises:
        LightbusError: there is no service to start; the message says why.
    """
    log_to_console()
    if service_name is not None and (problem := naming.service_problem(service_name)):
        raise UsageError(problem.replace("service_name", "--service-name"))
    host_buses(host := Host(service_name, provision))
    module = load_module(module_name)
    bus = find_bus(module)
    log.info("lightbus %s, %s", importlib.metadata.version("lightbus-nats"), _introduce(bus._core.settings))
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(_serve(module, host.buses))


def _introduce(settings: Settings) -> str:
    service = f"service {settings.service_name}" if settings.service_name else "no service name"
    if settings.url and settings.url.startswith("memory://"):
        return f"{service}, {settings.url}"
    from lightbus.jetstream.connection.address import (
        resolve,  # nats-py takes time to import, and memory does without
    )

    address = resolve(settings.url)
    return f"{service}, server {address.display} ({address.origin})"


async def _serve(module: ModuleType, buses: list[Bus]) -> int:
    """Set the service up, let it live until it fails or a signal comes, take it down."""
    signalled = first_signal()
    for bus in buses:
        bus._core.adopt(asyncio.get_running_loop())
    started, code = False, OK
    try:
        started = await unless(signalled, call_hook(module, BEFORE_START))
        if started:
            await unless(signalled, _live(module, buses))
    except LightbusError as error:
        print_error(_explain(error))
        code = FAILED
    if signalled.done():
        log.info("%s: finishing the events in hand", signalled.result().name)
    await asyncio.gather(*(bus.close_async() for bus in buses))
    try:
        if started:
            await call_hook(module, AFTER_STOP)
    except LightbusError as error:
        print_error(error)
        code = FAILED
    if code == OK:  # otherwise the error is the last word
        log.info("stopped")
    return code


async def _live(module: ModuleType, buses: list[Bus]) -> None:
    """Wait until the listeners have started, then for the end of the buses.

    Raises:
        LightbusError: nothing listens, or a listener cannot start or go on.
    """
    for bus in buses:
        await bus._core.start_listeners()
    host_buses(None)  # what handlers create is theirs
    listeners = [listener for bus in buses for listener in bus._core.listeners]
    if not listeners:
        raise UsageError(
            f"module {module.__name__!r} sets up no listeners, so there is nothing to run.\n"
            "Call bus.<api>.<event>.listen(handler, listener_name=...) in before_server_start()."
        )
    for listener in listeners:
        log.info("listening to %s as %s", listener.event, listener.durable)
    if any([*bus._core.listeners] and not bus._core.settings.service_name for bus in buses):
        log.warning(
            "the service has no name: it shares the events of its listeners with those of the same name in any"
            " other service without one. Give it one: lightbus.create(service_name=...)"
        )
    log.info("ready (process %d), Ctrl-C stops", os.getpid())
    await asyncio.gather(*(bus.wait_async() for bus in buses))


def _explain(error: LightbusError) -> LightbusError:
    """Add to a failed listener's error which of the user's lines raised, and what becomes of the event."""
    if not isinstance(error, ListenerFailed) or error.__cause__ is None:
        return error
    lines = [str(error), *places(error.__cause__)]
    if error.event_id is not None:
        lines.append("The event stays on the stream, and the next run gets it again.")
    return UsageError("\n".join(lines))
