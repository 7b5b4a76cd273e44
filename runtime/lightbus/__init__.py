"""Lightbus on NATS JetStream: a typed, durable event bus for Python services.

Producers define events on `Api` classes; `lightbus-gen` makes typed clients; `create()` opens the bus.
"""

from msgspec import UNSET, UnsetType

from lightbus.api import Api, Event, Parameter
from lightbus.bus import Bus, Listener
from lightbus.dynamic import DynamicBus
from lightbus.endpoint import ApiClient, EventEndpoint, ListenOptions, Namespace
from lightbus.envelope import EventMessage
from lightbus.errors import (
    ConnectionFailed,
    DefinitionError,
    DuplicateListenerName,
    InvalidEventArguments,
    InvalidListener,
    LightbusError,
    ListenerFailed,
    PublishFailed,
    PublishUnknown,
    SchemaError,
    TransportError,
    UnknownApi,
    UnknownEvent,
    UsageError,
)
from lightbus.factory import create
from lightbus.generated import GeneratedSchema, require_format
from lightbus.settle import Backoff, OnError

__all__ = [
    "UNSET",
    "Api",
    "ApiClient",
    "Backoff",
    "Bus",
    "ConnectionFailed",
    "DefinitionError",
    "DuplicateListenerName",
    "DynamicBus",
    "Event",
    "EventEndpoint",
    "EventMessage",
    "GeneratedSchema",
    "InvalidEventArguments",
    "InvalidListener",
    "LightbusError",
    "ListenOptions",
    "Listener",
    "ListenerFailed",
    "Namespace",
    "OnError",
    "Parameter",
    "PublishFailed",
    "PublishUnknown",
    "SchemaError",
    "TransportError",
    "UnknownApi",
    "UnknownEvent",
    "UnsetType",
    "UsageError",
    "create",
    "require_format",
]
