"""Every value that the schema accepts is of the generated type, and leaves the bus as it entered."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from lightbus.schema import SchemaDocument
from lightbus.schema.language.validation import validator
from lightbus_gen.generate import generate
from lightbus_gen.read.input_problems import InputError
from tests.codegen import drawn
from tests.codegen.conforms import misfits

REFUSED = {"ENDLESS_REF", "NAME_COLLISION"}
pytestmark = pytest.mark.timeout(900)  # a failing example is shrunk for up to five minutes
unhurried = settings(
    max_examples=max(150, settings().max_examples),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@unhurried
@given(drawn.payloads(), st.data())
def test_every_accepted_value_is_of_the_generated_type_and_keeps_its_json(
    schema: dict[str, Any], data: st.DataObject
) -> None:
    with made(schema) as (document, module):
        if document is None:
            event("refused")
            return
        contract = document.contract("happened")
        annotations = {field.name: field.type for field in fields(module.Happened)}
        values, is_valid = drawn.instances(schema, schema), validator(schema).is_valid
        for _ in range(6):
            payload = data.draw(values)
            if not is_valid(payload):
                event("not valid")
                continue
            event("valid")
            received = contract.decode(payload)
            for name, value in received.items():
                assert misfits(value, annotations[name], module.__name__, name) == []
            if contract._search is not None and list(contract._search(payload)):
                event("holds what is not declared")  # a handler gets the rest, which need not be an event
                continue
            sent = fired(contract, received)
            assert set(sent) <= {"value", "other-value"}
            assert same(fired(contract, contract.decode(json.loads(json.dumps(sent)))), sent)


def fired(contract: Any, received: dict[str, Any]) -> dict[str, Any]:
    """Fire the received value."""
    wires = {parameter.name: parameter.wire for parameter in contract.parameters}
    sent: dict[str, Any] = contract.encode({wires[name]: value for name, value in received.items()})
    return sent


def same(one: Any, other: Any) -> bool:
    """Whether JSON values are written alike: 1 is neither True nor 1.0."""
    return json.dumps(one) == json.dumps(other)


@contextmanager
def made(schema: dict[str, Any]) -> Iterator[tuple[SchemaDocument | None, Any]]:
    """Generate the code of one event and load it; None if the schema is refused."""
    try:
        files = generate(
            Path("absent"), "drawn_bus", texts={"api/happened.json": json.dumps(schema).encode()}
        )
    except InputError as error:
        assert {problem.rule for problem in error.problems} <= REFUSED, error
        yield None, None
        return
    module = ModuleType("drawn_bus.api")
    sys.modules[module.__name__] = module
    try:
        exec(compile(files["drawn_bus/api.py"], "api.py", "exec"), vars(module))
        yield SchemaDocument(json.loads(files["drawn_bus/schemas/api.json"]), "api"), module
    finally:
        del sys.modules[module.__name__]
