"""Events whose schema says `deprecated: true`: code that fires or listens is warned, at its own line."""

from __future__ import annotations

import importlib
import inspect
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lightbus
from lightbus_gen.generate import generate
from lightbus_gen.write.apply import apply
from lightbus_gen.write.plan import plan

SCHEMAS = Path(__file__).parents[1] / "codegen/golden/deprecated/schemas"


@pytest.fixture(params=["generated", "dynamic"])
def bus(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    if request.param == "dynamic":
        with lightbus.create(schemas=SCHEMAS, url="memory://deprecated") as made:
            yield made
        return
    apply(plan(tmp_path, generate(SCHEMAS, "old_bus"), within="old_bus"))
    monkeypatch.syspath_prepend(tmp_path)
    with lightbus.create(importlib.import_module("old_bus").Bus, url="memory://deprecated") as made:
        yield made
    for name in [name for name in sys.modules if name.partition(".")[0] == "old_bus"]:
        del sys.modules[name]


def test_firing_warns_at_the_caller(bus: Any) -> None:
    with pytest.warns(DeprecationWarning, match=r"event auth\.user_created is deprecated") as warned:
        bus.auth.user_created.fire(username="ada")
    assert [one.filename for one in warned] == [__file__]


async def test_firing_from_a_loop_warns_at_the_caller(bus: Any) -> None:
    assert inspect.iscoroutinefunction(bus.auth.user_created.fire_async)
    with pytest.warns(DeprecationWarning, match=r"event auth\.user_created is deprecated") as warned:
        await bus.auth.user_created.fire_async(username="ada")
    assert [one.filename for one in warned] == [__file__]


def test_listening_warns_at_the_caller(bus: Any) -> None:
    with pytest.warns(DeprecationWarning, match=r"event auth\.user_created is deprecated") as warned:
        bus.auth.user_created.listen(lambda username: None, listener_name="greet")
    assert [one.filename for one in warned] == [__file__]


def test_other_events_do_not_warn(bus: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bus.auth.user_joined.fire(username="ada", fax="1")
