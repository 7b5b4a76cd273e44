"""Example values of what a producer can send, the smallest first. A validator checks them before one is shown."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any

from lightbus_gen.compat.patterns.strings import strings_of
from lightbus_gen.compat.shapes.expand import Shapes
from lightbus_gen.compat.shapes.shape import AnyOf, Shape
from lightbus_gen.compat.shapes.view import exact, text_of
from lightbus_gen.load.references import Node

_DEPTH = 12
_MAX_MEMBERS = 1_000
_MAX_CONTAINED = 100
"""Items of a kind that examples for `contains` have at most."""
"""The items or properties that limits alone can make a value have; it has all that are required by name."""
_MAX_TEXT = 10_000
"""Characters of a text."""
MAX_SIZE = 20_000
"""The JSON values in a value: types that refer to each other multiply."""
_FORMATS = {
    "date-time": ("2026-11-23T12:00:00Z", "2025-01-31T23:59:59.5+01:00"),
    "date": ("2026-11-23", "2025-01-31"),
    "time": ("12:00:00Z", "23:59:59.5+01:00"),
    "duration": ("PT1S", "P1D"),
    "uuid": ("8c5f2a0e-6f1b-4d1a-9c1e-0a1b2c3d4e5f", "00000000-0000-4000-8000-000000000000"),
    "email": (
        "ada@example.com",
        "a@b.co",
        *(f"{'a' * 64}@{'b' * 63}.{domain}" for domain in ("co", f"{'c' * 63}.{'d' * 63}.{'e' * 61}")),
    ),
    "idn-email": ("ada@example.com", "\u00e4@example.com"),
    "hostname": ("example.com", "a"),
    "idn-hostname": ("example.com", "\u00e4.com"),
    "ipv4": ("192.0.2.1", "10.0.0.1"),
    "ipv6": ("2001:db8::1", "::1"),
    "uri": ("https://example.com/a", "urn:a:b"),
    "uri-reference": ("/a", "https://example.com/a"),
    "iri": ("https://example.com/a", "https://example.com/\u00e4"),
    "iri-reference": ("/a", "/\u00e4"),
    "uri-template": ("/a/{b}", "/a"),
    "json-pointer": ("/a", ""),
    "relative-json-pointer": ("0", "1/a"),
    "regex": ("a", "^b$"),
    "decimal": ("1", "12.50"),
    "base64": ("AAAA", "YQ=="),
}
_TEXTS = ("", "a", "0", "A b", "a-b_c", "\u00e4", "x" * 40, "https://example.com/a", "2026-11-23")


class NoSample(Exception):
    """No value was found."""


class Sampler:
    """Generates values of one version's schemas.

    Args:
        shapes: splits the schemas into shapes.

    Attributes:
        shapes: the argument.
    """

    def __init__(self, shapes: Shapes) -> None:
        self.shapes = shapes
        self._first: dict[tuple[object, ...], Any] = {}
        self._sizes: dict[int, int] = {}
        self._required: dict[tuple[Shape, int, int], tuple[dict[str, Any], int, frozenset[str]]] = {}

    def values(self, source: AnyOf, depth: int = 0, near: Iterable[float] = ()) -> Iterator[Any]:
        """Yield values that satisfy at least one of the groups of schemas."""
        if depth > _DEPTH:
            return
        for nodes in source:
            for shape in self.shapes(nodes):
                yield from self.of_shape(shape, depth=depth, near=near)

    def first(self, source: AnyOf, depth: int = 0, choice: int = 0) -> Any:
        """Return the value at index `choice`, or the last one if there are fewer.

        Raises:
            NoSample: there is no value.
        """
        key = depth, choice, *(tuple(node.key for node in nodes) for nodes in source)
        if key not in self._first:
            values = list(itertools.islice(self.values(source, depth), choice + 1))
            self._first[key] = value = values[-1] if values else _NOTHING
            self._sizes[id(value)] = self._size(value)
        if self._first[key] is _NOTHING:
            raise NoSample
        return self._first[key]

    def _size(self, value: Any) -> int:
        """Return the number of JSON values in a value; those that `first` returned are not counted anew."""
        if not isinstance(value, (dict, list)):
            return 1
        if (size := self._sizes.get(id(value))) is not None:
            return size
        return 1 + sum(map(self._size, value.values() if isinstance(value, dict) else value))

    def of_shape(
        self, shape: Shape, kinds: Iterable[str] = (), depth: int = 0, near: Iterable[float] = ()
    ) -> Iterator[Any]:
        """Yield values of a shape.

        Args:
            shape: the shape.
            kinds: the kinds of values to yield; () for all of the shape's kinds.
            depth: nesting depth of the values within the generated payload.
            near: lengths, counts or numbers to yield values on both sides of.
        """
        if shape.values is not None:
            yield from shape.values
            return
        selected = frozenset(kinds) & shape.kinds if kinds else shape.kinds
        makers: dict[str, Callable[[], Iterator[Any]]] = {
            "string": lambda: self._strings(shape, near),
            "integer": lambda: self._numbers(shape, near, whole=True),
            "boolean": lambda: iter((True, False)),
            "number": lambda: self._numbers(shape, near, whole=False),
            "array": lambda: self._arrays(shape, near, depth),
            "object": lambda: self._objects(shape, near, depth),
            "null": lambda: iter((None,)),
        }
        groups = [make() for kind, make in makers.items() if kind in selected]
        for group in itertools.zip_longest(*groups, fillvalue=_NOTHING):
            yield from (value for value in group if value is not _NOTHING)

    def object(
        self,
        shape: Shape,
        depth: int = 0,
        *,
        properties: dict[str, Any] | None = None,
        without: str | None = None,
        choice: int = 0,
        size: int = 0,
    ) -> dict[str, Any]:
        """Return the smallest object of a shape.

        Args:
            shape: the shape.
            depth: nesting depth of the object within the generated payload.
            properties: values of properties to include.
            without: a property to leave out.
            choice: index of the value that the other properties take.
            size: the least number of properties.

        Raises:
            NoSample: no value was found for a required property, or the object is too large.
        """
        result: dict[str, Any] = {}
        properties = properties or {}
        needed = shape.required
        if properties.keys() <= shape.present:
            if without is None and shape.limit("minProperties") is None and not size and needed:
                return self._with(shape, depth, properties, choice)
        else:
            needed = shape.with_needed([*needed, *properties])
        for name in needed:
            if name != without:
                result[name] = (
                    properties[name]
                    if name in properties
                    else self.first(shape.value(name), depth + 1, choice)
                )
        least = max(size, shape.limit("minProperties") or 0)
        if len(result) < least:
            if least > _MAX_MEMBERS:
                raise NoSample
            for name, values in self._spare(shape, least):
                if name not in result and name != without:
                    result[name] = self.first(values, depth + 1)
                if len(result) == least:
                    break
            else:
                raise NoSample
        self._check_size(result)
        return result

    def _with(self, shape: Shape, depth: int, properties: dict[str, Any], choice: int) -> dict[str, Any]:
        """Return an object with the required properties alone, some of them given.

        Of many required properties each may be given in turn, so the values of all others are looked up once.
        """
        key = shape, depth, choice
        if key not in self._required:
            values: dict[str, Any] = {}
            for name in shape.required:
                try:
                    values[name] = self.first(shape.value(name), depth + 1, choice)
                except NoSample:
                    values[name] = _NOTHING
            lacking = frozenset(name for name, value in values.items() if value is _NOTHING)
            self._required[key] = values, self._size(values), lacking
        values, size, lacking = self._required[key]
        size += sum(self._size(value) - self._size(values[name]) for name, value in properties.items())
        if not lacking <= properties.keys() or size > MAX_SIZE:
            raise NoSample
        return {**values, **properties}

    def _check_size(self, value: Any) -> None:
        if self._size(value) > MAX_SIZE:
            raise NoSample

    def array(
        self, shape: Shape, depth: int = 0, *, at: int = 0, item: Any = None, size: int = 0
    ) -> list[Any]:
        """Return the smallest array of a shape with at least `size` items, with `item` at index `at`.

        Raises:
            NoSample: no value was found for an item, or the array is too large.
        """
        items: list[Any] = []
        length = max(size, shape.limit("minItems") or 0)
        if length > max(size, _MAX_MEMBERS):
            raise NoSample
        is_unique, texts = shape.is_unique, {text_of(item)}
        for index in range(length):
            if index == at and size:
                items.append(item)
            elif not is_unique:
                items.append(self.first(shape.item(index), depth + 1))
            else:
                values = self.values(shape.item(index), depth + 1)
                value = next((value for value in values if text_of(value) not in texts), _NOTHING)
                if value is _NOTHING:
                    raise NoSample
                texts.add(text_of(value))
                items.append(value)
        self._check_size(items)
        return items

    def containing(
        self, shape: Shape, needed: Iterable[tuple[Node, int]], read: Node, counts: Iterable[int]
    ) -> Iterator[list[Any]]:
        """Yield arrays with numbers of items that satisfy a schema.

        Args:
            shape: the array.
            needed: the schemas that some of its items satisfy, each with their least number.
            read: the schema.
            counts: the numbers of items that satisfy it.
        """
        items = shape.item(shape.prefix_length)
        first: list[Any] = []
        for node, least in needed:
            own = itertools.islice(self.values(tuple((*nodes, node) for nodes in items)), 3)
            for value in own:
                first = [value] * min(least, _MAX_CONTAINED)
                yield first
        for value in itertools.islice(self.values(tuple((*nodes, read) for nodes in items)), 3):
            for count in counts:
                if count <= _MAX_CONTAINED:
                    yield [*first, *[value] * max(0, count - len(first))]
                    yield [*first, *[value] * count]

    def names(self, shape: Shape, pattern: str | None, count: int = 1) -> Iterator[str]:
        """Yield names for properties that a shape does not declare by name.

        Args:
            shape: the shape.
            pattern: the regular expression they match, None for all other names.
            count: the number of names to offer.
        """
        schemas = shape.name_schemas
        plain = ("key", "other", *(f"key{index}" for index in range(count)))
        names: Iterable[Any] = strings_of(pattern) if pattern else plain
        if schemas:
            names = itertools.chain(names, self.values((schemas,), near=range(3, 3 + count)))
        shapes = self.shapes(schemas) if schemas else []
        seen = set(shape.names)
        for name in names:
            if isinstance(name, str) and name not in seen:
                seen.add(name)
                if not schemas or any(_takes(each, name) for each in shapes):
                    yield name

    def _spare(self, shape: Shape, count: int) -> Iterator[tuple[str, AnyOf]]:
        """Yield names of properties that may be present, with their values."""
        for name in shape.names:
            if values := shape.value(name):
                yield name, values
        for pattern, values in shape.rest():
            for name in self.names(shape, pattern, count):
                if shape.value(name):
                    yield name, values

    def _strings(self, shape: Shape, near: Iterable[float]) -> Iterator[str]:
        least, most = shape.limit("minLength") or 0, shape.limit("maxLength")
        patterns = [view.pattern for view in shape.views if view.pattern is not None]
        formats = [name for view in shape.views if view.format for name in view.format.split()]
        lengths = {least, max(least, 1), *(int(length) + step for length in near for step in (-1, 0, 1))}
        lengths |= {most} if most is not None else set()
        texts: Iterable[str] = _TEXTS
        if formats:
            texts = (text for name in formats for text in _FORMATS.get(name, ()))
        elif patterns:
            texts = (text for pattern in patterns for text in strings_of(pattern, lengths))
        by_size = sorted(lengths, key=lambda length: (length == 0, length))  # "a" reads better than ""
        filled = ("a" * length for length in by_size if 0 <= length <= _MAX_TEXT)
        for text in itertools.chain(() if formats or patterns else filled, texts, filled if patterns else ()):
            if shape.accepts(text):
                yield text

    def _numbers(self, shape: Shape, near: Iterable[float], *, whole: bool) -> Iterator[float]:
        low, high = shape.minimum, shape.maximum
        steps = [exact(view.multiple_of) for view in shape.views if view.multiple_of]
        starts = [0, *(edge[0] for edge in (low, high) if edge), *near]
        step = max(steps, default=Fraction(1) if whole else Fraction(1, 2))
        quarter = Fraction(1, 4)
        for start in map(exact, dict.fromkeys(starts)):
            base = start // step * step if steps else start
            for value in (base, base + step, base - step, base + quarter, base - quarter, base + 2 * step):
                if (value.denominator == 1) is whole:
                    number = int(value) if whole else _as_float(value)
                    if number is not None and shape.accepts(number):
                        yield number

    def _arrays(self, shape: Shape, near: Iterable[float], depth: int) -> Iterator[list[Any]]:
        sizes = [0, 1, *(int(size) + step for size in near for step in (-1, 0, 1))]
        least, most = shape.limit("minItems") or 0, shape.most_items
        for size in dict.fromkeys(max(size, least) for size in sizes):
            if size > _MAX_MEMBERS or (most is not None and size > most):
                continue
            try:
                yield self.array(shape, depth, size=size, at=size)
            except NoSample:
                continue

    def _objects(self, shape: Shape, near: Iterable[float], depth: int) -> Iterator[dict[str, Any]]:
        try:
            yield self.object(shape, depth)
        except NoSample:
            return
        for size in {int(size) + step for size in near for step in (0, 1)}:
            try:
                yield self.object(shape, depth, size=size)
            except NoSample:
                break
        for name in shape.names:
            for value in itertools.islice(self.values(shape.value(name), depth + 1), 3):
                try:
                    yield self.object(shape, depth, properties={name: value})
                except NoSample:
                    break


def _takes(shape: Shape, text: str) -> bool:
    """Whether a text belongs to a shape."""
    is_listed = shape.values is None or text in shape.values
    return "string" in shape.kinds and is_listed and shape.accepts(text)


def _as_float(value: Fraction) -> float | None:
    """Return a fraction as a float that is no whole number; None if there is none."""
    try:
        number = float(value)
    except OverflowError:
        return None
    return None if number.is_integer() else number


_NOTHING: Any = object()
