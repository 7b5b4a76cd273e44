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
    BlockingCall,
    BusClosed,
    ConnectionFailed,
    DefinitionError,
    DuplicateListenerName,
    EventTooLarge,
    InvalidEventArguments,
    InvalidListener,
    LightbusError,
    ListenerFailed,
    PermissionDenied,
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
