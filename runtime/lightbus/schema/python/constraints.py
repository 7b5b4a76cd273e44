"""Constraints of annotated-types and pydantic as msgspec's, at every place in a type.

msgspec does not read those of other libraries, so each is translated or refused. Neither library need be installed.
"""

from __future__ import annotations

import functools
import operator
import re
import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec

_BOUNDS = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "pattern")
_TEXTS = ("title", "description", "examples")
_NO_CONSTRAINTS = ("strict", "allow_inf_nan", "fail_fast", "unit", "documentation", "skip_validation")
"""Settings that restrict no JSON value of the declared type."""
_SETTINGS_OF_MODELS = (
    "alias", "validation_alias", "serialization_alias", "exclude", "exclude_if", "discriminator", "default_factory",
)  # fmt: skip
_LIBRARIES = ("annotated_types", "pydantic")
_QUALIFIERS = (typing.Required, typing.NotRequired, typing.ClassVar, typing.Final)


def translated(python: Any) -> Any:
    """Return a type whose constraints are msgspec's; the type itself if it has none of other libraries.

    Raises:
        TypeError: a constraint has no JSON Schema.
    """
    if alias := getattr(python, "__value__", None):  # `type Positive = Annotated[int, Gt(0)]`
        return _or_same(python, alias)
    if new_type := getattr(python, "__supertype__", None):
        return _or_same(python, new_type)
    arguments = typing.get_args(python)
    origin = typing.get_origin(python)
    if not arguments or origin is typing.Literal:
        return python
    if origin is Annotated:
        base, *metadata = arguments
        ours = [part for item in metadata for part in _metadata(item)]
        inner = translated(base)
        return python if inner is base and ours == metadata else Annotated[(inner, *ours)] if ours else inner
    parts = tuple(translated(part) for part in arguments)
    if all(map(operator.is_, parts, arguments)):
        return python
    if isinstance(python, types.UnionType):
        return functools.reduce(operator.or_, parts)
    return python.copy_with(parts) if hasattr(python, "copy_with") else types.GenericAlias(origin, parts)


def constrained_fields(cls: Any) -> dict[str, Any]:
    """Return the translated types of a class's fields by name: of those with constraints of other libraries.

    Raises:
        TypeError: a constraint has no JSON Schema, or is one of a type variable that has no type.
    """
    origin = typing.get_origin(cls) or cls
    variables = dict(zip(getattr(origin, "__parameters__", ()), typing.get_args(cls), strict=False))
    fields = {}
    for name, hint in typing.get_type_hints(origin, include_extras=True).items():
        while typing.get_origin(hint) in _QUALIFIERS:
            [hint] = typing.get_args(hint)
        kind = translated(hint)
        if kind is hint:
            continue
        if missing := [each for each in getattr(kind, "__parameters__", ()) if each not in variables]:
            raise TypeError(f"field {name!r} has a constraint on {missing[0]}; use a msgspec.Meta there")
        if parameters := getattr(kind, "__parameters__", ()):
            kind = kind[tuple(variables[each] for each in parameters)]
        fields[name] = kind
    return fields


def _or_same(alias: Any, python: Any) -> Any:
    inner = translated(python)
    return alias if inner is python else inner


def _metadata(item: Any) -> Iterator[Any]:
    """Yield an item of `Annotated` as msgspec reads it."""
    if isinstance(item, (msgspec.Meta, type)):
        yield item
    elif not any(base.__module__.partition(".")[0] in _LIBRARIES for base in type(item).__mro__):
        bounds = {name: value for name in _BOUNDS if (value := getattr(item, name, None)) is not None}
        yield msgspec.Meta(**bounds) if bounds else item
    elif hasattr(item, "_attributes_set"):  # pydantic.Field
        yield from _field(item)
    elif hasattr(item, "__iter__"):  # a group such as Interval, Len and StringConstraints
        for part in item:
            yield from _metadata(part)
    else:
        yield from _constraint(item)


def _field(item: Any) -> Iterator[Any]:
    """Yield the parts of a `pydantic.Field`."""
    settings = [name for name in _SETTINGS_OF_MODELS if getattr(item, name, None) is not None]
    if settings or not item.is_required():
        raise TypeError(f"{item!r} sets {(*settings, 'default')[0]}, which only a pydantic model reads")
    for part in item.metadata:
        yield from _metadata(part)
    if texts := {name: value for name in _TEXTS if (value := getattr(item, name)) is not None}:
        yield msgspec.Meta(**texts)


def _constraint(item: Any) -> Iterator[msgspec.Meta]:
    """Yield a constraint of another library, one `Meta` for each bound, so that msgspec refuses two of a kind."""
    fields = getattr(item, "__dataclass_fields__", None)
    for name in vars(item) if fields is None else fields:
        value = getattr(item, name)
        if isinstance(value, re.Pattern) and value.flags == re.UNICODE:
            value = value.pattern
        if name in _BOUNDS and not isinstance(value, re.Pattern):
            yield msgspec.Meta(**{name: value})
        elif name == "tz" and value is ...:  # any zone, as JSON Schema requires
            continue
        elif name == "tz" or not (value in (None, False) or name in _NO_CONSTRAINTS):
            raise TypeError(f"{item!r} has no JSON Schema; use a bound, a length or a pattern")
