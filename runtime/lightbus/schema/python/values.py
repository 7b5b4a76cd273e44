"""Conversion of Python values to JSON values and back, by declared type.

msgspec reads the types and converts the values; this module adds what msgspec does not support: pydantic models,
and classes with `__to_bus__` and `__from_bus__`.
"""

from __future__ import annotations

import functools
import inspect
import json
import typing
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, cast

import msgspec
from msgspec import inspect as mi

from lightbus.schema.payload.limits import least_size
from lightbus.schema.python.constraints import translated


class UnsupportedType(Exception):
    """A type has no JSON Schema; the message says which and why."""


def plain(value: object) -> Any:
    """Return a Python value as JSON: only types that the `json` module writes.

    Raises:
        TypeError: a value cannot be written as JSON.
    """
    return msgspec.to_builtins(value, str_keys=True, enc_hook=_encode)


def canonical(value: object) -> Any:
    """Return a Python value as JSON that is the same in every process: sets and dicts sorted, tuples as lists.

    Raises:
        TypeError: a value cannot be written as JSON.
    """
    return msgspec.json.decode(msgspec.json.encode(value, enc_hook=_encode, order="deterministic"))


def converter(python: Any) -> Callable[[Any], Any] | None:
    """Return the conversion from JSON values to a type, or None for identity.

    The conversion raises `msgspec.ValidationError`.
    """
    read = read_type(python)
    if _is_plain(read):
        return None
    # lax because a schema has validated the value, and in JSON 1.0 is an integer
    return partial(msgspec.convert, type=python, strict=False, str_keys=True, dec_hook=_decode)


def read_type(python: Any) -> mi.Type:
    """Return msgspec's description of a type.

    Raises:
        UnsupportedType: msgspec cannot convert values of the type.
    """
    try:
        return mi.type_info(translated(python))
    except NameError as error:
        raise UnsupportedType(f"{error}; types are read when the API is first used") from error
    except (TypeError, ValueError) as error:
        raise UnsupportedType(str(error)) from error


def or_schema(
    convert: Callable[[Any], Any] | None, by_schema: Callable[[Any], Any] | None
) -> Callable[[Any], Any] | None:
    """Return a conversion that accepts 1.0 for an `int` and `P1W` for a `timedelta`, which msgspec does not.

    Args:
        convert: the conversion to the declared type, or None for identity.
        by_schema: the conversion by the type's schema, or None for identity.
    """
    if convert is None or by_schema is None:
        return convert or by_schema

    def lenient(value: Any) -> Any:
        try:
            return convert(value)
        except msgspec.ValidationError:
            return convert(by_schema(value))

    return lenient


def _is_plain(read: mi.Type) -> bool:
    """Whether the JSON value is the Python value."""
    if isinstance(read, mi.Metadata):
        return _is_plain(read.type)
    if isinstance(read, mi.UnionType):
        return all(_is_plain(branch) for branch in read.types)
    if isinstance(read, mi.ListType):
        return _is_plain(read.item_type)
    if isinstance(read, mi.DictType):
        return isinstance(read.key_type, (mi.StrType, mi.AnyType)) and _is_plain(read.value_type)
    kinds = (mi.AnyType, mi.NoneType, mi.BoolType, mi.IntType, mi.FloatType, mi.StrType, mi.LiteralType)
    return isinstance(read, kinds)


def _encode(value: Any) -> object:
    """Return what represents a value on the bus; `least_size` refuses a time that cannot be written exactly."""
    written: object
    if is_pydantic(type(value)):
        if _has_times(cast(Hashable, type(value))):
            least_size(value.model_dump(round_trip=True))
        return value.model_dump(mode="json", by_alias=True, round_trip=True)
    if hasattr(value, "__to_bus__"):
        written = value.__to_bus__()
        least_size(written)
        return written
    raise TypeError(f"{type(value).__name__} is not a type that events can carry")


@functools.cache
def _has_times(cls: Any) -> bool:
    """Whether a pydantic model may hold a time of day."""
    formats = json.dumps(cls.model_json_schema(mode="serialization"))
    return '"format": "date-time"' in formats or '"format": "time"' in formats


def _decode(cls: Any, value: Any) -> object:
    if is_pydantic(cls):
        return cls.model_validate_json(msgspec.json.encode(value))
    convert = converter(bus_type(cls))
    argument = convert(value) if convert else value
    try:
        return cls.__from_bus__(argument)
    except Exception as error:
        raise ValueError(f"{cls.__name__}.__from_bus__ failed: {error!r}") from error


def bus_type(cls: Any) -> Any:
    """Return the type that represents a class on the bus: the return type of its `__to_bus__`.

    Raises:
        UnsupportedType: there is no `__from_bus__`, or the return annotation is missing or unknown.
    """
    if not callable(getattr(cls, "__from_bus__", None)):
        raise UnsupportedType(
            f"{type_text(cls)} has __to_bus__, but no class method __from_bus__ to read it back"
        )
    try:
        hints = typing.get_type_hints(cls.__to_bus__, include_extras=True)
    except NameError as error:
        raise UnsupportedType(f"{type_text(cls)}.__to_bus__: {error}") from error
    if "return" not in hints:
        raise UnsupportedType(f"{type_text(cls)}.__to_bus__ needs a return annotation, its schema on the bus")
    return hints["return"]


def is_pydantic(cls: Any) -> bool:
    """Whether a class is a pydantic model; pydantic need not be installed."""
    return hasattr(cls, "__pydantic_core_schema__") and hasattr(cls, "model_json_schema")


def type_text(python: Any) -> str:
    """Return a type as annotations spell it: `int`, `shop.bus.Address`."""
    return python if isinstance(python, str) else inspect.formatannotation(python)
