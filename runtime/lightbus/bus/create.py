"""`lightbus.create()`, and the overrides of `lightbus run` and `lightbus plan`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, overload

from lightbus import naming
from lightbus.api import Api
from lightbus.bus.bus import Bus
from lightbus.bus.dynamic import DynamicBus
from lightbus.bus.portal import require_threads
from lightbus.bus.session import Settings
from lightbus.errors import UsageError, did_you_mean
from lightbus.foreign import keep_hidden
from lightbus.transport import Provision, Transport

B = TypeVar("B", bound=Bus)

_PROVISION_VARIABLE = "LIGHTBUS_PROVISION"


@overload
def create(
    bus: type[B],
    /,
    *,
    url: str | None = ...,
    service_name: str | None = ...,
    prefix: str = ...,
    timeout: float = ...,
    grace: float = ...,
    provision: Provision | None = ...,
) -> B: ...
@overload
def create(
    *,
    url: str | None = ...,
    service_name: str | None = ...,
    prefix: str = ...,
    timeout: float = ...,
    grace: float = ...,
    provision: Provision | None = ...,
    apis: Iterable[type[Api]] | None = ...,
    schemas: str | Path | None = ...,
) -> DynamicBus: ...
def create(
    bus: type[Bus] | None = None,
    /,
    *,
    url: str | None = None,
    service_name: str | None = None,
    prefix: str = naming.DEFAULT_PREFIX,
    timeout: float = 10.0,
    grace: float = 25.0,
    provision: Provision | None = None,
    apis: Iterable[type[Api]] | None = None,
    schemas: str | Path | None = None,
    **unknown: object,
) -> Bus:
    """Create a bus. Nothing connects before the first event is fired or listened to.

    Args:
        bus: the `Bus` class of a generated package; left out, the bus is dynamic and knows the `Api`
            classes of this process.
        url: NATS address such as `nats://127.0.0.1:4222`, several separated by commas, or `memory://name`
            for a bus within this process. Default: `NATS_URL`, which may be either, else the selected NATS
            CLI context, else `nats://127.0.0.1:4222`.
        service_name: letters, digits, `_` and `-`. Processes of one service share their listeners' work.
            Default: `LIGHTBUS_SERVICE_NAME`, else none.
        prefix: first token of streams and subjects.
        timeout: seconds `fire()` waits for the server to confirm, retries included.
        grace: seconds running handlers get to finish when the bus closes; the default is less than the 30 s after
            which Kubernetes kills a process.
        provision: `"create"` creates missing streams and durables, as suits development; with `"verify"` a
            missing one is an error that names the command to create it. Neither changes one that exists. Default: `LIGHTBUS_PROVISION`, else `"create"`.
        apis: on a dynamic bus, the only APIs it knows.
        schemas: on a dynamic bus, a folder of `<api>.json` schema documents it knows.

    Returns:
        An instance of `bus`, or a `DynamicBus`.

    Raises:
        UsageError: an argument cannot be used, or gevent has replaced threads. SchemaError: a schema document cannot.
    """
    keep_hidden(url or "")  # an error may show the line of this call
    require_threads()
    if unknown:
        raise _unknown(next(iter(unknown)))
    if bus is not None and not (isinstance(bus, type) and issubclass(bus, Bus)):
        name = getattr(bus, "__name__", type(bus).__name__)
        raise UsageError(f"create() takes the Bus class of a generated package, not {name}")
    service_name = _service_name(service_name)
    problem = (service_name and naming.service_problem(service_name)) or naming.prefix_problem(prefix)
    if problem:
        raise UsageError(problem)
    if timeout <= 0 or grace < 0:
        raise UsageError(f"timeout={timeout!r} must be above 0 s and grace={grace!r} at least 0 s")
    if bus is not None and (apis is not None or schemas is not None):
        raise UsageError("apis= and schemas= belong to a dynamic bus; a generated Bus class knows its APIs")
    transport = _host.transport() if _host is not None and _host.transport is not None else None
    settings = Settings(
        _url(url), service_name, prefix, timeout, grace, provision=_provision(provision), transport=transport
    )
    created = DynamicBus(settings, apis=apis, schemas=schemas) if bus is None else bus(settings)
    if _host is not None:
        created._core.defer_listeners()
        _host.buses.append(created)
    return created


@dataclass(frozen=True, slots=True)
class Host:
    """Overrides for the buses that a module creates when a command imports it.

    Listeners set up during the import start when the service is ready for events.

    Attributes:
        service_name, provision: override those in the code, unless None.
        transport: creates the transport of each bus, in place of a server, unless None.
        buses: the buses created so far.
    """

    service_name: str | None = None
    provision: Provision | None = None
    transport: Callable[[], Transport] | None = None
    buses: list[Bus] = field(default_factory=list)


_host: Host | None = None


def host_buses(host: Host | None) -> None:
    """Apply a host to every bus that is created from now on; None ends that."""
    global _host
    _host = host


def _unknown(name: str) -> UsageError:
    """Return the error for an unknown argument, such as one of Lightbus 1.x."""
    accepted = list(create.__kwdefaults__ or ())
    return UsageError(
        f"create() has no argument {name!r}{did_you_mean(name, accepted)}; it takes {', '.join(accepted)}."
        ' For those of Lightbus 1.x see "Coming from Lightbus" in the README.'
    )


def _url(argument: str | None) -> str | None:
    """Return the argument, or `NATS_URL` if that is in memory; a server's address is looked up when connecting."""
    from_environment = os.environ.get("NATS_URL", "")
    return from_environment if not argument and from_environment.startswith("memory://") else argument


def _service_name(argument: str | None) -> str:
    """Return the service name of the host, else of the code, else of the environment."""
    if _host is not None and _host.service_name is not None:
        return _host.service_name
    return argument if argument is not None else os.environ.get("LIGHTBUS_SERVICE_NAME", "")


def _provision(argument: Provision | None) -> Provision:
    """Return the provision of the host, else of the code, else of the environment.

    Raises:
        UsageError: it is neither value.
    """
    name = "provision"
    chosen: str | None = (_host.provision if _host is not None else None) or argument
    if chosen is None:
        name, chosen = _PROVISION_VARIABLE, os.environ.get(_PROVISION_VARIABLE) or "create"
    match chosen:
        case "create" | "verify":
            return chosen
        case _:
            raise UsageError(f'{name}={chosen!r} is neither "create" nor "verify"')
