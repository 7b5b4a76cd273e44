"""Hostile messages for the flood and the torture: what any process may publish to the subject of an event."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from lightbus import Api, Event, Parameter


class Number(msgspec.Struct, tag_field="op", tag="number"):
    """A number in an expression."""

    value: float


class Sum(msgspec.Struct, tag_field="op", tag="sum"):
    """An inner node of an expression."""

    left: Expression
    right: Expression


class Product(msgspec.Struct, tag_field="op", tag="product"):
    """Another inner node, so that every level is a choice."""

    left: Expression
    right: Expression


Expression = Number | Sum | Product


class Line(msgspec.Struct):
    """A value of a map with free keys, which declares all its properties."""

    sku: str


class FormulaApi(Api):
    """Events whose schemas are hard to judge: recursive unions, patterns with look-around, decimals, free keys."""

    evaluated = Event(parameters=(Parameter("number", int), Parameter("expression", Expression)))
    labelled = Event(
        parameters=(
            Parameter("number", int),
            Parameter("label", Annotated[str, msgspec.Meta(pattern="^(?=.*[0-9])(?=.*[a-z]).{8,}$")]),
        )
    )
    priced = Event(parameters=(Parameter("number", int), Parameter("amount", Decimal)))
    packed = Event(parameters=(Parameter("number", int), Parameter("lines", dict[str, Line])))

    class Meta:
        name = "formula"


GOOD: dict[str, dict[str, Any]] = {
    "evaluated": {"expression": Sum(Number(1), Product(Number(2), Number(3)))},
    "labelled": {"label": "package 7"},
    "priced": {"amount": Decimal("12.50")},
    "packed": {"lines": {"first": Line("a"), "42": Line("b")}},
}
"""Arguments of a good event, except its number, by event."""


@dataclass(frozen=True, slots=True)
class Hostile:
    """A hostile message.

    Attributes:
        header: its header block, b"" for none.
        body: its body.
        fits: whether it is an event that a listener handles, such as one of a newer producer.
    """

    header: bytes
    body: bytes
    fits: bool = False


def event(data: Any = None, **attributes: Any) -> dict[str, Any]:
    """Return an event envelope; `data` is absent if None."""
    attributes = {"specversion": "1.0", "id": "1", "source": "/s", "type": "job.wanted", **attributes}
    return attributes | ({} if data is None else {"data": data})


def malformed(chance: random.Random, good: dict[str, Any]) -> Hostile:
    """Create a message that no listener of the event `good` accepts."""
    text = json.dumps(good).encode()
    kinds: list[tuple[bytes, Any]] = [
        (b"", chance.randbytes(chance.randrange(200))),
        (b"", text[: chance.randrange(len(text))]),
        (b"", text + b"}"),
        (b"", b"\xef\xbb\xbf" + text),
        (b"", text.replace(b'"source"', b'"\\ud800"')),
        (b"", text.replace(b'"1.0"', b"1e999")),
        (b"", b"[" * chance.randrange(1, 50_000)),
        (b"", {**good, "data": {"name": json.loads("[" * 150 + "]" * 150)}}),
        (b"", {**good, "type": "job.other"}),
        (b"", {**good, "specversion": chance.choice(["0.3", "", 1, None])}),
        (b"", {**good, "id": chance.choice(["", 5, None, []])}),
        (b"", {**good, "time": chance.choice([5, "yesterday", "2026-11-23T12:00:00"])}),
        (b"", {**good, "data": chance.choice([[], "x", 5, True, {}])}),
        (b"", {name: value for name, value in good.items() if name != "data"}),
        (b"NATS/1.0\r\nContent-Type: text/xml\r\n\r\n", text),
        (b"NATS/1.0\r\nce-specversion: 1.0\r\nce-id: \xff\xfe\r\n\r\n", text),
        (b"NATS/1.0\r\n\xff\xff: \xff\r\n" + b"A: \xff%d\r\n" % chance.randrange(10**9) * 20 + b"\r\n", b"{"),
        (b"NATS/1.0 503\r\nLightbus-Attempts: %b\r\n\r\n" % (b"9" * 5000), b"\x00"),
        (b"NATS/1.0\r\nNats-Sequence: x\r\nce-specversion: 1.0\r\n\r\n", chance.randbytes(20)),
    ]
    header, body = chance.choice(kinds)
    return Hostile(header, body if isinstance(body, bytes) else json.dumps(body).encode())


def formula(chance: random.Random, name: str, number: int, **attributes: Any) -> Hostile:
    """Create a hostile message for an event of `FormulaApi`: small where it can be, and costly to judge.

    Args:
        name: the event.
        number: the event's number.
        attributes: CloudEvents attributes.
    """
    fits = chance.random() < 0.5
    values: dict[str, Any]
    match name:
        case "evaluated":
            values = {"expression": _expression(chance, fits)}
        case "labelled":
            values = {"label": "a1" * 20 if fits else chance.choice("a1 é") * 10 ** chance.randrange(3, 6)}
        case "priced":
            wrong = chance.choice(["1e999999999", "-1E+99999999", "1e-999999999", "NaN", ""])
            values = {"amount": "12.50" if fits else wrong}
        case _:
            values = {"lines": _lines(chance, fits)}
    if fits and chance.random() < 0.5:
        values["added"] = [{}] * chance.randrange(100)
    envelope = event({"number": number, **values}, type=f"formula.{name}", **attributes)
    return Hostile(b"", json.dumps(envelope).encode(), fits)


def _expression(chance: random.Random, fits: bool) -> Any:
    """Create a deep or wide expression: with one wrong leaf, or one that only a newer producer's schema has."""
    if fits:
        leaf: Any = {"op": "number", "value": 1, "unit": "m"}
    else:
        leaf = chance.choice(
            [{"op": "number", "value": "x"}, {"op": "power"}, {"op": "sum"}, {}, 5, None, [[]]]
        )
    if chance.random() < 0.2:
        return _wide(leaf, chance.randrange(2, 11))
    expression = leaf
    for _ in range(chance.randrange(1, 90)):
        sides = [{"op": "number", "value": 2}, expression]
        chance.shuffle(sides)
        expression = {"left": sides[0], "op": chance.choice(["sum", "product"]), "right": sides[1]}
    return expression


def _wide(leaf: Any, levels: int) -> Any:
    """Return a full binary tree of leaves."""
    if not levels:
        return leaf
    return {"op": "sum", "left": _wide(leaf, levels - 1), "right": _wide(leaf, levels - 1)}


def _lines(chance: random.Random, fits: bool) -> Any:
    """Create a map with awkward keys, whose values have an undeclared property or a wrong one."""
    line: Any = (
        {"sku": "s", "qty": 1} if fits else chance.choice([{"sku": 5}, {"qty": 1}, 5, [], {"sku": None}])
    )
    if chance.random() < 0.05:
        return {f"{index}": line for index in range(10 ** chance.randrange(1, 5))}
    awkward = ["", "0", "42", "-1", "1e5", "/", "~", "~1", "$ref", "\u202e", "\n", "a.b[0]", "k" * 100_000]
    return dict.fromkeys(chance.sample(awkward, chance.randrange(1, 4)), line)
