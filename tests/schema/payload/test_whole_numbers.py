"""1.0 is an integer in JSON Schema; where the annotation is `int`, it arrives as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from lightbus.api import Parameter
from tests.schema.build import declared, exported, written

INTEGER = {"type": "integer"}


@pytest.mark.parametrize(
    ("schema", "sent", "arrived"),
    [
        (INTEGER, 1.0, 1),
        (INTEGER, 1e300, int(1e300)),
        ({"type": ["integer", "null"]}, 1.0, 1),
        ({"const": 1}, 1.0, 1),
        ({"enum": [1, "a"]}, 1.0, 1),
        ({"type": "number", "enum": [1, 2]}, 2.0, 2),
        ({"anyOf": [{"type": "string"}, INTEGER]}, 1.0, 1),
        ({"allOf": [{"type": "number"}, INTEGER]}, 1.0, 1),
        ({"type": "array", "items": INTEGER}, [1.0, 2], [1, 2]),
        ({"type": "object", "additionalProperties": INTEGER}, {"a": 1.0}, {"a": 1}),
        ({"$ref": "#/$defs/Count"}, 3.0, 3),
        ({"type": "number"}, 1.0, 1.0),
        ({"type": ["integer", "number"]}, 1.0, 1.0),
        ({"anyOf": [{"type": "number"}, INTEGER]}, 1.0, 1.0),
        ({"const": 1.5}, 1.5, 1.5),
        ({"enum": [True, 1]}, True, True),
        ({}, 1.0, 1.0),
    ],
)
def test_whole_numbers_arrive_as_annotated(schema: dict[str, Any], sent: object, arrived: object) -> None:
    contract = written({"type": "object", "properties": {"value": schema}}, **{"$defs": {"Count": INTEGER}})
    value = contract.decode({"value": sent})["value"]
    assert (value, repr(value)) == (arrived, repr(arrived))


def test_a_default_is_of_the_annotated_type() -> None:
    contract = written({"type": "object", "properties": {"count": {"type": "integer", "default": 1.0}}})
    assert repr(contract.parameters[0].default) == "1"
    assert repr(contract.decode({})["count"]) == "1"


@dataclass
class Line:
    """A part of an order."""

    count: int


@pytest.mark.parametrize(
    ("python", "sent", "arrived"),
    [
        (int, 2.0, 2),
        (int | str, 2.0, 2),
        (list[int], [2.0], [2]),
        (Line, {"count": 2.0}, Line(2)),
        (Literal[2], 2.0, 2),
        (float, 2.0, 2.0),
    ],
)
def test_python_definitions_take_them_as_well(python: Any, sent: object, arrived: object) -> None:
    value = declared(Parameter("value", python)).decode({"value": sent})["value"]
    assert (value, repr(value)) == (arrived, repr(arrived))
    assert exported(Parameter("value", python)).decode({"value": sent})["value"] is not None
