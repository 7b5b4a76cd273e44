"""The CDEvents corpus as an API: 48 schemas from elsewhere, as they are, and an event for each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightbus_gen.commit import apply
from lightbus_gen.generate import generate
from lightbus_gen.write import plan

CORPORA = Path(os.environ.get("LIGHTBUS_CORPORA") or Path(__file__).parents[3] / "shared/corpora")
PACKAGE = "cdevents_bus"


def generate_cdevents(folder: Path) -> Iterator[tuple[str, Path]]:
    """Generate the package `cdevents_bus`, whose `Bus` has the API `cdevents`.

    Args:
        folder: gets the package, and the schemas it is made from in a folder beside it.

    Yields:
        (event name, file of a conformance event) for each of the events.
    """
    corpus = CORPORA / "cdevents"
    if not corpus.is_dir():
        pytest.skip(f"the CDEvents corpus is not at {corpus}; LIGHTBUS_CORPORA names another place")
    schemas = folder / "schemas/cdevents"
    shutil.copytree(corpus / "schemas/links", schemas / "links")
    for path in sorted((corpus / "schemas").glob("*.json")):
        shutil.copy(path, schemas)
    files = generate(folder / "schemas", PACKAGE, shared=["cdevents/links"])
    apply(plan(folder, files, within=PACKAGE))
    for path in sorted((corpus / "conformance").glob("*.json")):
        yield path.stem.replace("_", ""), path
