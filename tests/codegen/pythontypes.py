"""Python types drawn with their values, and with what another service knows of both."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import itertools
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict
from uuid import UUID

import msgspec
import pydantic
from hypothesis import strategies as st

from tests.schema.python.test_round_trip import AWARE, DECIMALS, FLOATS, TEXT, TIMES

Annotation = Any
"""A generated annotation as data: see `tests.codegen.test_definitions.outline`."""


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A Python type.

    Attributes:
        python: the type.
        kind: the JSON type of its values.
        values: a strategy of its values.
        annotation: its annotation in the generated client.
        arrives: whether a received value represents a given one.
    """

    python: Any
    kind: str
    values: st.SearchStrategy[Any]
    annotation: Annotation
    arrives: Callable[[Any, Any], bool]

    def __repr__(self) -> str:
        return repr(self.python)


def _equal(received: Any, value: Any) -> bool:
    return type(received) is type(value) and received == value


def _leaf(python: Any, kind: str, values: st.SearchStrategy[Any], annotation: Any = None) -> Drawn:
    return Drawn(python, kind, values, annotation or python.__name__, _equal)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


class Celsius:
    """A plain class that is a number on the bus."""

    def __init__(self, degrees: Decimal) -> None:
        self.degrees = degrees

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Celsius) and other.degrees == self.degrees

    def __to_bus__(self) -> Decimal:
        return self.degrees

    @classmethod
    def __from_bus__(cls, degrees: Decimal) -> Celsius:
        return cls(degrees)


def _by_value(received: Any, value: Any) -> bool:
    return bool(received == value.value)


STRINGS = [
    _leaf(str, "string", TEXT),
    _leaf(datetime.datetime, "string", AWARE),
    _leaf(datetime.date, "string", st.dates()),
    _leaf(datetime.time, "string", TIMES),
    _leaf(datetime.timedelta, "string", st.timedeltas()),
    _leaf(UUID, "string", st.uuids()),
    _leaf(Decimal, "string", DECIMALS),
    _leaf(bytes, "string", st.binary()),
    _leaf(
        Annotated[str, msgspec.Meta(min_length=2)], "string", TEXT.filter(lambda text: len(text) > 1), "str"
    ),
]
LITERALS = [
    _leaf(
        Literal["a", 'b"', 3],
        "mixed",
        st.sampled_from(["a", 'b"', 3]),
        ("literal", frozenset({"a", 'b"', 3})),
    ),
    Drawn(Colour, "mixed", st.sampled_from(Colour), ("literal", frozenset({"red", "blue"})), _by_value),
    Drawn(Size, "mixed", st.sampled_from(Size), ("literal", frozenset({1, 2})), _by_value),
    Drawn(
        Celsius,
        "mixed",
        st.builds(Celsius, DECIMALS),
        "Decimal",
        lambda received, value: bool(received == value.degrees),
    ),
]
NUMBERS = [
    _leaf(int, "integer", st.integers()),
    _leaf(Annotated[int, msgspec.Meta(ge=0, lt=10)], "integer", st.integers(0, 9), "int"),
]
BOOLEAN = _leaf(bool, "boolean", st.booleans())
FLOAT = _leaf(float, "number", FLOATS)
LEAVES = st.sampled_from([*STRINGS, *LITERALS, *NUMBERS, BOOLEAN, FLOAT])
HASHABLE = st.sampled_from([STRINGS[0], STRINGS[2], STRINGS[5], NUMBERS[0]])
_numbers = itertools.count(1)


def types(depth: int = 3) -> st.SearchStrategy[Drawn]:
    """Return a strategy of types, nested to a depth."""
    if depth == 0:
        return LEAVES
    inner = st.deferred(lambda: types(depth - 1))
    return st.one_of(
        LEAVES,
        inner.map(_list),
        inner.map(_open_tuple),
        st.lists(inner, min_size=1, max_size=3).map(_tuple),
        HASHABLE.map(_set),
        inner.map(_dict),
        inner.map(_optional),
        st.tuples(inner, inner, inner, st.sampled_from(STRINGS)).map(_union),
        st.tuples(
            st.lists(inner, min_size=1, max_size=3),
            st.sampled_from([_dataclass, _typed_dict, _struct, _named_tuple]),
        ).map(lambda drawn: drawn[1](drawn[0])),
        st.lists(st.sampled_from([STRINGS[0], STRINGS[2], STRINGS[5], NUMBERS[0], BOOLEAN]), min_size=1).map(
            _model
        ),
    )


def join(annotations: Iterable[Annotation]) -> Annotation:
    """Join annotations as type checkers do: a float absorbs ints, a str absorbs string literals."""
    found: set[Any] = set()
    for one in annotations:
        found |= one[1] if one[0] == "union" else {one}
    values = [value for one in found if one[0] == "literal" for value in one[1]]
    found = {one for one in found if one[0] != "literal"}
    kept = frozenset(value for value in values if type(value).__name__ not in found)
    found |= {("literal", kept)} if kept else set()
    if "float" in found:
        found.discard("int")
    return ("union", frozenset(found)) if len(found) > 1 else next(iter(found))


def _list(item: Drawn) -> Drawn:
    return _array(list[item.python], st.lists(item.values, max_size=3), item)  # type: ignore[name-defined]


def _open_tuple(item: Drawn) -> Drawn:
    return _array(tuple[item.python, ...], st.lists(item.values, max_size=3).map(tuple), item)  # type: ignore[name-defined]


def _array(python: Any, values: st.SearchStrategy[Any], item: Drawn) -> Drawn:
    def arrives(received: Any, value: Any) -> bool:
        return len(received) == len(value) and all(map(item.arrives, received, value))

    return Drawn(python, "array", values, ("list", item.annotation), arrives)


def _set(item: Drawn) -> Drawn:
    def arrives(received: Any, value: Any) -> bool:
        return type(received) is list and len(received) == len(value) and set(received) == value

    python: Any = set[item.python]  # type: ignore[name-defined]
    return Drawn(python, "array", st.sets(item.values, max_size=3), ("list", item.annotation), arrives)


def _tuple(items: list[Drawn]) -> Drawn:
    return _positional(tuple[tuple(item.python for item in items)], lambda *values: tuple(values), items)  # type: ignore[misc]


def _named_tuple(items: list[Drawn]) -> Drawn:
    made: Any = NamedTuple(_name(), [(f"f{index}", item.python) for index, item in enumerate(items)])  # type: ignore[misc]
    return _positional(made, made, items)


def _positional(python: Any, make: Callable[..., Any], items: list[Drawn]) -> Drawn:
    def arrives(received: Any, value: Any) -> bool:
        return type(received) is list and all(
            item.arrives(one, other) for item, one, other in zip(items, received, value, strict=True)
        )

    values = st.builds(make, *(item.values for item in items))
    return Drawn(python, "array", values, ("list", join(item.annotation for item in items)), arrives)


def _dict(item: Drawn) -> Drawn:
    def arrives(received: Any, value: Any) -> bool:
        return received.keys() == value.keys() and all(
            item.arrives(received[key], value[key]) for key in value
        )

    values = st.dictionaries(TEXT, item.values, max_size=3)
    return Drawn(dict[str, item.python], "object", values, ("dict", item.annotation), arrives)  # type: ignore[name-defined]


def _optional(item: Drawn) -> Drawn:
    none = _leaf(type(None), "null", st.none(), "None")
    return Drawn(
        item.python | None,
        item.kind,
        st.none() | item.values,
        join([item.annotation, none.annotation]),
        lambda received, value: received is None if value is None else item.arrives(received, value),
    )


def _union(drawn: tuple[Drawn, ...]) -> Drawn:
    """Join types that JSON can distinguish."""
    members = list({member.kind: member for member in drawn if _can_join(member)}.values())
    python: Any = members[0].python
    for member in members[1:]:
        python = python | member.python
    values = st.one_of([st.tuples(st.just(member), member.values) for member in members])
    return Drawn(
        python,
        "mixed",
        values.map(lambda pair: pair[1]),
        join(member.annotation for member in members),
        lambda received, value: any(_is_of(member, received, value) for member in members),
    )


def _can_join(member: Drawn) -> bool:
    return member.kind != "mixed" and member.annotation[0] != "union"


def _is_of(member: Drawn, received: Any, value: Any) -> bool:
    try:
        return member.arrives(received, value)
    except (TypeError, AttributeError, LookupError):
        return False


def _dataclass(items: list[Drawn]) -> Drawn:
    fields = [(f"f{index}", item.python) for index, item in enumerate(items)]
    made: Any = dataclasses.make_dataclass(_name(), [*fields, ("more", int, dataclasses.field(default=1))])
    return _object(
        made, made, [*items, NUMBERS[0]], [*(name for name, _ in fields), "more"], optional={"more"}
    )


def _struct(items: list[Drawn]) -> Drawn:
    names = [f"of_{index}_x" for index in range(len(items))]
    made: Any = msgspec.defstruct(
        _name(), list(zip(names, (item.python for item in items), strict=True)), rename="camel"
    )
    wires = {name: field.encode_name for name, field in zip(names, msgspec.structs.fields(made), strict=True)}
    return _object(made, made, items, names, wires=wires)


def _typed_dict(items: list[Drawn]) -> Drawn:
    names = [f"f-{index}" for index in range(len(items))]
    kinds = {name: item.python for name, item in zip(names, items, strict=True)}
    made: Any = TypedDict(_name(), {**kinds, "class": NotRequired[bool]})  # type: ignore[misc]
    return _object(
        made,
        lambda *values: dict(zip([*names, "class"], values, strict=True)),
        [*items, BOOLEAN],
        [*names, "class"],
        optional={"class"},
        get=lambda value, name: value[name],
    )


def _model(items: list[Drawn]) -> Drawn:
    names = [f"f{index}" for index in range(len(items))]
    fields: dict[str, Any] = {name: (item.python, ...) for name, item in zip(names, items, strict=True)}
    made: Any = pydantic.create_model(_name(), **fields)
    return dataclasses.replace(
        _object(made, lambda *values: made(**dict(zip(names, values, strict=True))), items, names),
        kind="mixed",
    )


def _object(
    python: Any,
    make: Callable[..., Any],
    items: list[Drawn],
    names: list[str],
    *,
    optional: set[str] = frozenset(),  # type: ignore[assignment]
    wires: dict[str, str] | None = None,
    get: Callable[[Any, str], Any] = getattr,
) -> Drawn:
    wires = wires or {name: name for name in names}
    keys = frozenset(
        (wires[name], item.annotation, name not in optional) for name, item in zip(names, items, strict=True)
    )

    def arrives(received: Any, value: Any) -> bool:
        return received.keys() == set(wires.values()) and all(
            item.arrives(received[wires[name]], get(value, name))
            for name, item in zip(names, items, strict=True)
        )

    values = st.builds(make, *(item.values for item in items))
    return Drawn(python, "object", values, ("object", keys), arrives)


def _name() -> str:
    return f"Class{next(_numbers)}"
