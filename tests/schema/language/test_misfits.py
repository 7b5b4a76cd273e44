"""Why a schema refuses a value: the same places as the validator's own errors, for drawn schemas."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings

from lightbus.schema.language.misfits import Misfits
from lightbus.schema.language.node import Node
from lightbus.schema.language.reference import Document
from tests.schema.recursive import schemas, values

ALL = 10**6
drawn = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def is_within(place: tuple[str, ...], outer: tuple[str, ...]) -> bool:
    return place[: len(outer)] == outer


def text(path: Any) -> tuple[str, ...]:
    """Return the steps of a path as texts: the validator reports numeric keys as indexes."""
    return tuple(map(str, path))


@given(schemas(), values())
@drawn
def test_every_invalid_value_has_misfits_where_the_validator_has_errors(
    schema: Node[Document], value: Any
) -> None:
    validator = schema.document.validator(schema)
    places = {text(misfit.path) for misfit in Misfits(schema).explain(value, ALL)}
    assert bool(places) is not validator.is_valid(value)
    errors = {(text(error.instance_path), error.kind.name) for error in validator.iter_errors(value)}
    for place in places:
        assert any(is_within(place, path) for path, _ in errors), place
    for path, keyword in errors:
        is_noise = keyword.startswith("unevaluated")  # also blames properties of schemas that do not fit
        assert is_noise or any(is_within(place, path) for place in places), (path, keyword)


@given(schemas(), values())
@drawn
def test_a_limit_leaves_at_least_one_misfit(schema: Node[Document], value: Any) -> None:
    misfits = Misfits(schema)
    assert bool(list(misfits.explain(value, 1))) is bool(list(misfits.explain(value, ALL)))
