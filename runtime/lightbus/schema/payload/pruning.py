"""Removal of undeclared properties from a payload, at any depth."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lightbus.schema.language.keywords import Path
from lightbus.schema.language.misfits import Misfits


def prune(data: dict[str, Any], written: Misfits) -> dict[str, Any]:
    """Return the data without the properties that a closed schema refuses as undeclared.

    The schema accepts the result, unless the data is invalid for another reason as well.

    Args:
        data: JSON object that the opened schema accepts.
        written: the misfits with the schema as written.
    """
    while undeclared := written.undeclared(data):  # a removal may change which schemas apply
        data = _reduced(data, undeclared)
    return data


def without(data: dict[str, Any], properties: Iterable[Path]) -> dict[str, Any]:
    """Return a JSON object without the properties at some paths, which may be inside it; shares what is unchanged."""
    removed: dict[str | int, Any] = {}  # a tree of keys; None in place of a property
    for *path, name in sorted(properties, key=len):  # outer before inner
        holder: dict[str | int, Any] | None = removed
        for step in path:
            holder = holder.setdefault(step, {}) if holder is not None else None
        if holder is not None:
            holder[name] = None
    reduced: dict[str, Any] = _reduced(data, removed)
    return reduced


def _reduced(value: Any, removed: dict[str | int, Any]) -> Any:
    reduced = value.copy()
    for step, inner in removed.items():
        if inner is None:
            del reduced[step]
        else:
            reduced[step] = _reduced(reduced[step], inner)
    return reduced
