"""The dynamic bus: APIs by name, from `Api` classes or schema documents, without generated code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from lightbus.api import Api, registry
from lightbus.bus.bus import Bus
from lightbus.bus.endpoint import ContractSource, EventEndpoint
from lightbus.bus.session import Settings
from lightbus.errors import SchemaError, UnknownApi, UnknownEvent, UsageError
from lightbus.message import EventMessage
from lightbus.schema import EventContract, SchemaDocument

_LIGHTBUS_1_HINT = (
    " (Lightbus 1.x had bus.client: here, an Api class registers itself when it is defined, and listeners"
    " are set up in before_server_start() or wherever listen() is called.)"
)


class ApiContracts(ContractSource, Protocol):
    """An API's events and their contracts."""

    @property
    def events(self) -> Iterable[str]:
        """Names of the API's events."""
        ...


class DefinedApi:
    """The contracts of an `Api` class of this process."""

    def __init__(self, api: type[Api]) -> None:
        self._api = api
        self._contracts: dict[str, EventContract] = {}

    @property
    def events(self) -> Iterable[str]:
        """Names of the class's events."""
        return self._api.api_events

    def contract(self, event: str) -> EventContract:
        """Return the contract of one event."""
        if event not in self._contracts:
            self._contracts[event] = EventContract.of_event(self._api, self._api.api_events[event])
        return self._contracts[event]


class DefinedApis(Mapping[str, ApiContracts]):
    """Every `Api` class of this process by API name, including those defined later."""

    def __init__(self) -> None:
        self._used: dict[type[Api], DefinedApi] = {}

    def __getitem__(self, name: str) -> ApiContracts:
        api = registry[name]
        if api not in self._used:
            self._used[api] = DefinedApi(api)
        return self._used[api]

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(registry))

    def __len__(self) -> int:
        return len(registry)


class DynamicBus(Bus):
    """A bus on which APIs and events are found by name, and checked when used.

    Without `apis` and `schemas` it knows every `Api` class of this process, including those defined later.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        apis: Iterable[type[Api]] | None = None,
        schemas: str | Path | None = None,
    ) -> None:
        super().__init__(settings)
        is_limited = apis is not None or schemas is not None
        self._apis: Mapping[str, ApiContracts] = (
            _contracts(apis or (), schemas) if is_limited else DefinedApis()
        )

    def __getattr__(self, name: str) -> DynamicApi:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return DynamicApi(self, name)

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *(api.partition(".")[0] for api in self._apis)]


class DynamicApi:
    """An API, or the first parts of dotted API names: `bus.shop` and `bus.shop.orders`.

    Raises:
        UnknownApi: no API has this name or begins with it.
    """

    def __init__(self, bus: DynamicBus, name: str) -> None:
        self._bus, self._name = bus, name
        self._api = bus._apis.get(name)
        if self._api is None and not _begins(bus._apis, name):
            hint = _LIGHTBUS_1_HINT if name == "client" else ""
            raise UnknownApi(name, bus._apis, hint=hint)

    def __getattr__(self, name: str) -> Any:
        """Return the event of that name, else the API one level down."""
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if self._api is not None and name in self._api.events:
            return DynamicEndpoint(self._bus, self._api, name)
        deeper = f"{self._name}.{name}"
        if self._api is None or _begins(self._bus._apis, deeper):
            return DynamicApi(self._bus, deeper)
        raise UnknownEvent(self._name, name, self._api.events)

    def __dir__(self) -> Iterable[str]:
        return self._api.events if self._api is not None else ()

    def __repr__(self) -> str:
        return f"<API {self._name}>"


def _begins(apis: Iterable[str], name: str) -> bool:
    """Whether a name is that of an API, or the first parts of one."""
    return any(f"{api}.".startswith(f"{name}.") for api in apis)


class DynamicEndpoint(EventEndpoint[Callable[..., Any], Mapping[str, Any]]):
    """An event of a dynamic bus; arguments are checked when the event is fired."""

    def fire(self, /, **arguments: Any) -> EventMessage:
        """Validate an event, store it, and return it once the server has confirmed it; blocks.

        Raises:
            InvalidEventArguments: the arguments do not match the schema; nothing was sent.
            ConnectionFailed, JetStreamUnavailable: there is no server to send it to.
            PublishFailed, PermissionDenied, ProvisionError: it was not stored: the server refused it, this user may not
                publish it, or its stream is missing and cannot be created.
            PublishUnknown: it was sent, and the server did not confirm it; it may be stored.
            BlockingCall: this thread runs an event loop; use `fire_async`.
        """
        return self._fire(self._contract.by_wire_name(arguments))

    async def fire_async(self, /, **arguments: Any) -> EventMessage:
        """Fire from a running event loop; see `fire`."""
        return await self._fire_async(self._contract.by_wire_name(arguments))


def _contracts(apis: Iterable[type[Api]], schemas: str | Path | None) -> dict[str, ApiContracts]:
    """Return the contracts of some `Api` classes and of a folder of schema documents, by API name."""
    sources: list[tuple[str, ApiContracts, str]]
    sources = [(api.api_name, DefinedApi(api), api.__qualname__) for api in apis]
    if schemas is not None:
        sources += [(document.api, document, document.source) for document in _read(Path(schemas))]
    contracts: dict[str, ApiContracts] = {}
    for name, source, origin in sources:
        if name in contracts:
            raise UsageError(f"API {name!r} is given twice; the second time by {origin}")
        contracts[name] = source
    return contracts


def _read(folder: Path) -> list[SchemaDocument]:
    """Read every per-API schema document of a folder.

    Raises:
        SchemaError: the folder holds none, or one cannot be used.
    """
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise SchemaError("no schema documents (*.json) are here", source=str(folder))
    return [SchemaDocument.load(path) for path in paths]
