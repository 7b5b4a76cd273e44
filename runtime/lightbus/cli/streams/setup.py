"""The APIs and listeners that a bus module sets up, found by running its set-up without a server."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType

from lightbus.api import registry
from lightbus.bus.bus import Bus
from lightbus.bus.create import Host, host_buses
from lightbus.bus.dynamic import DynamicBus
from lightbus.bus.endpoint import ApiClient, EventEndpoint, Namespace
from lightbus.bus.session import Settings
from lightbus.cli.running.bus_module import AFTER_STOP, BEFORE_START, call_hook, find_bus, load_module
from lightbus.errors import UsageError
from lightbus.logs import log
from lightbus.memory import MemoryBroker, MemoryTransport
from lightbus.transport import Consumer, Outgoing, PubAck, Subscription


@dataclass(frozen=True, slots=True)
class Setup:
    """The settings, APIs and listeners of a bus.

    Attributes:
        settings: the arguments of `create()`.
        apis: names of the APIs it knows.
        own_apis: those that its module, or another module of the same package, defines.
        consumers: one for each listener.
    """

    settings: Settings
    apis: tuple[str, ...]
    own_apis: tuple[str, ...]
    consumers: tuple[Consumer, ...]


class Recorder(MemoryTransport):
    """A transport that records the listeners. It stores nothing, so no handler is called."""

    def __init__(self) -> None:
        super().__init__(MemoryBroker())
        self.consumers: list[Consumer] = []

    async def publish(self, event: Outgoing, *, timeout: float) -> PubAck:
        """Store nothing, and log that."""
        log.warning(
            "%s.%s is not fired: the module is run only to find its APIs and listeners",
            event.api,
            event.event,
        )
        return PubAck("", 0, False)

    async def subscribe(self, consumer: Consumer) -> Subscription:
        """Record a listener."""
        self.consumers.append(consumer)
        return await super().subscribe(consumer)


def collect(module_names: Sequence[str], service_name: str | None) -> list[Setup]:
    """Import bus modules, run their `before_server_start()`, and return the setup of each bus.

    A `service_name` overrides those in the modules.

    Raises:
        LightbusError: a module cannot be used; the message says why.
    """
    setups = []
    for name in module_names:
        host_buses(host := Host(service_name, transport=Recorder))
        try:
            module = load_module(name)
            find_bus(module)
            asyncio.run(_set_up(module, host))
        finally:
            host_buses(None)
        setups += [_setup(bus, module) for bus in host.buses]
    return setups


async def _set_up(module: ModuleType, host: Host) -> None:
    """Start the buses as `lightbus run` does, then close them."""
    for bus in host.buses:
        bus._core.adopt(asyncio.get_running_loop())
    try:
        await call_hook(module, BEFORE_START)
        for bus in host.buses:
            await bus._core.start_listeners()
    finally:
        await asyncio.gather(*(bus.close_async() for bus in host.buses))
    await call_hook(module, AFTER_STOP)


def _setup(bus: Bus, module: ModuleType) -> Setup:
    settings = bus._core.settings
    if settings.url is not None and settings.url.startswith("memory://"):
        raise UsageError(
            f"the bus of {module.__name__!r} is at {settings.url}, where nothing is provisioned."
        )
    recorder = settings.transport
    assert isinstance(recorder, Recorder)
    apis = tuple(dict.fromkeys(bus._apis if isinstance(bus, DynamicBus) else _generated(bus)))
    own = tuple(api for api in apis if _is_beside(api, module))
    return Setup(settings, apis, own, tuple(recorder.consumers))


def _generated(holder: Bus | ApiClient | Namespace) -> Iterator[str]:
    """Yield the APIs of a generated bus, or of one of its namespaces."""
    for kind in type(holder).__mro__:
        for name, attribute in vars(kind).items():
            if not isinstance(attribute, functools.cached_property):
                continue
            member = getattr(holder, name)
            if isinstance(member, ApiClient):
                endpoints = (value for value in vars(member).values() if isinstance(value, EventEndpoint))
                yield from (endpoint._contract.api for endpoint in list(endpoints)[:1])
            if isinstance(member, (ApiClient, Namespace)):
                yield from _generated(member)


def _is_beside(api: str, module: ModuleType) -> bool:
    """Whether an API is defined in the package of a module, so that the module's service fires it."""
    defined = registry.get(api)
    package = module.__name__.rpartition(".")[0]
    return defined is not None and (not package or f"{defined.__module__}.".startswith(f"{package}."))
