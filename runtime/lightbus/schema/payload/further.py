"""Python names of the properties that a schema allows beside those it declares.

They go by their names on the wire. Where a parameter has that name already (`user_name` stands for the
declared `user-name`), they go one underscore further, all of them: `user_name` is `user_name_`, and
`user_name_` is `user_name__`. So each name means one property, in both directions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_RESERVED = ("self",)  # a method would take it twice


class FurtherNames:
    """The names of undeclared properties.

    Args:
        names: Python names of the declared properties, by name on the wire.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._declared = _underscores(names)
        self._taken = _underscores({*names, *names.values(), *_RESERVED})

    def python_name(self, wire: str) -> str:
        """Return the Python name of an undeclared property."""
        return _moved(wire, self._declared, self._taken)

    def wire_name(self, name: str) -> str:
        """Return the undeclared property that a Python name stands for."""
        return _moved(name, self._taken, self._declared)


def _underscores(names: Iterable[str]) -> dict[str, list[int]]:
    """Return the numbers of underscores that names end with, by the rest of the name, in order."""
    found: dict[str, list[int]] = {}
    for name in sorted(set(names), key=len):
        stem = name.rstrip("_")
        found.setdefault(stem, []).append(len(name) - len(stem))
    return found


def _moved(name: str, taken: Mapping[str, list[int]], wanted: Mapping[str, list[int]]) -> str:
    """Return the free name at the place that a name has among those free in another list of names."""
    stem = name.rstrip("_")
    if taken.get(stem) == wanted.get(stem):
        return name
    count = len(name) - len(stem)
    place = count - sum(other < count for other in taken.get(stem, ()))
    for other in wanted.get(stem, ()):
        place += other <= place
    return stem + "_" * place
