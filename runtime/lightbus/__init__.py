"""Lightbus on NATS JetStream: a typed, durable event bus for Python services.

Producers define events on `Api` classes; `lightbus-gen` makes typed clients; `create()` opens the bus.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from msgspec import UNSET, UnsetType

    from lightbus.api import Api, Event, Parameter
    from lightbus.bus.bus import Bus, Health, health
    from lightbus.bus.core import Listener
    from lightbus.bus.create import create
    from lightbus.bus.dynamic import DynamicBus
    from lightbus.bus.endpoint import ApiClient, EventEndpoint, Namespace
    from lightbus.bus.generated import GeneratedSchema, deprecated, require_format
    from lightbus.errors import (
        BatchFailed,
        BlockingCall,
        BusClosed,
        ConnectionFailed,
        DefinitionError,
        DuplicateListenerName,
        EventTooLarge,
        HandlerTimeout,
        InvalidEventArguments,
        InvalidListener,
        LightbusError,
        ListenerFailed,
        PermissionDenied,
        ProvisionError,
        PublishFailed,
        PublishUnknown,
        SchemaError,
        TransportError,
        UnknownApi,
        UnknownEvent,
        UsageError,
    )
    from lightbus.listening.decide import Backoff, OnError, RetryAfter
    from lightbus.listening.options import ListenOptions
    from lightbus.message import EventMessage

    __version__: str

__all__ = [
    "UNSET",
    "Api",
    "ApiClient",
    "Backoff",
    "BatchFailed",
    "BlockingCall",
    "Bus",
    "BusClosed",
    "ConnectionFailed",
    "DefinitionError",
    "DuplicateListenerName",
    "DynamicBus",
    "Event",
    "EventEndpoint",
    "EventMessage",
    "EventTooLarge",
    "GeneratedSchema",
    "HandlerTimeout",
    "Health",
    "InvalidEventArguments",
    "InvalidListener",
    "LightbusError",
    "ListenOptions",
    "Listener",
    "ListenerFailed",
    "Namespace",
    "OnError",
    "Parameter",
    "PermissionDenied",
    "ProvisionError",
    "PublishFailed",
    "PublishUnknown",
    "RetryAfter",
    "SchemaError",
    "TransportError",
    "UnknownApi",
    "UnknownEvent",
    "UnsetType",
    "UsageError",
    "create",
    "deprecated",
    "health",
    "require_format",
]

# Each name is imported on first use: a module that only defines events, and the generator, need neither
# asyncio nor the bus, and start twice as fast without.
_HOMES = {
    **dict.fromkeys(("UNSET", "UnsetType"), "msgspec"),
    **dict.fromkeys(("Api", "Event", "Parameter"), "lightbus.api"),
    **dict.fromkeys(("Bus", "Health", "health"), "lightbus.bus.bus"),
    **dict.fromkeys(("ApiClient", "EventEndpoint", "Namespace"), "lightbus.bus.endpoint"),
    **dict.fromkeys(("Backoff", "OnError", "RetryAfter"), "lightbus.listening.decide"),
    **dict.fromkeys(("GeneratedSchema", "deprecated", "require_format"), "lightbus.bus.generated"),
    "DynamicBus": "lightbus.bus.dynamic",
    "ListenOptions": "lightbus.listening.options",
    "EventMessage": "lightbus.message",
    "create": "lightbus.bus.create",
    "Listener": "lightbus.bus.core",
}

_LIGHTBUS_1 = dict.fromkeys(("RpcMessage", "ResultMessage", "rpc"), "There are events only, no RPCs.")
_LIGHTBUS_1 |= dict.fromkeys(("BusClient", "BusPath"), "A bus is what lightbus.create() returns.")

if not TYPE_CHECKING:  # a type checker would accept any name

    def __getattr__(name: str) -> object:
        if name == "__version__":
            return importlib.import_module("importlib.metadata").version("lightbus-nats")
        if name in _LIGHTBUS_1:  # Python would replace the text of an AttributeError
            raise ImportError(
                f'Lightbus 1.x had lightbus.{name}. {_LIGHTBUS_1[name]} See "Coming from Lightbus".'
            )
        if name not in __all__:
            raise AttributeError(f"module 'lightbus' has no attribute {name!r}")
        value = getattr(importlib.import_module(_HOMES.get(name, "lightbus.errors")), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
