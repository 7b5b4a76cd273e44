"""Whether a value is of an annotated type at run time, as a type checker would decide."""

from __future__ import annotations

import datetime
import sys
import types
from typing import Any, ForwardRef, Literal, NotRequired, Union, get_args, get_origin, is_typeddict


def misfits(value: object, annotation: Any, module: str, path: str = "") -> list[str]:
    """List the places where a value does not match its annotation.

    Args:
        value: the value.
        annotation: the annotation, or its text.
        module: name of the module that contains it.
        path: where the value comes from.
    """
    if isinstance(annotation, ForwardRef):
        annotation = annotation.__forward_arg__
    while isinstance(annotation, str):
        annotation = eval(annotation, vars(sys.modules[module]))
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return []
    if origin in (Union, types.UnionType):
        found = [misfits(value, member, module, path) for member in arguments]
        return [] if [] in found else [f"{path}: {value!r} is not {annotation}"]
    if is_typeddict(annotation):
        return _misfits_of_object(value, annotation, path)
    if origin is Literal:
        fits = any(value == member and _plain(value) is type(member) for member in arguments)
    elif origin is list and isinstance(value, list):
        return [
            misfit
            for index, item in enumerate(value)
            for misfit in misfits(item, arguments[0], module, f"{path}[{index}]")
        ]
    elif origin is dict and isinstance(value, dict):
        return [
            misfit
            for key, item in value.items()
            for misfit in misfits(item, arguments[1], module, f"{path}[{key!r}]")
        ]
    elif annotation is float:
        fits = type(value) in (int, float)
    elif annotation is None or annotation is type(None):
        fits = value is None
    elif annotation in (int, datetime.date):
        fits = _plain(value) is annotation  # not bool, not datetime
    else:
        fits = isinstance(annotation, type) and isinstance(value, annotation)
    return [] if fits else [f"{path}: {value!r} is not {annotation}"]


def _plain(value: object) -> type:
    """Return the type of a value; in JSON Schema, 1.0 is an integer."""
    return int if isinstance(value, float) and value.is_integer() else type(value)


def _misfits_of_object(value: object, annotation: Any, path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path}: {value!r} is not {annotation}"]
    found = []
    module = annotation.__module__
    for key, kind in annotation.__annotations__.items():
        is_optional = get_origin(kind) is NotRequired
        if key in value:
            inner = get_args(kind)[0] if is_optional else kind
            found += misfits(value[key], inner, module, f"{path}[{key!r}]")
        elif not is_optional:
            found.append(f"{path}: {key!r} is missing")
    return found
