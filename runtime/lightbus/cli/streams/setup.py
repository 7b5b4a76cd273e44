"""What a bus module sets up - APIs and listeners - learnt by running its set-up without a server."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType

from lightbus.api import registry
from lightbus.bus.bus import Bus
from lightbus.bus.create import Host, host_buses
from lightbus.bus.dynamic import DynamicBus
from lightbus.bus.endpoint import ApiClient, EventEndpoint, Namespace
from lightbus.bus.session import Settings
from lightbus.cli.running.bus_module import find_bus, load_module
from lightbus.cli.running.hooks import AFTER_STOP, BEFORE_START, call_hook
from lightbus.errors import UsageError
from lightbus.memory import MemoryBroker, MemoryTransport
from lightbus.transport import Consumer, Outgoing, PubAck, Subscription

log = logging.getLogger("lightbus")


@dataclass(frozen=True, slots=True)
class Setup:
    """What a bus was set up for.

    Attributes:
        settings: what `create()` was told.
        apis: names of the APIs it knows.
        own_apis: those that its module, or a module beside it, defines.
        consumers: what its listeners want.
    """

    settings: Settings
    apis: tuple[str, ...]
    own_apis: tuple[str, ...]
    consumers: tuple[Consumer, ...]


class Recorder(MemoryTransport):
    """A transport that notes who listens to what. Nothing is stored, so no handler is called."""

    def __init__(self) -> None:
        super().__init__(MemoryBroker())
        self.consumers: list[Consumer] = []

    async def publish(self, event: Outgoing, *, timeout: float) -> PubAck:
        """Store nothing, and say so."""
        log.warning("%s.%s is not fired: this only finds out what is set up", event.api, event.event)
        return PubAck("", 0, False)

    async def subscribe(self, consumer: Consumer) -> Subscription:
        """Note a listener."""
        self.consumers.append(consumer)
        return await super().subscribe(consumer)


def collect(module_names: Sequence[str], service_name: str | None) -> list[Setup]:
    """Import bus modules, run their `before_server_start()`, and return what each bus was set up for.

    Args:
        module_names: dotted names.
        service_name: overrides the name a module gives its bus.

    Raises:
        LightbusError: a module cannot be used; the message says why.
    """
    found = []
    for name in module_names:
        host_buses(host := Host(service_name, transport=Recorder))
        try:
            module = load_module(name)
            find_bus(module)
            asyncio.run(_set_up(module, host))
        finally:
            host_buses(None)
        found += [_setup(bus, module) for bus in host.buses]
    return found


async def _set_up(module: ModuleType, host: Host) -> None:
    """Do what `lightbus run` does up to the point where events would come, and take it down again."""
    for bus in host.buses:
        bus._adopt(asyncio.get_running_loop())
    try:
        await call_hook(module, BEFORE_START)
        for bus in host.buses:
            await bus._start_deferred()
            await bus._session().all_started()
            bus._raise_failure()
    finally:
        await asyncio.gather(*(bus.close_async() for bus in host.buses))
    await call_hook(module, AFTER_STOP)


def _setup(bus: Bus, module: ModuleType) -> Setup:
    settings = bus._settings
    if settings.url is not None and settings.url.startswith("memory://"):
        raise UsageError(
            f"the bus of {module.__name__!r} is at {settings.url}, where nothing is provisioned."
        )
    recorder = settings.transport
    assert isinstance(recorder, Recorder)
    apis = tuple(dict.fromkeys(bus._known() if isinstance(bus, DynamicBus) else _generated(bus)))
    own = tuple(api for api in apis if _is_beside(api, module))
    return Setup(settings, apis, own, tuple(recorder.consumers))


def _generated(holder: Bus | ApiClient | Namespace) -> Iterator[str]:
    """Go through the APIs of a generated bus, and those below one of its names."""
    for kind in type(holder).__mro__:
        for name, attribute in vars(kind).items():
            if not isinstance(attribute, functools.cached_property):
                continue
            held = getattr(holder, name)
            if isinstance(held, ApiClient):
                endpoints = (value for value in vars(held).values() if isinstance(value, EventEndpoint))
                yield from (endpoint._contract.api for endpoint in list(endpoints)[:1])
            if isinstance(held, (ApiClient, Namespace)):
                yield from _generated(held)


def _is_beside(api: str, module: ModuleType) -> bool:
    """Whether an API is defined in a module's own package, so that its service is the one that fires it."""
    defined = registry.get(api)
    if defined is None:
        return False
    package = module.__name__.rpartition(".")[0]
    return (
        defined.__module__ == module.__name__
        or f"{defined.__module__}.".startswith(f"{package}.")
        or not package
    )
