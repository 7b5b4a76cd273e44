"""`lightbus run`: one service, from its first hook to its last."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
from types import ModuleType

from lightbus import naming
from lightbus.bus.bus import Bus
from lightbus.bus.create import Host, host_buses
from lightbus.bus.portal import new_loop
from lightbus.bus.session import Settings
from lightbus.cli.running.bus_module import AFTER_STOP, BEFORE_START, call_hook, find_bus, load_module
from lightbus.cli.running.user_error import places
from lightbus.cli.terminal.console import log_to_console, print_error, print_escaped
from lightbus.cli.terminal.signals import first_signal, unless
from lightbus.errors import LightbusError, ListenerFailed, UsageError
from lightbus.logs import INDENT, log
from lightbus.transport import Provision

OK, FAILED = 0, 1


def run_service(module_name: str, service_name: str | None, provision: Provision | None) -> int:
    """Run a bus module until a signal or a failed listener stops it.

    Args:
        module_name: dotted name of the module.
        service_name, provision: override those in the module, unless None.

    Returns:
        The exit code: 0 after SIGTERM or SIGINT, 1 after an error, which was printed.

    Raises:
        LightbusError: the module has no bus, or cannot be imported; the message says why.
    """
    log_to_console()
    print_escaped()
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
    # nats-py takes time to import, and a bus in memory does not need it
    from lightbus.jetstream.connection.address import resolve

    address = resolve(settings.url)
    return f"{service}, server {address.display} ({address.origin})"


async def _serve(module: ModuleType, buses: list[Bus]) -> int:
    """Start the service, wait until it fails or a signal comes, and stop it."""
    signalled = first_signal()
    for bus in buses:
        bus._core.adopt(asyncio.get_running_loop())
    started, code = False, OK
    try:
        started = await unless(signalled, call_hook(module, BEFORE_START))
        if started:
            await unless(signalled, _listen(module, buses))
    except LightbusError as error:
        print_error(_explain(error))
        code = FAILED
    if signalled.done():
        log.info("%s: finishing the running handlers", signalled.result().name)
    await asyncio.gather(*(bus.close_async() for bus in buses))
    try:
        if started:
            await call_hook(module, AFTER_STOP)
    except LightbusError as error:
        print_error(error)
        code = FAILED
    if code == OK:  # otherwise the error is the last line
        log.info("stopped")
    return code


async def _listen(module: ModuleType, buses: list[Bus]) -> None:
    """Wait until the listeners have started, then until the buses stop.

    Raises:
        LightbusError: there are no listeners, or one of them failed.
    """
    for bus in buses:
        await bus._core.start_listeners()
    host_buses(None)  # a bus that a handler creates is not part of the service
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
    """Add the user's lines to the error of a failed listener, and say where the event is."""
    if not isinstance(error, ListenerFailed) or error.__cause__ is None:
        return error
    text = str(error)
    if not isinstance(error.__cause__, LightbusError):  # lines that are not ours must not look like ours
        text = text.replace("\n", f"\n{INDENT}")
    lines = [text, *places(error.__cause__)]
    if error.event_id is not None:
        lines.append("The event stays on the stream, and the next run gets it again.")
    return UsageError("\n".join(lines))
