"""A module may import the package that is generated from its own classes, before that package is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.codegen.project.project import API, Project

PYPROJECT = """
[tool.lightbus-gen]
apis = ["shop.bus"]
package = "market_bus"
out = "."
"""
ONE_MODULE = f"""
import lightbus
from market_bus import Bus
{API}
bus = lightbus.create(Bus, service_name="shop")
"""
USES = {
    "its bus": ONE_MODULE,
    "its star": ONE_MODULE.replace("import Bus", "import *"),
    "a name of a module": ONE_MODULE + "from market_bus.shop import Sold\nlast: list[Sold | None] = []\n",
    "an alias": ONE_MODULE
    + "from market_bus.shop import Sold\nAny = Sold | None\nMore = None | dict[str, Sold]\n",
    "a call of a name": ONE_MODULE + "from market_bus import shop\nfirst = shop.Sold(item='x')\n",
    "a base class": ONE_MODULE + "import market_bus.shop\nclass Mine(market_bus.shop.Sold): pass\n",
    "a listener at import": ONE_MODULE
    + "def sold(item: str, count: int) -> None: ...\nbus.shop.sold.listen(sold, listener_name='x')\n",
    "an annotation": ONE_MODULE + "from market_bus.shop import Sold\ndef on_sold(event: Sold) -> None: ...\n",
}
MORE = API.replace("ShopApi", "WareApi").replace('"shop"', '"ware"')
LISTENS = "\ndef sold(item: str, count: int) -> None: ...\nbus.ware.sold.listen(sold, listener_name='x')\n"


def one_module(folder: Path, text: str = ONE_MODULE) -> Project:
    return Project(folder, {"pyproject.toml": PYPROJECT, "shop/bus.py": text})


@pytest.mark.parametrize("use", USES)
def test_the_package_is_missing(use: str, tmp_path: Path) -> None:
    project = one_module(tmp_path, USES[use])
    assert (ran := project.run("--check")).returncode == 1, ran.stderr
    assert (ran := project.run()).returncode == 0, ran.stderr
    assert (ran := project.run("--check")).returncode == 0, ran.stderr


@pytest.mark.parametrize(
    "broken",
    [
        "<<<<<<< HEAD\n",
        "from . import removed\n",
        "import lightbus\nlightbus.require_format(99)\n",
        "raise SystemExit\n",
    ],
)
def test_the_package_is_broken(broken: str, tmp_path: Path) -> None:
    project = one_module(tmp_path)
    assert project.run().returncode == 0
    init = project.folder / "market_bus/__init__.py"
    current = init.read_text()
    project.write("market_bus/__init__.py", current + broken)
    assert (ran := project.run("--check")).returncode == 1, ran.stderr
    assert (ran := project.run()).returncode == 0, ran.stderr
    assert init.read_text() == current


@pytest.mark.parametrize(
    "use", [LISTENS, "from market_bus.ware import Sold\n", "from market_bus import ware\n"]
)
def test_the_package_lacks_what_the_module_adds(use: str, tmp_path: Path) -> None:
    project = one_module(tmp_path)
    assert project.run().returncode == 0
    project.write("shop/bus.py", ONE_MODULE + MORE + use)
    assert (ran := project.run()).returncode == 0, ran.stderr
    assert (project.folder / "market_bus/ware.py").is_file()
    assert (ran := project.run("--check")).returncode == 0, ran.stderr


def test_the_bus_is_in_another_module_of_the_project(tmp_path: Path) -> None:
    bus = "import lightbus\nfrom market_bus import Bus\nbus = lightbus.create(Bus, service_name='shop')\n"
    project = Project(
        tmp_path,
        {
            "pyproject.toml": PYPROJECT,
            "shop/common.py": bus,
            "shop/bus.py": f"from shop.common import bus\n{API}",
        },
    )
    assert (ran := project.run()).returncode == 0, ran.stderr
    project.write("shop/bus.py", f"from shop.common import bus\n{API}{MORE}{LISTENS}")
    assert (ran := project.run()).returncode == 0, ran.stderr


def test_export_writes_the_schema_without_the_package(tmp_path: Path) -> None:
    project = one_module(tmp_path)
    assert (ran := project.run("export", "shop.bus")).returncode == 0, ran.stderr
    assert (project.folder / "schemas/shop.json").is_file()


def test_the_modules_own_mistake_is_the_one_that_is_reported(tmp_path: Path) -> None:
    project = one_module(tmp_path, ONE_MODULE + "undefined\n")
    ran = project.run()
    assert ran.returncode == 2
    assert "bus.py:16:1: IMPORT_FAILED" in ran.stderr
    assert "NameError: name 'undefined' is not defined" in ran.stderr


def test_another_missing_package_is_named(tmp_path: Path) -> None:
    project = one_module(tmp_path, "import acme_orders\n" + ONE_MODULE)
    ran = project.run()
    assert ran.returncode == 2
    assert "No module named 'acme_orders'" in ran.stderr
    assert "market_bus" not in ran.stderr


def test_a_parameter_whose_type_is_to_be_generated_is_refused(tmp_path: Path) -> None:
    text = ONE_MODULE.replace(
        "from market_bus import Bus", "from market_bus import Bus\nfrom market_bus.shop import Sold"
    )
    project = one_module(tmp_path, text.replace('"item", str', '"item", Sold'))
    ran = project.run()
    assert ran.returncode == 2
    assert "market_bus.shop.Sold (not generated yet)" in ran.stderr
