"""Schemas of standards bodies as APIs, unmodified, and the example events that their authors publish."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightbus_gen.generate import generate
from lightbus_gen.write.apply import apply
from lightbus_gen.write.plan import plan

CORPORA = Path(os.environ.get("LIGHTBUS_CORPORA") or Path(__file__).parents[3] / "shared/corpora")


def generate_cdevents(folder: Path) -> Iterator[tuple[str, Path]]:
    """Generate the package `cdevents_bus`, whose `Bus` has the API `cdevents`.

    Args:
        folder: for the package and its schemas, each in a subfolder.

    Yields:
        (event name, file of a conformance event) for each event.
    """
    corpus = _corpus("cdevents")
    schemas = folder / "schemas/cdevents"
    shutil.copytree(corpus / "schemas/links", schemas / "links")
    for path in sorted((corpus / "schemas").glob("*.json")):
        shutil.copy(path, schemas)
    _write(folder, "cdevents_bus", ["cdevents/links"])
    for path in sorted((corpus / "conformance").glob("*.json")):
        yield path.stem.replace("_", ""), path


def generate_openlineage(folder: Path) -> Iterator[tuple[str, Path]]:
    """Generate the package `openlineage_bus`, whose `Bus` has the API `openlineage`.

    Args:
        folder: for the package and its schemas, each in a subfolder.

    Yields:
        (event name, file of an example) for each example; an event may have several or none.
    """
    corpus = _corpus("openlineage")
    schemas = folder / "schemas/openlineage"
    shutil.copytree(corpus / "facets", schemas)
    shutil.copy(corpus / "OpenLineage.json", schemas)
    _write(folder, "openlineage_bus", [])
    yield "OpenLineage", corpus / "tests/example_full_event.json"
    for path in sorted((corpus / "tests").glob("*/*.json")):
        yield path.parent.name, path


def _corpus(name: str) -> Path:
    corpus = CORPORA / name
    if not corpus.is_dir():
        pytest.skip(f"the corpus {name} is not at {corpus}; LIGHTBUS_CORPORA names another place")
    return corpus


def _write(folder: Path, package: str, shared: list[str]) -> None:
    files = generate(folder / "schemas", package, shared=shared)
    apply(plan(folder, files, within=package))
