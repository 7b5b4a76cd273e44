"""`deprecated` and `allow_breaking` of events and parameters defined in Python, from the class to the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest

from lightbus.api import Api, Event, Parameter, registry
from lightbus.errors import DefinitionError
from lightbus.schema import EventContract
from lightbus_gen.export import document_text
from lightbus_gen.generate import generate
from tests.compat.project import Outcome, run
from tests.schema.build import api

REMARKS: dict[str, Any] = {"deprecated": "use total", "allow_breaking": {"FIELD_REMOVED": "nobody listens"}}


def sold(*parameters: Parameter, **remarks: Any) -> type[Api]:
    registry.clear()
    return api(sold=Event(parameters=parameters, **remarks))


def test_a_deprecated_event_says_what_to_use_instead_everywhere() -> None:
    shop = sold(Parameter("price", int, deprecated="use total"), deprecated="use bought")
    contract = EventContract.of_event(shop, shop.api_events["sold"])
    assert (contract.deprecated, contract.instead) == (True, ": use bought")
    code = generate(Path("absent"), "shop_bus", texts={"shop.json": document_text(shop).encode()})[
        "shop_bus/shop.py"
    ]
    assert '@lightbus.deprecated("event shop.sold is deprecated: use bought")' in code
    assert "Deprecated: use total." in code


@pytest.mark.parametrize("deprecated", [False, True])
def test_without_words_nothing_follows(deprecated: bool) -> None:
    shop = sold(Parameter("price", int), deprecated=deprecated)
    contract = EventContract.of_event(shop, shop.api_events["sold"])
    assert (contract.deprecated, contract.instead) == (deprecated, "")


def test_subclasses_keep_the_remarks() -> None:
    class Base(Api, abstract=True):
        sold = Event(**REMARKS)

    class Shop(Base):
        class Meta:
            name = "shop"

    assert Shop.api_events["sold"].deprecated == "use total"
    assert Shop.api_events["sold"].allow_breaking == REMARKS["allow_breaking"]


@pytest.mark.parametrize(
    "remarks", [{"deprecated": ""}, {"deprecated": 1}, {"allow_breaking": {"RULE": " "}}]
)
def test_remarks_that_say_nothing_are_refused(remarks: Any) -> None:
    with pytest.raises(DefinitionError, match=r"event shop\.sold: "):
        sold(**remarks)
    with pytest.raises(DefinitionError, match=r"parameter 'price': "):
        sold(Parameter("price", int, **remarks))


def judged(tmp_path: Path, old: type[Api], new: type[Api]) -> Outcome:
    for name, shop in (("old", old), ("schemas", new)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "shop.json").write_text(document_text(shop))
    (tmp_path / "pyproject.toml").write_text('[tool.lightbus-gen]\napis = ["shop.bus"]\n')
    return run("breaking", "--against", "old", folder=tmp_path)


@pytest.mark.parametrize("place", ["event", "parameter"])
def test_a_break_that_the_class_allows_does_not_fail(tmp_path: Path, place: str) -> None:
    allow: dict[str, Any] = {
        "allow_breaking": dict.fromkeys(("TYPE_NARROWED", "TYPE_WIDENED"), "nobody listens yet")
    }
    old = sold(Parameter("price", int))
    new = sold(
        Parameter("price", str, **(allow if place == "parameter" else {})),
        **(allow if place == "event" else {}),
    )
    outcome = judged(tmp_path, old, new)
    assert "allowed: nobody listens yet" in outcome.out
    assert outcome.exit_code == 0


def test_remarks_alone_are_no_break(tmp_path: Path) -> None:
    outcome = judged(
        tmp_path, sold(Parameter("price", int)), sold(Parameter("price", int, **REMARKS), **REMARKS)
    )
    assert outcome.exit_code == 0, outcome.out


def test_the_advice_names_the_class_and_pyproject(tmp_path: Path) -> None:
    old, new = sold(Parameter("kind", Literal["a"])), sold(Parameter("kind", Literal["a", "b"]))
    outcome = judged(tmp_path, old, new)
    assert outcome.exit_code == 1
    assert "at the Event or Parameter of API 'shop' in shop.bus" in outcome.out
    assert '[[tool.lightbus-gen.breaking]] with rule = "' in outcome.out
